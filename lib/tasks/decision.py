"""Turn logits into calibrated probabilities and decisions, with rules that are fitted after training.

A rule has a temperature and, for each criterion, an offset and a threshold. All are fitted at the prevalence that the
given weights stand for. So they correct for the rate at which training drew negatives (King & Zeng, 2001): a model
that saw every positive but few of the negatives has log odds that are too high by a constant.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from lib.metrics.classification import Floats

# Maps a temperature to the log odds of yes, (n,), of logits that were divided by it.
LogOddsAt = Callable[[float], Floats]

_MIN_TEMPERATURE, _MAX_TEMPERATURE = 0.05, 20.0
# Standard deviation of a criterion's offset around the common one, a normal prior that shrinks it.
_OFFSET_DEVIATION = 0.5
# A criterion's counts are shrunk towards the common ones by as much as this number of its own positives.
_SHRINKAGE = 20.0
_CANDIDATES = 512


@dataclass(frozen=True)
class DecisionRule:
    """How the logits of one task become probabilities and decisions.

    Attributes:
        temperature: The logits are divided by it.
        offset: Added to the log odds of yes afterwards, by criterion.
        threshold: Least value of the policy's statistic for a yes, by criterion, see `Task.decision_function`.
        annotated_threshold: The same for annotated pairs, which have another prevalence; common to all criteria.
    """

    temperature: float
    offset: dict[str, float]
    threshold: dict[str, float]
    annotated_threshold: float

    @classmethod
    def neutral(cls, criteria: Sequence[str]) -> Self:
        """Return the rule that changes nothing and predicts yes where it is the more probable answer."""
        return cls(1.0, dict.fromkeys(criteria, 0.0), dict.fromkeys(criteria, 0.0), 0.0)

    def completed(self, criteria: Sequence[str]) -> Self:
        """Return the rule for more criteria; those that it lacks get the mean of the others."""
        return replace(
            self,
            offset={name: self.offset.get(name, _mean_value(self.offset)) for name in criteria},
            threshold={name: self.threshold.get(name, _mean_value(self.threshold)) for name in criteria},
        )

    @classmethod
    def mean(cls, rules: Sequence[Self]) -> Self:
        """Return the mean of rules for the same criteria, of temperatures the geometric one."""
        return cls(
            float(np.exp(np.mean([np.log(rule.temperature) for rule in rules]))),
            {name: float(np.mean([rule.offset[name] for rule in rules])) for name in rules[0].offset},
            {name: float(np.mean([rule.threshold[name] for rule in rules])) for name in rules[0].threshold},
            float(np.mean([rule.annotated_threshold for rule in rules])),
        )

    def dump(self) -> dict[str, Any]:
        """Return the rule as values that JSON can hold."""
        return asdict(self)

    @classmethod
    def load(cls, dumped: Mapping[str, Any]) -> Self:
        """Return the rule of a dump."""
        return cls(**dumped)


def load_rules(dumped: Mapping[str, Any]) -> dict[str, DecisionRule]:
    """Return the rules by task from their dumps."""
    return {task: DecisionRule.load(rule) for task, rule in dumped.items()}


@dataclass(frozen=True)
class RuleValues:
    """The values of a rule for each of n examples: the attributes of `DecisionRule` as arrays of shape (n,)."""

    temperature: Floats
    offset: Floats
    threshold: Floats
    annotated_threshold: Floats

    @classmethod
    def of(cls, rule: DecisionRule, criterion: Sequence[str]) -> Self:
        """Return the values of a rule for examples with these criteria.

        Args:
            rule: The rule.
            criterion: The criterion of each example.

        Returns:
            The values of the rule, one for each example.
        """
        n = len(criterion)
        return cls(
            np.full(n, rule.temperature),
            np.array([rule.offset[name] for name in criterion]),
            np.array([rule.threshold[name] for name in criterion]),
            np.full(n, rule.annotated_threshold),
        )

    def calibrate(self, log_odds: Floats) -> Floats:
        """Return calibrated log odds, (n,): divided by the temperature, plus the offset."""
        return log_odds / self.temperature + self.offset

    def select(self, chosen: NDArray[np.int64]) -> Self:
        """Return the values of some of the examples, given by their places."""
        return type(self)(*(getattr(self, field.name)[chosen] for field in fields(self)))

    @classmethod
    def merged(cls, parts: Sequence[tuple[Self, NDArray[np.bool_]]]) -> Self:
        """Join values of disjoint parts of the examples, each with the (n,) mask of its part."""
        n = len(parts[0][1])
        merged = {field.name: np.zeros(n) for field in fields(cls)}
        for values, mask in parts:
            for name, target in merged.items():
                target[mask] = getattr(values, name)
        return cls(**merged)


def _mean_value(values: Mapping[str, float]) -> float:
    return float(np.mean(list(values.values()))) if values else 0.0


def fit_calibration(
    log_odds: LogOddsAt, label: NDArray[np.int64], criterion: Sequence[str], weight: Floats
) -> tuple[float, dict[str, float]]:
    """Fit a temperature and the offset of each criterion (Platt, 1999, with a normal prior on the offsets).

    They minimise the weighted negative log likelihood. A criterion's offset is shrunk towards the common one.

    Args:
        log_odds: Gives the log odds of yes at a temperature.
        label: (n,) 1 for yes, else 0.
        criterion: n names of criteria.
        weight: (n,) the number of pairs that each one stands for.

    Returns:
        The temperature in [0.05, 20], and the offsets by criterion. They are 1 and 0 if there is only one class.
    """
    names, which = np.unique(np.asarray(criterion), return_inverse=True)
    if len(np.unique(label)) < 2:
        return 1.0, dict.fromkeys(names.tolist(), 0.0)
    step = 1e-4

    def loss(parameters: Floats) -> tuple[float, Floats]:
        log_temperature, common, own = parameters[0], parameters[1], parameters[2:]
        base = log_odds(float(np.exp(log_temperature)))
        odds = base + common + own[which]
        residual = weight * (expit(odds) - label)
        slope = (log_odds(float(np.exp(log_temperature + step))) - base) / step
        value = float((weight * (np.logaddexp(0, odds) - label * odds)).sum())
        value += float((own**2).sum()) / (2 * _OFFSET_DEVIATION**2)
        by_criterion = np.bincount(which, residual, minlength=len(names)) + own / _OFFSET_DEVIATION**2
        return value, np.concatenate([[(residual * slope).sum(), residual.sum()], by_criterion])

    bounds = [(np.log(_MIN_TEMPERATURE), np.log(_MAX_TEMPERATURE)), *[(-20.0, 20.0)] * (1 + len(names))]
    found = minimize(loss, np.zeros(2 + len(names)), jac=True, bounds=bounds, method="L-BFGS-B").x
    offsets = found[1] + found[2:]
    return float(np.exp(found[0])), dict(zip(names.tolist(), offsets.tolist(), strict=True))


def fit_f1_thresholds(
    log_odds: Floats, label: NDArray[np.int64], criterion: Sequence[str], weight: Floats
) -> dict[str, float]:
    """Fit the threshold of each criterion that maximises its expected F1 of yes, shrunk towards the common threshold.

    The expectation counts each pair as a yes with its calibrated probability (Ye et al., 2012). Thresholds that
    maximise the F1 of the labels themselves follow the chance of few positives. Each criterion's counts get the
    counts of all criteria added, scaled to 20 positives. A criterion with few positives thus has nearly the common
    threshold.

    Args:
        log_odds: (n,) the calibrated log odds of yes, which are compared with the threshold.
        label: (n,) 1 where yes is right, else 0. They only say whether the log odds could be calibrated.
        criterion: n names of criteria.
        weight: (n,) the number of pairs that each one stands for.

    Returns:
        The thresholds by criterion, 0 for all if there is no positive.
    """
    if not label.any():
        return dict.fromkeys(sorted(set(criterion)), 0.0)
    probability = expit(log_odds)
    return fit_soft_f1_thresholds(log_odds, probability, probability, criterion, weight)


def fit_soft_f1_thresholds(
    statistic: Floats, hit: Floats, positive: Floats, criterion: Sequence[str], weight: Floats
) -> dict[str, float]:
    """Fit the threshold of each criterion that maximises 2 Σ hit / (answers + positives), shrunk as in F1 thresholds.

    Args:
        statistic: (n,) the value that is compared with the threshold.
        hit: (n,) how right each answer is if it is given, in [0, 1].
        positive: (n,) how much each pair is a positive, in [0, 1].
        criterion: n names of criteria.
        weight: (n,) the number of pairs that each one stands for.

    Returns:
        The thresholds by criterion, 0 for all if there is no positive.
    """
    names, which = np.unique(np.asarray(criterion), return_inverse=True)
    positives = np.bincount(which, positive * weight, minlength=len(names))
    if not positives.any():
        return dict.fromkeys(names.tolist(), 0.0)
    candidates = _candidate_thresholds(statistic[np.isfinite(statistic)])
    hits, yes = (_sums_by_criterion(statistic, values, which, candidates) for values in (hit * weight, weight))
    share = _SHRINKAGE / positives.sum()
    hits, yes = hits + share * hits.sum(axis=0), yes + share * yes.sum(axis=0)
    f1 = 2 * hits / (yes + (positives + _SHRINKAGE)[:, None])
    return dict(zip(names.tolist(), candidates[f1.argmax(axis=1)].tolist(), strict=True))


def _sums_by_criterion(statistic: Floats, values: Floats, which: NDArray[np.int64], candidates: Floats) -> Floats:
    """Return the sums of the values at or above each threshold, (criteria, thresholds)."""
    of_each = [
        _sums_above(statistic[which == c], values[which == c], candidates) for c in range(int(which.max()) + 1)
    ]
    return np.stack(of_each)


def fit_yes_no_threshold(statistic: Floats, label: NDArray[np.int64]) -> float:
    """Return the threshold that maximises the mean of the F1 of yes and of no; 0 if there is only one class.

    Args:
        statistic: (n,) the value that is compared with the threshold.
        label: (n,) 1 where yes is right, else 0.

    Returns:
        The threshold.
    """
    if len(np.unique(label)) < 2:
        return 0.0
    candidates = _candidate_thresholds(statistic[np.isfinite(statistic)])
    true = _sums_above(statistic, label.astype(np.float64), candidates)
    yes = _sums_above(statistic, np.ones(len(label)), candidates)
    errors = yes - true + label.sum() - true
    right_no = len(label) - yes - (label.sum() - true)
    f1 = true / (2 * true + errors) + np.divide(
        right_no, 2 * right_no + errors, out=np.zeros(len(true)), where=right_no > 0
    )
    return float(candidates[f1.argmax()])


def _candidate_thresholds(statistic: Floats) -> Floats:
    """Return thresholds between the values of a statistic, many where the statistic is high."""
    ordered = np.unique(statistic)
    if len(ordered) < 2:
        return np.zeros(1)
    between = (ordered[1:] + ordered[:-1]) / 2
    ranks = np.unique((len(between) * (1 - np.geomspace(1 / len(between), 1, _CANDIDATES))).astype(int))
    chosen: Floats = between[np.clip(ranks, 0, len(between) - 1)]
    return chosen


def _sums_above(statistic: Floats, values: Floats, thresholds: Floats) -> Floats:
    """Return the sum of the values whose statistic reaches each threshold, (thresholds,)."""
    order = np.argsort(statistic, kind="stable")
    below = np.append(0.0, np.cumsum(values[order]))
    sums: Floats = below[-1] - below[np.searchsorted(statistic[order], thresholds, side="left")]
    return sums
