"""Models and training data from the experiment on the small corpus."""

import torch
from torch import nn

from lib.cli.main import main
from lib.devices.device import Device
from lib.experiment.experiment import Experiment
from lib.settings.hyperparameters import Hyperparameters
from lib.settings.load import save_settings
from lib.training.data import TrainingData
from support import tiny

CPU = Device(torch.device("cpu"), bf16=False)


def params(**more: object) -> dict[str, object]:
    """Return a point of the tiny space that learns quickly and has no dropout in the head."""
    return tiny.params(**{"optim.lr": 1e-3, "head.dropout": 0.0, "model.pooling": "mean"} | more)


def model_and_data(experiment: Experiment, hyper: Hyperparameters) -> tuple[nn.Module, TrainingData]:
    """Make a model and its training data on the first development split."""
    torch.manual_seed(0)
    model, features = experiment.builder.model(hyper)
    split = experiment.splits.development(0)
    return model, TrainingData(experiment.agent, experiment.examples, features, hyper, split.train, split.validation)


def fetch_tiny(architecture: str) -> str:
    """Make the tiny backbone of an architecture, select it in the settings, and return its name."""
    name = f"tiny-{architecture.removesuffix('-v2')}"
    save_settings(tiny.tiny_settings(constraints={"model.backbone": {"choices": [name]}}), "results/settings.json")
    assert main(["backbone", name]) == 0
    return name


def without_dropout(model: nn.Module) -> None:
    """Turn dropout off, so that two computations give comparable numbers."""
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        if hasattr(module, "dropout_prob"):  # the attention passes this to SDPA
            module.dropout_prob = 0.0


def flat(model: nn.Module) -> torch.Tensor:
    """Return all weights of a model in one vector."""
    return torch.cat([p.detach().flatten() for p in model.parameters()])
