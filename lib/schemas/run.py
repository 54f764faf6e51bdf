"""What one training leaves: the run itself, and what a trial keeps of it."""

from typing import Any, ClassVar

from lib.schemas.document import Document
from lib.validation import FrozenModel


class Run(Document):
    """A finished training: scores on the part that stopped it, and on the held-out part of a fold."""

    KIND: ClassVar[str] = "run"

    agent: str
    key: str
    split: str
    params: dict[str, Any]
    epochs: int
    best_epoch: int
    stopped: str
    history: list[dict[str, float]]
    scores: dict[str, Any]
    held_out: dict[str, Any] | None = None
    examples: list[str] | None = None
    answers: dict[str, Any] | None = None
    temperatures: dict[str, float] | None = None
    augmented: dict[str, int]
    performance: dict[str, float]


class SeedResult(FrozenModel):
    """What one seed of a trial gave."""

    seed: int
    key: str
    f1_macro: float
    ece: float
    best_epoch: int
    epochs_run: int
    stopped: str
