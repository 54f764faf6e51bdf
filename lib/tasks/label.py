"""Decide whether a pair's criterion is met (the label task). A post's log odds are the highest of its windows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit
from torch import Tensor
from torch.nn import functional as F

from lib.metrics.calibration import calibration_gaps, ece_from_gaps
from lib.metrics.classification import score
from lib.modeling.models import Outputs
from lib.modeling.tokens import Batch, Tokens
from lib.settings.hyperparameters import Hyperparameters
from lib.tasks.decision import apply_null_policy, fit_temperature, negative_log_likelihood
from lib.tasks.examples import Characters, Examples, Targets
from lib.tasks.task import Index, Task, TaskPredictions

LogOdds = NDArray[np.float64]


@dataclass(frozen=True)
class Labels(TaskPredictions):
    """Labels of n examples.

    Attributes:
        probability: (n,) probability that the criterion is met.
        yes: (n,) True where the label is predicted positive.
    """

    probability: NDArray[np.float64]
    yes: NDArray[np.bool_]

    @property
    def yes_probability(self) -> NDArray[np.float64]:
        """The probability that the criterion is met, (n,)."""
        return self.probability

    def to_logits(self, temperature: float) -> LogOdds:
        """Return the log odds at a temperature. They are finite, as probabilities are clipped to [eps, 1 - eps]."""
        tiny = np.finfo(np.float64).eps
        odds: LogOdds = temperature * logit(np.clip(self.probability, tiny, 1 - tiny))
        return odds

    @classmethod
    def average(cls, members: Sequence[Self]) -> Self:
        """Average the probabilities; a mean above 0.5 is positive."""
        mean = np.mean([member.probability for member in members], axis=0)
        return cls(mean, mean > 0.5)

    def dump(self) -> dict[str, Any]:
        """Return probabilities and decisions as lists."""
        return {"probability": self.probability.tolist(), "yes": self.yes.tolist()}

    @classmethod
    def load(cls, dumped: Mapping[str, Any]) -> Self:
        """Return the predictions of a dump."""
        return cls(np.array(dumped["probability"], dtype=np.float64), np.array(dumped["yes"], dtype=bool))


class LabelTask(Task[LogOdds, Labels]):
    """Predicts labels. The logits are the log odds of label 1, (n,)."""

    name = "label"
    predictions = Labels

    def loss(self, outputs: Outputs, targets: Targets, hyper: Hyperparameters) -> Tensor:
        """Return the cross entropy with label smoothing, summed over windows.

        Args:
            outputs: 'label', (batch, 2).
            targets: The targets of the batch.
            hyper: Gives the label smoothing.

        Returns:
            A scalar.
        """
        losses = F.cross_entropy(
            outputs["label"].float(), targets.label, label_smoothing=hyper.label_smoothing, reduction="none"
        )
        return (losses * targets.weight).sum()

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

    def gather(self, rows: Mapping[str, NDArray[Any]], tokens: Tokens, windows: Index, index: Index) -> LogOdds:
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

    def fit_temperature(self, logits: LogOdds, examples: Examples, index: Index) -> float:
        """Fit the temperature by the negative log likelihood of the labels.

        Args:
            logits: (n,) log odds.
            examples: All examples.
            index: (n,) the examples that the log odds belong to.

        Returns:
            The temperature.
        """
        return fit_temperature(lambda t: negative_log_likelihood(expit(logits / t), examples.label[index]))

    def decide(self, logits: LogOdds, temperature: NDArray[np.float64], hyper: Hyperparameters) -> Labels:
        """Decide by the null policy, or without one for the more probable label.

        Args:
            logits: (n,) log odds.
            temperature: (n,) the log odds are divided by it.
            hyper: Gives the null policy.

        Returns:
            The labels of the n examples.
        """
        yes = expit(logits / temperature)
        return Labels(yes, apply_null_policy(hyper, yes, yes, 1 - yes, without_policy=yes > 0.5))

    def concatenate(self, all_logits: Sequence[LogOdds]) -> LogOdds:
        """Concatenate log odds."""
        return np.concatenate(all_logits)

    def from_log_odds(self, scored: Sequence[Sequence[tuple[Characters, float]]]) -> Labels:
        """Take the highest log odds of each example's parts, and decide for the more probable label.

        Args:
            scored: For each example, the characters [start, end) of its parts and their log odds.
        """
        yes = expit(np.array([max((odds for _, odds in parts), default=-np.inf) for parts in scored]))
        return Labels(yes, yes > 0.5)

    def score(self, predictions: Labels, examples: Examples, index: Index) -> dict[str, Any]:
        """Score the labels as a binary classification.

        Args:
            predictions: The predictions for n examples.
            examples: All examples.
            index: (n,) the examples that the predictions belong to.

        Returns:
            The scores of `lib.metrics.classification.score`.
        """
        criterion = [examples.criterion[i] for i in index]
        return score(predictions.probability, predictions.yes, examples.label[index], criterion)

    def reliability(
        self, predictions: Labels, examples: Examples, index: Index
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return the confidence of each decision and whether it is right.

        Args:
            predictions: The predictions for n examples.
            examples: All examples.
            index: (n,) the examples that the predictions belong to.

        Returns:
            (n,) the probability of the predicted label, and (n,) whether it is the true label.
        """
        confidence = np.where(predictions.yes, predictions.probability, 1 - predictions.probability)
        return confidence, predictions.yes == (examples.label[index] == 1)

    def sufficient_statistics(self, predictions: Labels, examples: Examples, index: Index) -> NDArray[np.float64]:
        """Return each example's cell of the confusion matrix and its calibration gap.

        Args:
            predictions: The predictions for n examples.
            examples: All examples.
            index: (n,) the examples that the predictions belong to.

        Returns:
            (n, 4 + bins): a one-hot cell (true negative, false positive, false negative, true positive), and the gaps
            of `calibration_gaps`.
        """
        cell = 2 * examples.label[index] + predictions.yes
        return np.hstack([np.eye(4)[cell], calibration_gaps(*self.reliability(predictions, examples, index))])

    def score_from_statistics(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the mean F1 of both classes and the ECE, (samples, 2).

        Args:
            sums: (samples, 4 + bins) the summed statistics of `sufficient_statistics`.
        """
        negative, false, missed, positive = sums[:, :4].T
        errors = false + missed
        f1 = [
            np.divide(2 * hit, 2 * hit + errors, out=np.zeros(len(hit)), where=2 * hit + errors > 0)
            for hit in (negative, positive)
        ]
        return np.stack([np.mean(f1, axis=0), ece_from_gaps(sums[:, 4:], sums[:, :4].sum(axis=1))], axis=1)
