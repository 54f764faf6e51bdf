"""Turn logits into calibrated probabilities and decisions, with rules that are fitted after training.

A rule has a temperature, an offset and a threshold for each criterion. All are fitted at the prevalence that the
given weights stand for. So they correct for the rate at which training drew negatives (King & Zeng, 2001): a model
that saw every positive but few of the negatives has log odds that are too high by a constant.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from lib.metrics.classification import Floats

# Maps the temperature of each of n examples, (n,), to the log odds of yes, (n,), of logits that were divided by it.
LogOddsAt = Callable[[Floats], Floats]

_MIN_TEMPERATURE, _MAX_TEMPERATURE = 0.05, 20.0
# Standard deviations of a criterion's offset, and of the logarithm of its temperature, around the common ones. These
# are normal priors, which shrink them.
_OFFSET_DEVIATION, _TEMPERATURE_DEVIATION = 0.5, 0.25
# A criterion's counts are shrunk towards the common ones by as much as this number of its own positives.
_SHRINKAGE = 20.0
_CANDIDATES = 512


@dataclass(frozen=True)
class DecisionRule:
    """How the logits of one task become probabilities and decisions.

    Attributes:
        temperature: The logits are divided by it, by criterion.
        offset: Added to the log odds of yes afterwards, by criterion.
        threshold: Least value of the policy's statistic for a yes, by criterion, see `Task.decision_function`.
        annotated_threshold: The same for annotated pairs, which have another prevalence; common to all criteria.
    """

    temperature: dict[str, float]
    offset: dict[str, float]
    threshold: dict[str, float]
    annotated_threshold: float

    @classmethod
    def neutral(cls, criteria: Sequence[str]) -> Self:
        """Return the rule that changes nothing and predicts yes where it is the more probable answer."""
        zero = dict.fromkeys(criteria, 0.0)
        return cls(dict.fromkeys(criteria, 1.0), zero, zero, 0.0)

    def completed(self, criteria: Sequence[str]) -> Self:
        """Return the rule for more criteria; those that it lacks get the mean of the others."""
        return replace(
            self,
            temperature={n: self.temperature.get(n, self.mean_temperature) for n in criteria},
            offset={name: self.offset.get(name, _mean_value(self.offset)) for name in criteria},
            threshold={name: self.threshold.get(name, _mean_value(self.threshold)) for name in criteria},
        )

    @property
    def mean_temperature(self) -> float:
        """The geometric mean of the criteria's temperatures."""
        return _geometric_mean(self.temperature.values())

    @classmethod
    def mean(cls, rules: Sequence[Self]) -> Self:
        """Return the mean of rules for the same criteria, of temperatures the geometric one."""
        return cls(
            {name: _geometric_mean([rule.temperature[name] for rule in rules]) for name in rules[0].temperature},
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
            np.array([rule.temperature[name] for name in criterion]),
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
    def concatenated(cls, parts: Sequence[Self]) -> Self:
        """Join the values for several sets of examples, in their order."""
        return cls(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)))

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


def _geometric_mean(values: Iterable[float]) -> float:
    """Return the geometric mean, 1 for no values."""
    logarithms = np.log(list(values))
    return float(np.exp(logarithms.mean())) if len(logarithms) else 1.0


def fit_calibration(
    log_odds: LogOddsAt, label: NDArray[np.int64], criterion: Sequence[str], weight: Floats
) -> tuple[dict[str, float], dict[str, float]]:
    """Fit the temperature and the offset of each criterion (Platt, 1999, with normal priors).

    They minimise the weighted negative log likelihood. A criterion's temperature and offset are shrunk towards the
    common ones.

    Args:
        log_odds: Gives the log odds of yes at a temperature.
        label: (n,) 1 for yes, else 0.
        criterion: n names of criteria.
        weight: (n,) the number of pairs that each one stands for.

    Returns:
        The temperatures and the offsets by criterion. They are 1 and 0 if there is only one class.
    """
    names, which = np.unique(np.asarray(criterion), return_inverse=True)
    n = len(names)
    if len(np.unique(label)) < 2:
        return dict.fromkeys(names.tolist(), 1.0), dict.fromkeys(names.tolist(), 0.0)
    step = 1e-4

    def loss(parameters: Floats) -> tuple[float, Floats]:
        (common_log, common), (own_log, own) = parameters[:2], parameters[2:].reshape(2, n)
        log_temperature = (common_log + own_log)[which]
        base = log_odds(np.exp(log_temperature))
        odds = base + common + own[which]
        residual = weight * (expit(odds) - label)
        by_temperature = residual * (log_odds(np.exp(log_temperature + step)) - base) / step
        value = float((weight * (np.logaddexp(0, odds) - label * odds)).sum())
        value += float((own_log**2).sum()) / (2 * _TEMPERATURE_DEVIATION**2)
        value += float((own**2).sum()) / (2 * _OFFSET_DEVIATION**2)
        of_temperature = np.bincount(which, by_temperature, minlength=n) + own_log / _TEMPERATURE_DEVIATION**2
        of_offset = np.bincount(which, residual, minlength=n) + own / _OFFSET_DEVIATION**2
        return value, np.concatenate([[by_temperature.sum(), residual.sum()], of_temperature, of_offset])

    common_bounds = [(np.log(_MIN_TEMPERATURE), np.log(_MAX_TEMPERATURE)), (-20.0, 20.0)]
    bounds = [*common_bounds, *[(-2.0, 2.0)] * n, *[(-20.0, 20.0)] * n]
    found = minimize(loss, np.zeros(2 + 2 * n), jac=True, bounds=bounds, method="L-BFGS-B").x
    temperatures, offsets = np.exp(found[0] + found[2 : 2 + n]), found[1] + found[2 + n :]
    by_name = names.tolist()
    return dict(zip(by_name, temperatures.tolist(), strict=True)), dict(zip(by_name, offsets.tolist(), strict=True))


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
