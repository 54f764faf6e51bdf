"""What a training is about, and how it can fail."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lib.agents.base import Agent, Features
from lib.settings.hyperparameters import Hyperparameters
from lib.tasks.base import Index
from lib.tasks.examples import Examples

if TYPE_CHECKING:  # the bank needs packages that the engine does without
    from lib.training.augmentation import Augmentation


class TrainingFailure(Exception):
    """A training that cannot give a result, with the reason; the search goes on without it."""


@dataclass(frozen=True)
class Lesson:
    """What to train on and what to watch. features: on its device. train, stop: indices into the examples.

    augmentation: of the training part's texts, where the hyper-parameters ask for it.
    """

    agent: Agent
    examples: Examples
    features: Features
    hyper: Hyperparameters
    train: Index
    stop: Index
    augmentation: "Augmentation | None" = None
