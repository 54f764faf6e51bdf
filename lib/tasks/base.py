"""What every task provides. An agent is made of tasks; the engine and the search never ask which."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from lib.modeling.models import Outputs
from lib.modeling.tokens import Batch, Tokens
from lib.settings.hyperparameters import Hyperparameters
from lib.tasks.examples import Characters, Examples, Targets

Reading = TypeVar("Reading")
Answers = TypeVar("Answers")
Index = NDArray[np.int64]


class Task(ABC, Generic[Reading, Answers]):
    """One question to a model: how to learn it, read the answer, decide, and score.

    A Reading is what the model's outputs say of n examples before anything is decided; Answers is what is decided.
    """

    name: str

    @abstractmethod
    def loss(self, outputs: Outputs, targets: Targets, hyper: Hyperparameters) -> Tensor:
        """Return the sum of the windows' weighted losses."""

    @abstractmethod
    def read(self, outputs: Outputs, targets: Targets, batch: Batch, hyper: Hyperparameters) -> dict[str, Tensor]:
        """Reduce a batch's outputs to small arrays, a row a window. `targets` only says what may be answered."""

    @abstractmethod
    def gather(self, rows: Mapping[str, NDArray[Any]], tokens: Tokens, windows: Index, index: Index) -> Reading:
        """Put the windows' rows together to a reading of the examples in `index`."""

    @abstractmethod
    def select(self, reading: Reading, chosen: Index) -> Reading:
        """Return the reading of some of the examples, by place."""

    @abstractmethod
    def fit_temperature(self, reading: Reading, examples: Examples, index: Index) -> float:
        """Fit a temperature to what is true of examples[index]."""

    @abstractmethod
    def answer(self, reading: Reading, temperature: NDArray[np.float64], hyper: Hyperparameters) -> Answers:
        """Decide by the null policy. temperature: (n,)."""

    @abstractmethod
    def undo(self, answers: Answers, temperature: float) -> Reading:
        """Return the reading that gave these answers at this temperature."""

    @abstractmethod
    def joined(self, readings: Sequence[Reading]) -> Reading:
        """Return the readings one after the other."""

    @abstractmethod
    def plain(self, scored: Sequence[Sequence[tuple[Characters, float]]]) -> Answers:
        """Return answers from scored parts of each example's text (log odds); a yes is what is the more probable."""

    @abstractmethod
    def probability(self, answers: Answers) -> NDArray[np.float64]:
        """Return the probability of a yes, (n,)."""

    @abstractmethod
    def score(self, answers: Answers, examples: Examples, index: Index) -> dict[str, Any]:
        """Score answers for examples[index]; f1_macro, ece and per_criterion are always among the scores."""

    @abstractmethod
    def reliability(
        self, answers: Answers, examples: Examples, index: Index
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return the confidence of each answer, (n,), and whether it is right: what the ECE is of."""

    @abstractmethod
    def terms(self, answers: Answers, examples: Examples, index: Index) -> NDArray[np.float64]:
        """Return what each example adds to the sums that F1-macro and ECE are computed from, (n, terms)."""

    @abstractmethod
    def measure(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return F1-macro and ECE, (samples, 2), of sums of terms, (samples, terms): as `score` says for one sample.

        A sample may hold an example many times or not at all.
        """

    @abstractmethod
    def average(self, members: Sequence[Answers]) -> Answers:
        """Average several models' answers for the same examples; a yes is what is the more probable then."""

    @abstractmethod
    def dump(self, answers: Answers) -> dict[str, Any]:
        """Return answers as JSON can hold them."""

    @abstractmethod
    def load(self, dumped: Mapping[str, Any]) -> Answers:
        """Return what `dump` was given."""
