"""Predictions of a saved model on new posts."""

from pathlib import Path

import pytest
from support.planted import CRITERIA, train_and_save
from support.tiny import empty_provenance

from lib.cli.model.predict import excluded_criteria, read_posts
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
        per_post = len(found[found["post_id"] == "p"])
        assert per_post == (3 * 2 if agent == "criteria" else 2)
    with pytest.raises(UserError, match="post_id 'p' is given more than once"):
        predict_posts(model, [("p", post), ("q", post), ("p", "another one")], list(CRITERIA))


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
