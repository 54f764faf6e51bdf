"""The data of one training, and the error of a training without a result."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lib.agents.agent import Agent, Features
from lib.settings.hyperparameters import Hyperparameters
from lib.tasks.examples import Examples
from lib.tasks.task import Index

if TYPE_CHECKING:  # the bank needs packages that the engine does without
    from lib.training.epoch_data import EpochAugmentation


class TrainingFailure(Exception):
    """A training that cannot give a result, with the reason; the search goes on without it."""


@dataclass(frozen=True)
class TrainingData:
    """What to train on, and what to validate on.

    features: of all examples, on the device. train, validation: indices into the examples. augmentation: of the
    training part's texts, where the hyper-parameters ask for it.
    """

    agent: Agent
    examples: Examples
    features: Features
    hyper: Hyperparameters
    train: Index
    validation: Index
    augmentation: "EpochAugmentation | None" = None
