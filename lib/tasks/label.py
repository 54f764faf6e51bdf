"""Is the criterion met? A label for each pair; a post's is that of its most telling window."""

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
    """probability: (n,) that the criterion is met. yes: (n,) bool, the decisions."""

    probability: NDArray[np.float64]
    yes: NDArray[np.bool_]

    @property
    def yes_probability(self) -> NDArray[np.float64]:
        """The probability that the criterion is met."""
        return self.probability

    def to_logits(self, temperature: float) -> LogOdds:
        """Return the log odds; probabilities that a float rounds to 0 or 1 count as its nearest neighbours."""
        tiny = np.finfo(np.float64).eps
        odds: LogOdds = temperature * logit(np.clip(self.probability, tiny, 1 - tiny))
        return odds

    @classmethod
    def average(cls, members: Sequence[Self]) -> Self:
        """Average the probabilities."""
        mean = np.mean([member.probability for member in members], axis=0)
        return cls(mean, mean > 0.5)

    def dump(self) -> dict[str, Any]:
        """Return lists."""
        return {"probability": self.probability.tolist(), "yes": self.yes.tolist()}

    @classmethod
    def load(cls, dumped: Mapping[str, Any]) -> Self:
        """Return arrays."""
        return cls(np.array(dumped["probability"], dtype=np.float64), np.array(dumped["yes"], dtype=bool))


class LabelTask(Task[LogOdds, Labels]):
    """The logits are the log odds of a yes, (n,)."""

    name = "label"
    predictions = Labels

    def loss(self, outputs: Outputs, targets: Targets, hyper: Hyperparameters) -> Tensor:
        """Cross entropy with label smoothing."""
        losses = F.cross_entropy(
            outputs["label"].float(), targets.label, label_smoothing=hyper.label_smoothing, reduction="none"
        )
        return (losses * targets.weight).sum()

    def window_logits(
        self, outputs: Outputs, targets: Targets, batch: Batch, hyper: Hyperparameters
    ) -> dict[str, Tensor]:
        """Return 'log_odds', (batch,)."""
        logits = outputs["label"].double()
        return {"log_odds": logits[:, 1] - logits[:, 0]}

    def gather(self, rows: Mapping[str, NDArray[Any]], tokens: Tokens, windows: Index, index: Index) -> LogOdds:
        """Take the highest log odds of each example's windows."""
        best = np.full(int(tokens.pair.max()) + 1, -np.inf)
        np.maximum.at(best, tokens.pair[windows], rows["log_odds"])
        chosen: LogOdds = best[index]
        return chosen

    def select(self, logits: LogOdds, chosen: Index) -> LogOdds:
        """Return the log odds of some examples."""
        return logits[chosen]

    def fit_temperature(self, logits: LogOdds, examples: Examples, index: Index) -> float:
        """Fit by the negative log likelihood of the labels."""
        return fit_temperature(lambda t: negative_log_likelihood(expit(logits / t), examples.label[index]))

    def decide(self, logits: LogOdds, temperature: NDArray[np.float64], hyper: Hyperparameters) -> Labels:
        """Without a null policy the more probable label is the answer."""
        yes = expit(logits / temperature)
        return Labels(yes, apply_null_policy(hyper, yes, yes, 1 - yes, without_policy=yes > 0.5))

    def concatenate(self, all_logits: Sequence[LogOdds]) -> LogOdds:
        """Return the log odds of all."""
        return np.concatenate(all_logits)

    def from_log_odds(self, scored: Sequence[Sequence[tuple[Characters, float]]]) -> Labels:
        """Take each example's highest log odds."""
        yes = expit(np.array([max((odds for _, odds in parts), default=-np.inf) for parts in scored]))
        return Labels(yes, yes > 0.5)

    def score(self, predictions: Labels, examples: Examples, index: Index) -> dict[str, Any]:
        """Score as a binary classification."""
        criterion = [examples.criterion[i] for i in index]
        return score(predictions.probability, predictions.yes, examples.label[index], criterion)

    def reliability(
        self, predictions: Labels, examples: Examples, index: Index
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return the probability of what was decided, and whether it is the label."""
        confidence = np.where(predictions.yes, predictions.probability, 1 - predictions.probability)
        return confidence, predictions.yes == (examples.label[index] == 1)

    def sufficient_statistics(self, predictions: Labels, examples: Examples, index: Index) -> NDArray[np.float64]:
        """Return the example's cell of the confusion matrix, (n, 4), and its gap in its bin of confidence."""
        cell = 2 * examples.label[index] + predictions.yes
        return np.hstack([np.eye(4)[cell], calibration_gaps(*self.reliability(predictions, examples, index))])

    def score_from_statistics(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the mean F1 of both classes, and the ECE."""
        negative, false, missed, positive = sums[:, :4].T
        errors = false + missed
        f1 = [
            np.divide(2 * hit, 2 * hit + errors, out=np.zeros(len(hit)), where=2 * hit + errors > 0)
            for hit in (negative, positive)
        ]
        return np.stack([np.mean(f1, axis=0), ece_from_gaps(sums[:, 4:], sums[:, :4].sum(axis=1))], axis=1)
