"""Scores of answers that are spans of a text, as in SQuAD 2.0's official evaluation (Rajpurkar et al., 2018)."""

import re
import string
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lib.metrics.calibration import expected_calibration_error
from lib.metrics.classification import binary_scores

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)
# For calibration, an answer counts as right if its token F1 is at least this.
RIGHT = 0.5


def normalise_answer(text: str) -> str:
    """Return a text in lower case, without ASCII punctuation, articles and repeated white space."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def has_words(text: str) -> bool:
    """Return whether anything is left of an answer after normalisation; an answer without words is none."""
    return bool(normalise_answer(text))


def token_f1(gold: str, answer: str) -> float:
    """Return the F1 of the words that two answers share.

    Args:
        gold: A gold answer.
        answer: The predicted answer.

    Returns:
        The token F1 of the normalised answers, in [0, 1]; 1 if both are empty, 0 if only one is.
    """
    wanted, found = normalise_answer(gold).split(), normalise_answer(answer).split()
    if not wanted or not found:
        return float(wanted == found)
    shared = sum((Counter(wanted) & Counter(found)).values())
    return 2 * shared / (len(wanted) + len(found))


def best_over_gold_answers(golds: Sequence[str], answer: str) -> tuple[float, float]:
    """Score an answer against its gold answers.

    Args:
        golds: The gold answers; none if there is no evidence, so that '' is right.
        answer: The predicted answer, '' for "no evidence".

    Returns:
        Token F1 in [0, 1] and exact match (0 or 1), each the best over the gold answers.
    """
    known = [gold for gold in golds if has_words(gold)] or [""]
    exact = max(float(normalise_answer(gold) == normalise_answer(answer)) for gold in known)
    return max(token_f1(gold, answer) for gold in known), exact


def span_scores(
    answers: Sequence[str],
    golds: Sequence[Sequence[str]],
    confidence: NDArray[np.float64],
    probability: NDArray[np.float64],
    criterion: Sequence[str],
    weight: NDArray[np.float64],
) -> dict[str, Any]:
    """Score answers that are spans of a text.

    Args:
        answers: n predicted answers, '' for "no evidence".
        golds: The gold answers of each; none if there is no evidence.
        confidence: (n,), the model's confidence in its answer, in [0, 1].
        probability: (n,), the model's probability that there is any evidence.
        criterion: n names of criteria.
        weight: (n,), the number of pairs that each one stands for.

    Returns:
        `f1_macro` (the F1 of yes in which an answer to a pair with evidence counts as its token F1, averaged over
        the criteria that have evidence in this part; 0 without any), `token_f1` (mean token F1 of each criterion,
        averaged in the same way), `has_answer` and `no_answer` (the same over the pairs with and without evidence;
        None without such pairs), `exact_match`, `ece` (an answer is right if its token F1 is at least 0.5), and the
        scores of `binary_scores` for whether there is evidence: `evidence_f1_macro`, `f1_micro`, `f1_yes_no`,
        precision, sensitivity, yes_rate, prevalence, accuracy, confusion, `ece_of_yes`, `classwise_ece` and those
        of `probability_scores`; and per_criterion.

    Raises:
        ValueError: There is nothing to score, or a probability is not finite.
    """
    pairs = np.array([best_over_gold_answers(gold, answer) for gold, answer in zip(golds, answers, strict=True)])
    f1, exact = pairs.reshape(-1, 2).T
    there = np.array([any(map(has_words, gold)) for gold in golds], dtype=np.int64)
    given = np.array([bool(answer) for answer in answers], dtype=bool)
    evidence = binary_scores(probability, given, there, criterion, weight)
    names = np.asarray(criterion)

    with_positive = np.isin(names, np.unique(names[there == 1]))

    def mean_within_criteria(values: NDArray[np.float64], chosen: NDArray[np.bool_]) -> float | None:
        chosen = chosen & with_positive
        groups = [chosen & (names == name) for name in np.unique(names[chosen])]
        means = [float(np.average(values[own], weights=weight[own])) for own in groups]
        return float(np.mean(means)) if means else None

    everything = np.ones(len(f1), dtype=bool)
    f1_of_yes = {
        name: 2
        * _sum(f1 * weight, own & (there == 1))
        / (_sum(weight, own & (there == 1)) + _sum(weight, own & given))
        for name in np.unique(names[there == 1]).tolist()
        for own in [names == name]
    }
    per_criterion = {
        name: {
            **own,
            "f1": f1_of_yes.get(name),
            "token_f1": mean_within_criteria(f1, names == name),
            "has_answer": mean_within_criteria(f1, (names == name) & (there == 1)),
            "no_answer": mean_within_criteria(f1, (names == name) & (there == 0)),
        }
        for name, own in evidence["per_criterion"].items()
    }
    renamed = {"f1_macro": "evidence_f1_macro"}
    return {
        **{renamed.get(name, name): value for name, value in evidence.items()},
        "f1_macro": float(np.mean(list(f1_of_yes.values()))) if f1_of_yes else 0.0,
        "token_f1": mean_within_criteria(f1, everything) or 0.0,
        "has_answer": mean_within_criteria(f1, there == 1),
        "no_answer": mean_within_criteria(f1, there == 0),
        "exact_match": float(np.average(exact, weights=weight)),
        "ece": expected_calibration_error(confidence, f1 >= RIGHT, weight),
        "per_criterion": per_criterion,
    }


def _sum(values: NDArray[np.float64], chosen: NDArray[np.bool_]) -> float:
    return float(values[chosen].sum())
