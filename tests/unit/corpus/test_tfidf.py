from pathlib import Path

import joblib
import numpy as np
import pytest

from lib.corpus.tfidf import MODEL, build_tfidf
from lib.settings.config import TfidfSettings

TEXTS = ["the cat sat on the mat", "a dog ran over the mat", "cats and dogs sleep"]


def test_tfidf_is_fitted_once_for_the_same_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = build_tfidf(TEXTS, TfidfSettings(), cache=tmp_path / "cache", folder=tmp_path / "a")
    again = build_tfidf(TEXTS[::-1], TfidfSettings(), cache=tmp_path / "cache", folder=tmp_path / "b")
    other = build_tfidf(TEXTS, TfidfSettings(max_features=5), cache=tmp_path / "cache", folder=tmp_path / "c")
    assert not first["performance"]["reused"] and again["performance"]["reused"]
    assert first["key"] == again["key"] != other["key"]
    assert other["features"] == 5
    monkeypatch.setattr("lib.corpus.tfidf.version", lambda package: "0.1")
    older = build_tfidf(TEXTS, TfidfSettings(), cache=tmp_path / "cache", folder=tmp_path / "d")
    assert not older["performance"]["reused"], "another scikit-learn may weigh other words"
    vectorizer = joblib.load(tmp_path / "b" / MODEL)
    assert vectorizer.transform(["cat mat"]).nnz == 2


def test_nlpaug_reads_the_tfidf_files(tmp_path: Path) -> None:
    naw = pytest.importorskip("nlpaug.augmenter.word")
    build_tfidf(TEXTS, TfidfSettings(), cache=tmp_path / "cache", folder=tmp_path / "a")
    augmenter = naw.TfIdfAug(model_path=str(tmp_path / "a"), action="substitute", aug_p=0.9)
    np.random.seed(0)
    assert any(augmenter.augment("the cat sat on the mat")[0] != "the cat sat on the mat" for _ in range(5))


def test_words_of_equal_weight_are_equally_likely(tmp_path: Path) -> None:
    build_tfidf(["one"], TfidfSettings(ngram_range=(1, 1)), cache=tmp_path / "cache", folder=tmp_path / "a")
    assert (tmp_path / "a/tfidfaug_w2tfidf.txt").read_text() == "one 1.0\n"
