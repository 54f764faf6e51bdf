"""The data of one training, and the exception for a training that gives no result."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lib.agents.agent import Agent, Features
from lib.errors import UserError
from lib.metrics.objective import Objective
from lib.settings.hyperparameters import Hyperparameters, NullPolicy
from lib.tasks.examples import Examples, WeightedSample
from lib.tasks.task import Index

if TYPE_CHECKING:  # augmentation needs packages that the engine does not
    from lib.training.epoch_data import EpochAugmentation


class TrainingFailure(UserError):
    """A training that cannot give a result, with the reason as message; the search continues with other trials."""


class DoesNotFitError(TrainingFailure):
    """A training that does not fit into memory, which may be because something else uses it."""


@dataclass(frozen=True)
class TrainingData:
    """The examples to train on and to validate on.

    Attributes:
        agent: The agent whose model is trained.
        examples: All examples.
        features: The features of all examples, on the device.
        hyper: The hyper-parameters.
        train: (n_train,) indices of the examples of the training part. Each epoch trains on the annotated
            and the positive ones, and on a draw of the others.
        validation: The examples to validate on; they may be none.
        objective: Chooses the best epoch.
        augmentation: Augments the annotated training examples of each epoch; None without augmentation.
        policies: The null policies that are tried; the best one of each epoch counts.
    """

    agent: Agent
    examples: Examples
    features: Features
    hyper: Hyperparameters
    train: Index
    validation: WeightedSample
    objective: Objective = field(default_factory=Objective)
    augmentation: "EpochAugmentation | None" = None
    policies: tuple[NullPolicy, ...] = ("threshold",)
