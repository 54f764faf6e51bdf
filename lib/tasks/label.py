"""Is the criterion met? A label for each pair; a post's is that of its most telling window."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit
from torch import Tensor
from torch.nn import functional as F

from lib.metrics.calibration import ece_of, gaps
from lib.metrics.classification import score
from lib.modeling.models import Outputs
from lib.modeling.tokens import Batch, Tokens
from lib.settings.hyperparameters import Hyperparameters
from lib.tasks.base import Index, Task
from lib.tasks.decision import fit_temperature, negative_log_likelihood, says_yes
from lib.tasks.examples import Characters, Examples, Targets

LogOdds = NDArray[np.float64]


@dataclass(frozen=True)
class Labels:
    """probability: (n,) that the criterion is met. yes: (n,) bool, the decisions."""

    probability: NDArray[np.float64]
    yes: NDArray[np.bool_]


class LabelTask(Task[LogOdds, Labels]):
    """A reading is the log odds of a yes, (n,)."""

    name = "label"

    def loss(self, outputs: Outputs, targets: Targets, hyper: Hyperparameters) -> Tensor:
        """Cross entropy with label smoothing."""
        losses = F.cross_entropy(
            outputs["label"].float(), targets.label, label_smoothing=hyper.label_smoothing, reduction="none"
        )
        return (losses * targets.weight).sum()

    def read(self, outputs: Outputs, targets: Targets, batch: Batch, hyper: Hyperparameters) -> dict[str, Tensor]:
        """Return 'log_odds', (batch,)."""
        logits = outputs["label"].double()
        return {"log_odds": logits[:, 1] - logits[:, 0]}

    def gather(self, rows: Mapping[str, NDArray[Any]], tokens: Tokens, windows: Index, index: Index) -> LogOdds:
        """Take the highest log odds of each example's windows."""
        best = np.full(int(tokens.pair.max()) + 1, -np.inf)
        np.maximum.at(best, tokens.pair[windows], rows["log_odds"])
        chosen: LogOdds = best[index]
        return chosen

    def select(self, reading: LogOdds, chosen: Index) -> LogOdds:
        """Return the log odds of some examples."""
        return reading[chosen]

    def fit_temperature(self, reading: LogOdds, examples: Examples, index: Index) -> float:
        """Fit by the negative log likelihood of the labels."""
        return fit_temperature(lambda t: negative_log_likelihood(expit(reading / t), examples.label[index]))

    def answer(self, reading: LogOdds, temperature: NDArray[np.float64], hyper: Hyperparameters) -> Labels:
        """Without a null policy the more probable label is the answer."""
        yes = expit(reading / temperature)
        return Labels(yes, says_yes(hyper, yes, yes, 1 - yes, without_policy=yes > 0.5))

    def undo(self, answers: Labels, temperature: float) -> LogOdds:
        """Return the log odds; probabilities that a float rounds to 0 or 1 count as its nearest neighbours."""
        tiny = np.finfo(np.float64).eps
        odds: LogOdds = temperature * logit(np.clip(answers.probability, tiny, 1 - tiny))
        return odds

    def joined(self, readings: Sequence[LogOdds]) -> LogOdds:
        """Return the log odds of all."""
        return np.concatenate(readings)

    def plain(self, scored: Sequence[Sequence[tuple[Characters, float]]]) -> Labels:
        """Take each example's highest log odds."""
        yes = expit(np.array([max((odds for _, odds in parts), default=-np.inf) for parts in scored]))
        return Labels(yes, yes > 0.5)

    def probability(self, answers: Labels) -> NDArray[np.float64]:
        """Return the probability that the criterion is met."""
        return answers.probability

    def score(self, answers: Labels, examples: Examples, index: Index) -> dict[str, Any]:
        """Score as a binary classification."""
        criterion = [examples.criterion[i] for i in index]
        return score(answers.probability, answers.yes, examples.label[index], criterion)

    def reliability(
        self, answers: Labels, examples: Examples, index: Index
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return the probability of what was decided, and whether it is the label."""
        confidence = np.where(answers.yes, answers.probability, 1 - answers.probability)
        return confidence, answers.yes == (examples.label[index] == 1)

    def terms(self, answers: Labels, examples: Examples, index: Index) -> NDArray[np.float64]:
        """Return the example's cell of the confusion matrix, (n, 4), and its gap in its bin of confidence."""
        cell = 2 * examples.label[index] + answers.yes
        return np.hstack([np.eye(4)[cell], gaps(*self.reliability(answers, examples, index))])

    def measure(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the mean F1 of both classes, and the ECE."""
        negative, false, missed, positive = sums[:, :4].T
        errors = false + missed
        f1 = [
            np.divide(2 * hit, 2 * hit + errors, out=np.zeros(len(hit)), where=2 * hit + errors > 0)
            for hit in (negative, positive)
        ]
        return np.stack([np.mean(f1, axis=0), ece_of(sums[:, 4:], sums[:, :4].sum(axis=1))], axis=1)

    def average(self, members: Sequence[Labels]) -> Labels:
        """Average the probabilities."""
        mean = np.mean([member.probability for member in members], axis=0)
        return Labels(mean, mean > 0.5)

    def dump(self, answers: Labels) -> dict[str, Any]:
        """Return lists."""
        return {"probability": answers.probability.tolist(), "yes": answers.yes.tolist()}

    def load(self, dumped: Mapping[str, Any]) -> Labels:
        """Return arrays."""
        return Labels(np.array(dumped["probability"], dtype=np.float64), np.array(dumped["yes"], dtype=bool))
