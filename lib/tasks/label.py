"""Decide whether a pair's criterion is met (the label task). A post's log odds are the highest of its windows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit
from torch import Tensor
from torch.nn import functional as F

from lib.corpus.sentences import Characters
from lib.metrics.classification import (
    SCORES_FROM_STATISTICS,
    binary_scores,
    binary_scores_from_statistics,
    binary_statistics,
)
from lib.modeling.models import Outputs
from lib.modeling.tokens import Batch, Tokens
from lib.settings.hyperparameters import Hyperparameters, NullPolicy
from lib.tasks.decision import LogOddsAt, RuleValues, fit_f1_thresholds
from lib.tasks.examples import Examples, Targets, WeightedSample
from lib.tasks.task import Index, Task, TaskPredictions, imbalance_factor

LogOdds = NDArray[np.float64]


@dataclass(frozen=True)
class Labels(TaskPredictions):
    """Labels of n examples.

    Attributes:
        probability: (n,) probability that the criterion is met.
        yes: (n,) True where the label is predicted positive.
    """

    score_names = SCORES_FROM_STATISTICS

    probability: NDArray[np.float64]
    yes: NDArray[np.bool_]

    @property
    def yes_probability(self) -> NDArray[np.float64]:
        """The probability that the criterion is met, (n,)."""
        return self.probability

    def dump(self) -> dict[str, Any]:
        """Return probabilities and decisions as lists."""
        return {"probability": np.round(self.probability, 6).tolist(), "yes": self.yes.tolist()}

    @classmethod
    def load(cls, dumped: Mapping[str, Any]) -> Self:
        """Return the predictions of a dump."""
        return cls(np.array(dumped["probability"], dtype=np.float64), np.array(dumped["yes"], dtype=bool))

    def score(self, examples: Examples, sample: WeightedSample) -> dict[str, Any]:
        """Score the labels as a binary classification.

        Args:
            examples: All examples.
            sample: The n examples that are predicted, with their weights.

        Returns:
            The scores of `lib.metrics.classification.binary_scores`.
        """
        return binary_scores(self.probability, self.yes, *_truths(examples, sample))

    def reliability(self, examples: Examples, index: Index) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return the confidence of each decision and whether it is right.

        Args:
            examples: All examples.
            index: (n,) the examples that are predicted.

        Returns:
            (n,) the probability of the predicted label, and (n,) whether it is the true label.
        """
        confidence = np.where(self.yes, self.probability, 1 - self.probability)
        return confidence, self.yes == (examples.label[index] == 1)

    def sufficient_statistics(self, examples: Examples, sample: WeightedSample) -> NDArray[np.float64]:
        """Return the statistics of `lib.metrics.classification.binary_statistics`.

        Args:
            examples: All examples.
            sample: The n examples that are predicted, with their weights.

        Returns:
            (n, 4 criteria + 2 + bins), all times the weight.
        """
        return binary_statistics(self.probability, self.yes, *_truths(examples, sample))

    @staticmethod
    def score_from_statistics(sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the scores of `binary_scores_from_statistics`, (samples, 9).

        Args:
            sums: (samples, 4 criteria + 2 + bins) the summed statistics of `sufficient_statistics`.

        Returns:
            The scores of each sample.
        """
        return binary_scores_from_statistics(sums)


def _truths(examples: Examples, sample: WeightedSample) -> tuple[NDArray[np.int64], list[str], NDArray[np.float64]]:
    """Return the labels, criteria and weights of a sample."""
    return examples.label[sample.index], [examples.criterion[i] for i in sample.index], sample.weight


class LabelTask(Task[LogOdds, Labels]):
    """Predicts labels. The logits are the log odds of label 1, (n,)."""

    name = "label"
    same_policy: ClassVar[Mapping[NullPolicy, NullPolicy]] = {"ratio": "threshold", "calibrated": "none"}
    predictions = Labels

    def loss(self, outputs: Outputs, targets: Targets, hyper: Hyperparameters) -> Tensor:
        """Return the cross entropy with label smoothing, class weight and focal factor, summed over windows.

        Args:
            outputs: 'label', (batch, 2).
            targets: The targets of the batch.
            hyper: Gives the label smoothing, and what `imbalance_factor` takes.

        Returns:
            A scalar.
        """
        logits, label = outputs["label"].float(), targets.label
        losses = F.cross_entropy(logits, label, label_smoothing=hyper.label_smoothing, reduction="none")
        log_right = logits.log_softmax(dim=-1).gather(1, label[:, None])[:, 0]
        return (losses * imbalance_factor(log_right, label, hyper) * targets.weight).sum()

    def window_logits(
        self, outputs: Outputs, targets: Targets, batch: Batch, hyper: Hyperparameters
    ) -> dict[str, Tensor]:
        """Return the log odds of label 1 of each window.

        Args:
            outputs: 'label', (batch, 2).
            targets: Not used.
            batch: Not used.
            hyper: Not used.

        Returns:
            'log_odds', (batch,), in double precision.
        """
        logits = outputs["label"].double()
        return {"log_odds": logits[:, 1] - logits[:, 0]}

    def combine_windows(
        self, rows: Mapping[str, NDArray[Any]], tokens: Tokens, windows: Index, index: Index
    ) -> LogOdds:
        """Take the highest log odds among each example's windows.

        Args:
            rows: 'log_odds', (n_windows,).
            tokens: All windows of all examples.
            windows: (n_windows,) the windows that the rows belong to.
            index: (n,) the examples.

        Returns:
            (n,) log odds.
        """
        best = np.full(int(tokens.pair.max()) + 1, -np.inf)
        np.maximum.at(best, tokens.pair[windows], rows["log_odds"])
        chosen: LogOdds = best[index]
        return chosen

    def select(self, logits: LogOdds, chosen: Index) -> LogOdds:
        """Return the log odds of some examples.

        Args:
            logits: (n,) log odds.
            chosen: (m,) places in `logits`.

        Returns:
            (m,) log odds.
        """
        return logits[chosen]

    def concatenate_logits(self, all_logits: Sequence[LogOdds]) -> LogOdds:
        """Concatenate log odds."""
        return np.concatenate(all_logits)

    def logits_from_log_odds(self, scored: Sequence[Sequence[tuple[Characters, float]]]) -> LogOdds:
        """Return the highest log odds of each example's parts.

        Args:
            scored: For each example, the characters [start, end) of its parts and their log odds.

        Returns:
            (n,) log odds; −∞ for an example without parts.
        """
        return np.array([max((odds for _, odds in parts), default=-np.inf) for parts in scored])

    def log_odds_at(self, logits: LogOdds) -> LogOddsAt:
        """Return a function that divides the log odds of n examples by n temperatures, (n,)."""
        return lambda temperature: logits / temperature

    def truth(self, examples: Examples, index: Index) -> NDArray[np.int64]:
        """Return the labels of the examples.

        Args:
            examples: All examples.
            index: (n,) which of them.

        Returns:
            (n,) 1 where the criterion is met, else 0.
        """
        return examples.label[index]

    def decision_function(self, logits: LogOdds, values: RuleValues, hyper: Hyperparameters) -> NDArray[np.float64]:
        """Return the calibrated log odds, which every null policy compares with its threshold.

        Args:
            logits: (n,) log odds.
            values: The values of a rule for the n examples.
            hyper: Not used, as a label has only one possible answer.

        Returns:
            (n,) calibrated log odds.
        """
        return values.calibrate(logits)

    def fit_thresholds(
        self, statistic: NDArray[np.float64], logits: LogOdds, examples: Examples, sample: WeightedSample
    ) -> dict[str, float]:
        """Return the thresholds by criterion that maximise the F1 of yes.

        Args:
            statistic: (n,) the calibrated log odds.
            logits: Not used.
            examples: All examples.
            sample: The n examples, with their weights.

        Returns:
            The threshold of each criterion.
        """
        criterion = [examples.criterion[i] for i in sample.index]
        return fit_f1_thresholds(statistic, examples.label[sample.index], criterion, sample.weight)

    def decide(self, logits: LogOdds, values: RuleValues, hyper: Hyperparameters, threshold: LogOdds) -> Labels:
        """Say yes where the calibrated log odds reach the threshold.

        Args:
            logits: (n,) log odds.
            values: Temperature and offset of the n examples.
            hyper: Not used.
            threshold: (n,) the thresholds.

        Returns:
            The labels of the n examples.
        """
        odds = self.decision_function(logits, values, hyper)
        return Labels(expit(odds), odds >= threshold)

    def average_logits(
        self, members: Sequence[tuple[LogOdds, RuleValues]], weights: Sequence[float] | None = None
    ) -> LogOdds:
        """Average the calibrated probabilities of several models, and return their log odds.

        Args:
            members: The logits of each model for the same n examples, and the values of its rule.
            weights: The weight of each model; None for equal ones.

        Returns:
            (n,) log odds. They are finite, as probabilities are clipped to [1e-12, 1 - 1e-12].
        """
        mean = np.average([expit(values.calibrate(logits)) for logits, values in members], axis=0, weights=weights)
        odds: LogOdds = logit(np.clip(mean, 1e-12, 1 - 1e-12))
        return odds

    def dump_logits(self, logits: LogOdds) -> list[float]:
        """Return the log odds as a list, rounded to five decimals."""
        rounded: list[float] = np.round(logits, 5).tolist()
        return rounded

    def load_logits(self, dumped: Any) -> LogOdds:
        """Return the log odds of a dump."""
        return np.array(dumped, dtype=np.float64)
