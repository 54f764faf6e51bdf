"""The interface of tasks. An agent consists of tasks, and the engine and the search use only this interface."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Generic, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from lib.modeling.models import Outputs
from lib.modeling.tokens import Batch, Tokens
from lib.settings.hyperparameters import Hyperparameters
from lib.tasks.examples import Characters, Examples, Targets

Index = NDArray[np.int64]
LogitsT = TypeVar("LogitsT")


class TaskPredictions(ABC):
    """The decisions of a task about n examples, with probabilities."""

    @property
    @abstractmethod
    def yes_probability(self) -> NDArray[np.float64]:
        """The probability of a positive answer, (n,)."""

    @abstractmethod
    def to_logits(self, temperature: float) -> Any:
        """Return the logits that gave these predictions at this temperature."""

    @classmethod
    @abstractmethod
    def average(cls, members: Sequence[Self]) -> Self:
        """Average several models' probabilities for the same examples, and decide for the more probable answer."""

    @abstractmethod
    def dump(self) -> dict[str, Any]:
        """Return the predictions as values that JSON can hold."""

    @classmethod
    @abstractmethod
    def load(cls, dumped: Mapping[str, Any]) -> Self:
        """Return the predictions that `dump` was called on."""


PredictionsT = TypeVar("PredictionsT", bound=TaskPredictions)


class Task(ABC, Generic[LogitsT, PredictionsT]):
    """How to learn one kind of prediction, read it from a model's outputs, decide, and score.

    `LogitsT` are a task's reduced outputs for n examples before any decision. `PredictionsT` are the decisions.
    """

    name: str
    predictions: type[PredictionsT]

    @abstractmethod
    def loss(self, outputs: Outputs, targets: Targets, hyper: Hyperparameters) -> Tensor:
        """Return the sum of the windows' weighted losses.

        Args:
            outputs: The model's outputs for a batch.
            targets: The targets of the batch.
            hyper: The hyper-parameters.

        Returns:
            A scalar with gradient.
        """

    @abstractmethod
    def window_logits(
        self, outputs: Outputs, targets: Targets, batch: Batch, hyper: Hyperparameters
    ) -> dict[str, Tensor]:
        """Reduce a batch's outputs to small arrays with one row per window.

        Args:
            outputs: The model's outputs for the batch.
            targets: The targets of the batch. Only `allowed` and `cls` may be read, which do not depend on answers.
            batch: The batch.
            hyper: The hyper-parameters.

        Returns:
            Arrays by name, (batch, …) each.
        """

    @abstractmethod
    def gather(self, rows: Mapping[str, NDArray[Any]], tokens: Tokens, windows: Index, index: Index) -> LogitsT:
        """Combine the rows of windows into the logits of examples.

        Args:
            rows: Arrays by name, (n_windows, …) each, as `window_logits` returns them.
            tokens: All windows of all examples.
            windows: (n_windows,) the windows that the rows belong to.
            index: (n,) the examples.

        Returns:
            The logits of the n examples.
        """

    @abstractmethod
    def select(self, logits: LogitsT, chosen: Index) -> LogitsT:
        """Return the logits of some of n examples.

        Args:
            logits: The logits of n examples.
            chosen: (m,) places in 0…n-1.

        Returns:
            The logits of m examples.
        """

    @abstractmethod
    def fit_temperature(self, logits: LogitsT, examples: Examples, index: Index) -> float:
        """Fit the temperature that calibrates the logits to the true labels or answers.

        Args:
            logits: The logits of n examples.
            examples: All examples.
            index: (n,) the examples that the logits belong to.

        Returns:
            The temperature.
        """

    @abstractmethod
    def decide(self, logits: LogitsT, temperature: NDArray[np.float64], hyper: Hyperparameters) -> PredictionsT:
        """Decide by the null policy.

        Args:
            logits: The logits of n examples.
            temperature: (n,) the logits are divided by it.
            hyper: Gives the null policy.

        Returns:
            The predictions for the n examples.
        """

    @abstractmethod
    def concatenate(self, all_logits: Sequence[LogitsT]) -> LogitsT:
        """Concatenate logits, in their order."""

    @abstractmethod
    def from_log_odds(self, scored: Sequence[Sequence[tuple[Characters, float]]]) -> PredictionsT:
        """Return predictions from the log odds that parts of each example's text show the criterion.

        The more probable answer is predicted, without a null policy.

        Args:
            scored: For each example, the characters [start, end) of its parts and their log odds.
        """

    @abstractmethod
    def score(self, predictions: PredictionsT, examples: Examples, index: Index) -> dict[str, Any]:
        """Score the predictions.

        Args:
            predictions: The predictions for n examples.
            examples: All examples.
            index: (n,) the examples that the predictions belong to.

        Returns:
            Scores by name. `f1_macro`, `ece` and `per_criterion` are always among them.
        """

    @abstractmethod
    def reliability(
        self, predictions: PredictionsT, examples: Examples, index: Index
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return the confidences and outcomes that the ECE is computed from.

        Args:
            predictions: The predictions for n examples.
            examples: All examples.
            index: (n,) the examples that the predictions belong to.

        Returns:
            (n,) the confidence of each answer in [0, 1], and (n,) whether it is right.
        """

    @abstractmethod
    def sufficient_statistics(
        self, predictions: PredictionsT, examples: Examples, index: Index
    ) -> NDArray[np.float64]:
        """Return the statistics of each example, whose sums determine F1-macro and ECE.

        Args:
            predictions: The predictions for n examples.
            examples: All examples.
            index: (n,) the examples that the predictions belong to.

        Returns:
            (n, statistics).
        """

    @abstractmethod
    def score_from_statistics(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return F1-macro and ECE, as `score` computes them, of samples of examples.

        Args:
            sums: (samples, statistics) the statistics that `sufficient_statistics` returns, summed over the examples
                of each sample. A sample may hold an example many times or not at all.

        Returns:
            (samples, 2).
        """
