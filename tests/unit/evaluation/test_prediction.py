"""Predictions of a saved model on new posts."""

import io
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from support.planted import CRITERIA, train_and_save
from support.tiny import empty_provenance

from lib.cli.main import main
from lib.cli.model.predict import excluded_criteria, format_predictions, read_posts
from lib.errors import UserError
from lib.evaluation.prediction import predict_posts
from lib.schemas.corpus import CorpusManifest


@pytest.fixture(scope="module")
def backbones(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("backbones")


def test_predictions_point_into_the_post(backbones: Path, tmp_path: Path) -> None:
    post = "we went home . there was an apple . an unheard-of zebra, 123 !"
    for agent in ("criteria", "evidence", "share"):
        _, _, model = train_and_save(backbones, tmp_path / agent, agent, **{"null_policy.name": "none"})
        found = predict_posts(model, [("p", post), ("empty", " ")], list(CRITERIA))
        assert all(row.text == post[max(row.start, 0) : max(row.end, 0)] for row in found.itertuples())
        assert agent == "criteria" or (found["start"] >= 0).sum() == 2, "without a policy there always is an answer"
        assert found["probability"].between(0, 1).all()
        assert set(found["population"]) == {model.manifest.population}
        per_post = len(found[found["post_id"] == "p"])
        assert per_post == (3 * 2 if agent == "criteria" else 2)
    with pytest.raises(UserError, match="post_id 'p' is given more than once"):
        predict_posts(model, [("p", post), ("q", post), ("p", "another one")], list(CRITERIA))


def test_sentences_that_are_longer_than_the_model_reads_are_counted(backbones: Path, tmp_path: Path) -> None:
    long = "we went home and there was an apple and " * 60
    for agent, expected in (("criteria", 1), ("evidence", 0)):
        _, _, model = train_and_save(backbones, tmp_path / agent, agent)
        assert model.count_truncated(list(CRITERIA), ["we went home .", long]) == expected
        assert model.count_truncated(list(CRITERIA), []) == 0


def test_a_repeated_id_in_a_file_is_refused_by_row(tmp_path: Path) -> None:
    path = tmp_path / "posts.csv"
    path.write_text("post_id,text\na,One.\nb,Two.\n")
    assert read_posts(path) == [("a", "One."), ("b", "Two.")]
    path.write_text("post_id,text\na,One.\nb,Two.\na,Three.\n")
    with pytest.raises(UserError) as caught:
        read_posts(path)
    assert caught.value.lines == [f"{path}, row 4: post_id 'a' is already in an earlier row; rename one"]


def test_criteria_are_known_to_be_left_out_of_the_scores_where_the_models_corpus_lies(tmp_path: Path) -> None:
    assert excluded_criteria(tmp_path, "hash") == ()
    counts: dict[str, int] = {}
    corpus = CorpusManifest(
        provenance=empty_provenance(),
        generated=False,
        corpus_hash="hash",
        posts=counts,
        annotations=counts,
        positives=counts,
        groups=counts,
        unannotated_means="negative",
        excluded_criteria=("SPECIAL_CASE",),
        criteria={"SPECIAL_CASE": "another matter"},
        oddities={},
    )
    (tmp_path / "corpus").mkdir()
    corpus.write(tmp_path / "corpus" / "corpus.json")
    assert excluded_criteria(tmp_path, "hash") == ("SPECIAL_CASE",)
    assert excluded_criteria(tmp_path, "that of another corpus") == ()


def test_a_met_criterion_without_a_span_has_no_evidence() -> None:
    found = pd.DataFrame({"criterion": ["A"], "start": [-1], "end": [-1], "met": [True], "probability": [0.9]})
    found = found.assign(post_met=True, post_probability=0.9, population="natural")
    lines = list(format_predictions(found, "I am fine.", colour=False))
    assert lines[:2] == ["yes  0.900  A", "    no evidence found"]


@pytest.fixture
def model_of_one_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace every model by one that gives a row for each post."""

    def predict_one_row(_: object, posts: Sequence[tuple[str, str]], __: object) -> pd.DataFrame:
        return pd.DataFrame({"post_id": [name for name, _ in posts], "start": 0, "text": "One."})

    manifest = SimpleNamespace(criteria={"A": "?"}, population="natural", provenance=empty_provenance())
    model = SimpleNamespace(manifest=manifest, count_truncated=lambda *_: 0)
    monkeypatch.setattr("lib.evaluation.saved_model.SavedModel.load", lambda *_: model)
    monkeypatch.setattr("lib.evaluation.prediction.predict_posts", predict_one_row)


@pytest.mark.usefixtures("model_of_one_row")
def test_posts_without_text_are_named_as_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, output = tmp_path / "posts.csv", tmp_path / "out.csv"
    words = ["predict", "--agent", "criteria", "--csv", str(path), "--output", str(output)]
    path.write_text('post_id,text\na,One.\nb,\nc,"  "\n')
    assert main(words) == 0 and pd.read_csv(output)["post_id"].tolist() == ["a"]
    assert capsys.readouterr().err.splitlines() == [
        f"{path}: 2 of 3 posts have no text and get no predictions (the first is post_id 'b')",
        f"1 predictions for 1 posts in {output}. The decision rules were fitted at natural prevalence.",
    ]
    path.write_text("post_id,text\na,One.\n")
    assert main(words) == 0 and "no text" not in capsys.readouterr().err


@pytest.mark.usefixtures("model_of_one_row")
def test_a_post_that_is_not_utf_8_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Python decodes such bytes of an argument to half characters, and fails at those of standard input."""
    words = ["predict", "--agent", "criteria", "--post"]
    expected = "--post: the text is not UTF-8; convert it first, e.g. with iconv -f latin1 -t utf-8\n"
    assert main([*words, b"caf\xe9".decode("utf-8", "surrogateescape")]) == 1
    assert capsys.readouterr().err == expected
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"caf\xe9"), encoding="utf-8"))
    assert main([*words, "-"]) == 1 and capsys.readouterr().err == expected
