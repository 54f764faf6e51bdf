"""The yardstick of Stage C: TF-IDF with logistic regression on sentences, for every agent."""

import re
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline

from lib.agents.base import Agent
from lib.files.documents import now
from lib.search.documents import Baseline, BaselineFold
from lib.search.experiment import Experiment
from lib.settings.config import TfidfSettings
from lib.tasks.base import Index
from lib.tasks.examples import Characters, Examples

_SENTENCE = re.compile(r"[^.!?\n]*[.!?]*\n?")


def baseline(experiment: Experiment) -> Baseline:
    """Score the baseline on the folds; everything is fitted on each fold's training part.

    A pair is a bag of sentences. A model of single sentences learns which are evidence; a pair's reading is that of
    its most telling sentence (label) or of all its sentences (span). A sentence's features are its terms, once alone
    and once crossed with the criterion, so that a linear model can weigh a term for each criterion.
    """
    started, clock = now(), time.perf_counter()
    limits, examples = experiment.settings.config.stage_c, experiment.examples
    bags = [_bag(experiment.agent, examples, i) for i in range(len(examples))]
    results = []
    for number in range(limits.folds * limits.repeats):
        split = experiment.fold(number, limits.folds)
        assert split.held_out is not None
        known = np.sort(np.concatenate([split.train, split.stop]))
        model = _fit(examples, bags, known, experiment.settings.config.tfidf)
        answers = _answers(experiment.agent, examples, bags, split.held_out, model)
        scores = experiment.agent.scores(answers, examples, split.held_out)
        results.append(BaselineFold(fold=number, split=split.name, scores=scores))
    return Baseline(
        provenance=experiment.provenance(started),
        agent=experiment.agent.name,
        name="TF-IDF + logistic regression",
        folds=results,
        performance={"seconds": round(time.perf_counter() - clock, 3)},
    )


def sentences(text: str) -> list[Characters]:
    """Cut a text after '.', '!', '?' and line breaks. Returns the characters of each piece without white space."""
    spans = []
    for match in _SENTENCE.finditer(text):
        piece = match.group()
        if stripped := piece.strip():
            start = match.start() + piece.index(stripped)
            spans.append((start, start + len(stripped)))
    return spans


def _bag(agent: Agent, examples: Examples, i: int) -> list[Characters]:
    """Return the sentences of a pair's text; an agent that reads sentences has one."""
    text = examples.second[i]
    return sentences(text) if agent.reads_posts else [(0, len(text))]


def _fit(examples: Examples, bags: list[list[Characters]], known: Index, tfidf: TfidfSettings) -> Pipeline:
    model = make_pipeline(
        TfidfVectorizer(
            analyzer=CrossedTerms(tfidf.ngram_range), max_features=2 * tfidf.max_features, sublinear_tf=True
        ),
        LogisticRegression(C=10.0, max_iter=2000),
    )
    labels = [int(_evidence(examples, i, span)) for i in known for span in bags[i]]
    model.fit(_texts(examples, bags, known), labels)
    return model


def _texts(examples: Examples, bags: list[list[Characters]], index: Index) -> NDArray[np.object_]:
    pairs = [f"{examples.criterion[i]}\t{examples.second[i][slice(*span)]}" for i in index for span in bags[i]]
    return np.array(pairs, dtype=object)


def _evidence(examples: Examples, i: int, span: Characters) -> bool:
    """Whether a sentence shares at least half of itself with an answer; without answers the pair's label counts."""
    if not examples.answers[i]:
        return bool(examples.label[i])
    shared = max(min(span[1], end) - max(span[0], start) for start, end in examples.answers[i])
    return 2 * shared >= span[1] - span[0]


def _answers(
    agent: Agent, examples: Examples, bags: list[list[Characters]], index: Index, model: Pipeline
) -> dict[str, Any]:
    log_odds = model.decision_function(_texts(examples, bags, index))
    parts = np.split(log_odds, np.cumsum([len(bags[i]) for i in index])[:-1])
    return agent.plain_answers(
        [list(zip(bags[i], part.tolist(), strict=True)) for i, part in zip(index, parts, strict=True)]
    )


class CrossedTerms:
    """Terms of a 'criterion<TAB>sentence', alone and crossed with the criterion."""

    def __init__(self, ngram_range: tuple[int, int]) -> None:
        self._analyze = TfidfVectorizer(ngram_range=ngram_range).build_analyzer()

    def __call__(self, pair: str) -> list[str]:
        """Return the terms of one pair."""
        criterion, _, sentence = pair.partition("\t")
        terms: list[str] = self._analyze(sentence)
        return terms + [f"{criterion}|{term}" for term in terms]
