"""Score the majority, TF-IDF with logistic regression, and a transformer with default settings as baselines."""

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline

from lib.agents.agent import Agent, Predictions
from lib.corpus.sentences import sentences
from lib.evaluation.default_params import default_params
from lib.experiment.experiment import Experiment
from lib.schemas.document import now
from lib.schemas.evaluation import BaselineFold, Baselines, BaselineScores, CrossValidatedBaseline
from lib.settings.config import TfidfSettings
from lib.tasks.examples import Characters, Examples
from lib.tasks.task import Index

# The sentences of each example, by its index.
Bags = Mapping[int, list[Characters]]


MAJORITY, BAG_OF_WORDS, DEFAULT = "majority", "TF-IDF + logistic regression", "default transformer"


def predict_majority(agent: Agent, known: Examples, index: Index, asked: Examples, wanted: Index) -> Predictions:
    """Predict the same probability for every example, with the whole text as evidence.

    Args:
        agent: Turns log odds into predictions.
        known: Examples with labels.
        index: Which of `known` to learn from, (m,).
        asked: Examples to predict; may be the same as `known`.
        wanted: Which of `asked` to predict, (n,).

    Returns:
        Predictions for asked[wanted]; the probability is the share of positives among known[index].
    """
    share = np.clip(known.label[index].mean(), 1e-6, 1 - 1e-6)
    odds = float(np.log(share / (1 - share)))
    return agent.from_log_odds([[((0, len(asked.second[i])), odds)] for i in wanted])


def predict_bag_of_words(
    agent: Agent, known: Examples, index: Index, asked: Examples, wanted: Index, tfidf: TfidfSettings
) -> Predictions:
    """Predict with TF-IDF and logistic regression.

    A (criterion, text) pair is a bag of sentences. The model learns which single sentences are evidence. For a label,
    the sentence with the highest log odds decides; for a span, all sentences are candidates. The features of a
    sentence are its terms alone and its terms crossed with the criterion, so that a linear model can weigh a term
    separately for each criterion.

    Args:
        agent: Says whether texts are whole posts, and turns log odds into predictions.
        known: Examples with labels and evidence.
        index: Which of `known` to fit on, (m,).
        asked: Examples to predict; may be the same as `known`.
        wanted: Which of `asked` to predict, (n,).
        tfidf: Range of n-grams and number of features.

    Returns:
        Predictions for asked[wanted].
    """
    model = _fit(known, {i: _bag(agent, known, i) for i in index}, index, tfidf)
    return _predict(agent, asked, {i: _bag(agent, asked, i) for i in wanted}, wanted, model)


def score_baselines(experiment: Experiment) -> Baselines:
    """Score the three baselines on the development splits on which the seeds of a trial are scored."""
    started, clock = now(), time.perf_counter()
    agent, examples, config = experiment.agent, experiment.examples, experiment.settings.config
    params, limits = default_params(experiment.settings), config.baseline
    found: dict[str, list[dict[str, Any]]] = {MAJORITY: [], BAG_OF_WORDS: [], DEFAULT: []}
    for seed in range(limits.seeds):
        split = experiment.splits.development(seed)
        parts = agent, examples, split.train, examples, split.validation
        for name, predictions in (
            (MAJORITY, predict_majority(*parts)),
            (BAG_OF_WORDS, predict_bag_of_words(*parts, config.tfidf)),
        ):
            found[name].append(agent.scores(predictions, examples, split.validation))
        found[DEFAULT].append(experiment.run(params, split, epochs=limits.epochs).scores)
    return Baselines(
        provenance=experiment.provenance(started),
        agent=agent.name,
        params=params,
        epochs=limits.epochs,
        entries=[
            BaselineScores(
                name=name,
                f1_macro=float(np.mean([scores["f1_macro"] for scores in seeds])),
                ece=float(np.mean([scores["ece"] for scores in seeds])),
                seeds=seeds,
            )
            for name, seeds in found.items()
        ],
        performance={"seconds": round(time.perf_counter() - clock, 3)},
    )


def cross_validate_baseline(experiment: Experiment) -> CrossValidatedBaseline:
    """Score TF-IDF with logistic regression on each fold of Stage C, fitted on all posts outside the fold."""
    started, clock = now(), time.perf_counter()
    limits, examples = experiment.settings.config.stage_c, experiment.examples
    results = []
    for number in range(limits.folds * limits.repeats):
        split = experiment.splits.fold(number, limits.folds)
        assert split.held_out is not None
        known = np.sort(np.concatenate([split.train, split.validation]))
        predictions = predict_bag_of_words(
            experiment.agent, examples, known, examples, split.held_out, experiment.settings.config.tfidf
        )
        scores = experiment.agent.scores(predictions, examples, split.held_out)
        results.append(BaselineFold(fold=number, split=split.name, scores=scores))
    return CrossValidatedBaseline(
        provenance=experiment.provenance(started),
        agent=experiment.agent.name,
        name=BAG_OF_WORDS,
        folds=results,
        performance={"seconds": round(time.perf_counter() - clock, 3)},
    )


def _bag(agent: Agent, examples: Examples, i: int) -> list[Characters]:
    """Return the sentences of a pair's text; the text of an agent that reads sentences is a single one."""
    text = examples.second[i]
    return sentences(text) if agent.reads_posts else [(0, len(text))]


def _fit(examples: Examples, bags: Bags, known: Index, tfidf: TfidfSettings) -> Pipeline:
    model = make_pipeline(
        TfidfVectorizer(
            analyzer=CrossedTerms(tfidf.ngram_range), max_features=2 * tfidf.max_features, sublinear_tf=True
        ),
        LogisticRegression(C=10.0, max_iter=2000),
    )
    labels = [int(_is_evidence(examples, i, span)) for i in known for span in bags[i]]
    model.fit(_texts(examples, bags, known), labels)
    return model


def _texts(examples: Examples, bags: Bags, index: Index) -> NDArray[np.object_]:
    pairs = [f"{examples.criterion[i]}\t{examples.second[i][slice(*span)]}" for i in index for span in bags[i]]
    return np.array(pairs, dtype=object)


def _is_evidence(examples: Examples, i: int, span: Characters) -> bool:
    """Return whether an answer covers at least half of a sentence; without answers the pair's label counts."""
    if not examples.answers[i]:
        return bool(examples.label[i])
    shared = max(min(span[1], end) - max(span[0], start) for start, end in examples.answers[i])
    return 2 * shared >= span[1] - span[0]


def _predict(agent: Agent, examples: Examples, bags: Bags, index: Index, model: Pipeline) -> Predictions:
    log_odds = model.decision_function(_texts(examples, bags, index))
    parts = np.split(log_odds, np.cumsum([len(bags[i]) for i in index])[:-1])
    return agent.from_log_odds(
        [list(zip(bags[i], part.tolist(), strict=True)) for i, part in zip(index, parts, strict=True)]
    )


class CrossedTerms:
    """Analyzer that returns the terms of 'criterion<TAB>sentence', alone and crossed with the criterion."""

    def __init__(self, ngram_range: tuple[int, int]) -> None:
        """Build the analyzer of terms.

        Args:
            ngram_range: Least and greatest number of words of a term.
        """
        self._analyze = TfidfVectorizer(ngram_range=ngram_range).build_analyzer()

    def __call__(self, pair: str) -> list[str]:
        """Return the terms of one pair."""
        criterion, _, sentence = pair.partition("\t")
        terms: list[str] = self._analyze(sentence)
        return terms + [f"{criterion}|{term}" for term in terms]
