"""Scores of answers that are spans of a text, as in SQuAD 2.0's official evaluation (Rajpurkar et al., 2018)."""

import re
import string
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lib.metrics.calibration import expected_calibration_error
from lib.metrics.classification import confusion, probability_scores

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)
# For calibration, an answer counts as right if its token F1 is at least this.
RIGHT = 0.5


def normalise_answer(text: str) -> str:
    """Return a text in lower case, without ASCII punctuation, articles and repeated white space."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


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


def best_over_golds(golds: Sequence[str], answer: str) -> tuple[float, float]:
    """Score an answer against its gold answers.

    Args:
        golds: The gold answers; none if there is no evidence, so that '' is right.
        answer: The predicted answer, '' for "no evidence".

    Returns:
        Token F1 in [0, 1] and exact match (0 or 1), each the best over the gold answers.
    """
    known = [gold for gold in golds if normalise_answer(gold)] or [""]
    exact = max(float(normalise_answer(gold) == normalise_answer(answer)) for gold in known)
    return max(token_f1(gold, answer) for gold in known), exact


def score(
    answers: Sequence[str],
    golds: Sequence[Sequence[str]],
    confidence: NDArray[np.float64],
    probability: NDArray[np.float64],
    criterion: Sequence[str],
) -> dict[str, Any]:
    """Score answers that are spans of a text.

    Args:
        answers: n predicted answers, '' for "no evidence".
        golds: The gold answers of each; none if there is no evidence.
        confidence: (n,), the model's confidence in its answer, in [0, 1].
        probability: (n,), the model's probability that there is any evidence.
        criterion: n names of criteria.

    Returns:
        f1_macro (mean token F1 of each criterion, averaged over the criteria), f1 (mean token F1), exact_match, ece
        (an answer is right if its token F1 is at least 0.5), accuracy and confusion of whether there is evidence,
        no_answer (predicted and true share), the scores of `probability_scores`, and per_criterion.

    Raises:
        ValueError: There is nothing to score, or a probability is not finite.
    """
    pairs = np.array([best_over_golds(gold, answer) for gold, answer in zip(golds, answers, strict=True)])
    f1, exact = pairs.reshape(-1, 2).T
    there = np.array([any(map(normalise_answer, gold)) for gold in golds], dtype=np.int64)
    given = np.array([bool(answer) for answer in answers], dtype=np.int64)
    rows: dict[str, list[int]] = defaultdict(list)
    for row, name in enumerate(criterion):
        rows[name].append(row)
    per_criterion = {
        name: {
            "f1_macro": float(f1[rows[name]].mean()),
            "exact_match": float(exact[rows[name]].mean()),
            "confusion": confusion(there[rows[name]], given[rows[name]]),
        }
        for name in sorted(rows)
    }
    return {
        **probability_scores(probability, there),
        "f1_macro": float(np.mean([entry["f1_macro"] for entry in per_criterion.values()])),
        "f1": float(f1.mean()),
        "exact_match": float(exact.mean()),
        "ece": expected_calibration_error(confidence, f1 >= RIGHT),
        "accuracy": float((there == given).mean()),
        "confusion": confusion(there, given),
        "no_answer": {"predicted": float(1 - given.mean()), "true": float(1 - there.mean())},
        "per_criterion": per_criterion,
    }
