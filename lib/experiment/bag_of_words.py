"""TF-IDF with logistic regression."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.model_selection import StratifiedGroupKFold
from threadpoolctl import threadpool_limits

from lib.agents.agent import Agent, Logits
from lib.corpus.sentences import Characters, sentences, sentences_about
from lib.settings.config import TfidfSettings
from lib.tasks.examples import Examples
from lib.tasks.task import Index

# The sentences of each example, by its index.
Bags = Mapping[int, list[Characters]]

_STRENGTHS = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
_FOLDS = 3
_LEAST_SHARE = 1e-6


class BagOfWords:
    """A linear model over the terms of sentences.

    A (criterion, text) pair is a bag of sentences. The model learns which single sentences are evidence. For a label,
    the sentence with the highest log odds decides; for a span, all sentences are candidates. The features of a
    sentence are its terms alone and its terms crossed with the criterion, so that a linear model can weigh a term
    separately for each criterion.
    """

    def __init__(self, agent: Agent, tfidf: TfidfSettings) -> None:
        """Build an unfitted model.

        Args:
            agent: Says whether texts are whole posts, and turns log odds into logits.
            tfidf: Range of n-grams and number of features.
        """
        self._agent = agent
        self._vectorizer = TfidfVectorizer(
            analyzer=CrossedTerms(tfidf.ngram_range), max_features=2 * tfidf.max_features, sublinear_tf=True
        )
        self._model = _classifier(_STRENGTHS[0])
        self._constant: float | None = None

    def fit(self, examples: Examples, index: Index, strength: float | None = None) -> "BagOfWords":
        """Fit on examples.

        Args:
            examples: Examples with labels and evidence.
            index: The examples to fit on, (n,).
            strength: The inverse regularisation strength C; by default the one that cross-validation by group finds
                best.

        Returns:
            The model itself.
        """
        bags = self._bags(examples, index)
        features = self._vectorizer.fit_transform(_texts(examples, bags, index))
        labels = np.concatenate([_evidence(examples, i, bags[i]) for i in index])
        # scikit-learn refuses a single class, so the prevalence then decides.
        share = float(np.clip(labels.mean(), _LEAST_SHARE, 1 - _LEAST_SHARE))
        self._constant = None if 0 < labels.mean() < 1 else float(np.log(share / (1 - share)))
        if self._constant is not None:
            return self
        groups = np.array([examples.group[i] for i in index for _ in bags[i]])
        # OpenBLAS splits long vectors between its threads. Sums, and with them the drawn validation samples and the
        # keys of runs, would depend on the number of cores.
        with threadpool_limits(1, "blas"):
            strength = strength or _best_strength(features, labels, groups)
            self._model.set_params(C=strength).fit(features, labels)
        return self

    def logits(self, examples: Examples, index: Index) -> Logits:
        """Return the logits of some examples.

        Args:
            examples: The examples to predict.
            index: (n,) which of them.

        Returns:
            The logits of the n examples, by task.
        """
        bags = self._bags(examples, index)
        log_odds = self._log_odds(_texts(examples, bags, index))
        parts = np.split(log_odds, np.cumsum([len(bags[i]) for i in index])[:-1])
        return self._agent.logits_from_log_odds(
            [list(zip(bags[i], part.tolist(), strict=True)) for i, part in zip(index, parts, strict=True)]
        )

    def _log_odds(self, texts: NDArray[np.object_]) -> NDArray[np.float64]:
        if self._constant is not None:
            return np.full(len(texts), self._constant)
        return np.asarray(self._model.decision_function(self._vectorizer.transform(texts)))

    def _bags(self, examples: Examples, index: Index) -> Bags:
        """Return the sentences of each text; the text of an agent that reads sentences is a single one."""
        if not self._agent.reads_posts:
            return {i: [(0, len(examples.text[i]))] for i in index}
        cut: dict[str, list[Characters]] = {}
        return {i: cut.setdefault(text, sentences(text)) for i in index for text in [examples.text[i]]}


def _classifier(strength: float) -> LogisticRegression:
    # On sparse features liblinear is several times faster than the other solvers, at the same average precision.
    return LogisticRegression(C=strength, max_iter=2000, solver="liblinear", random_state=0)


def _best_strength(features: Any, labels: NDArray[np.int64], groups: NDArray[np.int64]) -> float:
    """Return the C with the highest mean average precision on held-out groups, or the middle one if these are few."""
    middle = _STRENGTHS[len(_STRENGTHS) // 2]
    folds = min(_FOLDS, len(np.unique(groups[labels == 1])))
    if folds < 2 or labels.all():
        return middle
    splits = StratifiedGroupKFold(folds).split(features, labels, groups)
    usable = [(a, b) for a, b in splits if 0 < labels[a].sum() < len(a) and labels[b].sum() > 0]
    if not usable:
        return middle

    def quality(strength: float) -> float:
        model = _classifier(strength)
        found = [(labels[b], model.fit(features[a], labels[a]).decision_function(features[b])) for a, b in usable]
        return float(np.mean([average_precision_score(*each) for each in found]))

    return max(_STRENGTHS, key=quality)


def _texts(examples: Examples, bags: Bags, index: Index) -> NDArray[np.object_]:
    pairs = [f"{examples.criterion[i]}\t{examples.text[i][slice(*span)]}" for i in index for span in bags[i]]
    return np.array(pairs, dtype=object)


def _evidence(examples: Examples, i: int, bag: Sequence[Characters]) -> NDArray[np.int64]:
    """Return 1 for the sentences that an answer is about, else 0; without answers the pair's label counts."""
    if not examples.gold_spans[i]:
        return np.full(len(bag), examples.label[i])
    evidence = np.zeros(len(bag), dtype=np.int64)
    for answer in examples.gold_spans[i]:
        evidence[sentences_about(bag, answer)] = 1
    return evidence


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
