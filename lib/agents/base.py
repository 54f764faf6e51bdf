"""What every agent provides; the engine and the search know agents only through this."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from lib.corpus.store import Development
from lib.settings.hyperparameters import Hyperparameters


@dataclass(frozen=True)
class Examples:
    """What an agent trains on, all of length n. `first` (the criterion) is never truncated, `second` may be."""

    first: list[str]
    second: list[str]
    label: NDArray[np.int64]
    criterion: list[str]
    post_id: list[str]
    row: list[int]

    def __len__(self) -> int:
        return len(self.first)


class Agent(ABC):
    """One task: examples, model, loss, decoding, scores."""

    name: str

    @abstractmethod
    def examples(self, development: Development) -> Examples:
        """Return the development set's examples in the corpus' order."""

    @abstractmethod
    def texts(self, development: Development) -> list[str]:
        """Return the distinct texts the agent reads beside the criteria, for statistics such as TF-IDF."""

    @abstractmethod
    def model(self, encoder: nn.Module, hyper: Hyperparameters, cls_token_id: int) -> nn.Module:
        """Put a head on an encoder; the head's weights come from torch's global generator."""

    @abstractmethod
    def loss(self, logits: Tensor, label: Tensor, hyper: Hyperparameters) -> Tensor:
        """Return the sum of the examples' losses. logits: (batch, classes), label: (batch,)."""

    @abstractmethod
    def decode(self, logits: Tensor) -> NDArray[np.float64]:
        """Turn logits into what `scores` takes."""

    @abstractmethod
    def scores(self, prediction: NDArray[np.float64], examples: Examples, index: NDArray[np.int64]) -> dict[str, Any]:
        """Score predictions for examples[index]; f1_macro and ece are always among the scores."""
