"""Scores of answers that are spans of a text, as in the official SQuAD 2.0 evaluation (Rajpurkar et al., 2018)."""

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
# An answer counts as right for calibration from this token F1 on.
RIGHT = 0.5


def normalise_answer(text: str) -> str:
    """Lower-case, without ASCII punctuation, articles and repeated white space."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def token_f1(gold: str, answer: str) -> float:
    """F1 of the words two answers share; 1 if both are empty, 0 if one is."""
    wanted, found = normalise_answer(gold).split(), normalise_answer(answer).split()
    if not wanted or not found:
        return float(wanted == found)
    shared = sum((Counter(wanted) & Counter(found)).values())
    return 2 * shared / (len(wanted) + len(found))


def best_over_golds(golds: Sequence[str], answer: str) -> tuple[float, float]:
    """Return (token F1, exact match), each the best over the gold answers; no gold means that '' is right."""
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
    """Score answers.

    answers: n texts, '' for "no evidence". golds: their gold texts, none where there is no evidence. confidence: (n,)
    of the given answer. probability: (n,) that there is evidence at all. criterion: n names.
    Returns f1_macro (token F1 averaged within each criterion, then over the criteria), f1 (over all), exact_match,
    ece (confidence against token F1 of at least 0.5), accuracy of saying whether there is evidence with its confusion
    counts, no_answer (share predicted and true), the scores of `probability`, and per_criterion.
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
