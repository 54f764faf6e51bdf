"""What every task provides. An agent is made of tasks; the engine and the search never ask which."""

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
Logits = TypeVar("Logits")


class TaskPredictions(ABC):
    """What a task decides about n examples."""

    @property
    @abstractmethod
    def yes_probability(self) -> NDArray[np.float64]:
        """The probability of a yes, (n,)."""

    @abstractmethod
    def to_logits(self, temperature: float) -> Any:
        """Return the logits that gave these predictions at this temperature."""

    @classmethod
    @abstractmethod
    def average(cls, members: Sequence[Self]) -> Self:
        """Average several models' predictions for the same examples; a yes is what is the more probable then."""

    @abstractmethod
    def dump(self) -> dict[str, Any]:
        """Return the predictions as JSON can hold them."""

    @classmethod
    @abstractmethod
    def load(cls, dumped: Mapping[str, Any]) -> Self:
        """Return what `dump` was called on."""


Predictions = TypeVar("Predictions", bound=TaskPredictions)


class Task(ABC, Generic[Logits, Predictions]):
    """One question to a model: how to learn it, read the answer, decide, and score.

    Logits are what the model's outputs say of n examples before anything is decided; Predictions are what is decided.
    """

    name: str
    predictions: type[Predictions]

    @abstractmethod
    def loss(self, outputs: Outputs, targets: Targets, hyper: Hyperparameters) -> Tensor:
        """Return the sum of the windows' weighted losses."""

    @abstractmethod
    def window_logits(
        self, outputs: Outputs, targets: Targets, batch: Batch, hyper: Hyperparameters
    ) -> dict[str, Tensor]:
        """Reduce a batch's outputs to small arrays, a row a window. `targets` only says what may be answered."""

    @abstractmethod
    def gather(self, rows: Mapping[str, NDArray[Any]], tokens: Tokens, windows: Index, index: Index) -> Logits:
        """Put the windows' rows together to the logits of the examples in `index`."""

    @abstractmethod
    def select(self, logits: Logits, chosen: Index) -> Logits:
        """Return the logits of some of the examples, by place."""

    @abstractmethod
    def fit_temperature(self, logits: Logits, examples: Examples, index: Index) -> float:
        """Fit a temperature to what is true of examples[index]."""

    @abstractmethod
    def decide(self, logits: Logits, temperature: NDArray[np.float64], hyper: Hyperparameters) -> Predictions:
        """Decide by the null policy. temperature: (n,)."""

    @abstractmethod
    def concatenate(self, all_logits: Sequence[Logits]) -> Logits:
        """Return all logits one after the other."""

    @abstractmethod
    def from_log_odds(self, scored: Sequence[Sequence[tuple[Characters, float]]]) -> Predictions:
        """Return answers from scored parts of each example's text (log odds); a yes is what is the more probable."""

    @abstractmethod
    def score(self, predictions: Predictions, examples: Examples, index: Index) -> dict[str, Any]:
        """Score answers for examples[index]; f1_macro, ece and per_criterion are always among the scores."""

    @abstractmethod
    def reliability(
        self, predictions: Predictions, examples: Examples, index: Index
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return the confidence of each answer, (n,), and whether it is right: what the ECE is of."""

    @abstractmethod
    def sufficient_statistics(
        self, predictions: Predictions, examples: Examples, index: Index
    ) -> NDArray[np.float64]:
        """Return what each example adds to the sums that F1-macro and ECE are computed from, (n, terms)."""

    @abstractmethod
    def score_from_statistics(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return F1-macro and ECE, (samples, 2), of sums of terms, (samples, terms): as `score` says for one sample.

        A sample may hold an example many times or not at all.
        """
