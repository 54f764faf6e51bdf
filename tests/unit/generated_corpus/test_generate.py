import runpy
from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from support.checkouts import ROOT

from lib.corpus.reader import read_corpus
from lib.experiment.bag_of_words import CrossedTerms
from lib.generated_corpus.generate import generate_corpus
from lib.settings.config import CorpusSettings


def test_the_same_arguments_write_the_same_files(project: Path) -> None:
    for name in ("a", "b", "c"):
        generate_corpus(Path(name), posts=30, seed=3 if name != "c" else 4)
    for file in ("posts.csv", "annotations.csv", "criteria.json"):
        assert Path("a", file).read_bytes() == Path("b", file).read_bytes()
    assert Path("a/posts.csv").read_bytes() != Path("c/posts.csv").read_bytes()


def test_the_corpus_has_the_proportions_of_redsm5_and_no_bag_of_words_solves_it(project: Path) -> None:
    generate_corpus(Path("g"), posts=1484, seed=5)
    corpus = read_corpus(CorpusSettings(), Path("g"))
    words = corpus.posts["text"].str.split().str.len()
    positive = set(corpus.annotations.query("status == 1")["post_id"])
    assert len(corpus.posts) - len(positive) == 392
    assert abs(words.mean() - 295) < 15 and 6990 <= words.max() < 7040
    assert set(corpus.annotations["criterion"]) == set(corpus.criteria) and len(corpus.criteria) == 9
    assert (corpus.annotations["match"] == "exact").all()
    rows = corpus.annotations
    texts = np.array([f"{c}\t{t}" for c, t in zip(rows["criterion"], rows["sentence"], strict=True)], dtype=object)
    model = make_pipeline(
        TfidfVectorizer(analyzer=CrossedTerms((1, 2)), sublinear_tf=True), LogisticRegression(C=10.0)
    )
    predicted = cross_val_predict(model, texts, rows["status"], groups=rows["post_id"], cv=GroupKFold(3))
    assert f1_score(rows["status"], predicted, average="macro") < 0.9


def test_no_sentence_of_the_typed_ones_is_in_the_first_corpus(project: Path) -> None:
    generate_corpus(Path("g"), posts=300, seed=5, words=40)
    typed = runpy.run_path(str(ROOT / "benchmarks/typed_sentences.py"))
    texts = read_corpus(CorpusSettings(), Path("g")).posts["text"]
    assert not [
        sentence
        for sentence in (*typed["WITHOUT"], *typed["WITH"])
        if texts.str.contains(sentence, regex=False).any()
    ]


def test_the_verbs_of_plain_phrases_have_the_form_of_their_person(project: Path) -> None:
    generate_corpus(Path("g"), posts=300, seed=5, words=40)
    texts = read_corpus(CorpusSettings(), Path("g")).posts["text"]
    assert not texts.str.contains(r"[\[\]|]").any()
    assert texts.str.contains(r"\bI don't ").any() and texts.str.contains(r"\bsister doesn't ").any()
    assert not texts.str.contains(r"\bI doesn't |\b(?:sister|brother|mother) don't ").any()
