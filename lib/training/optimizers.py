"""Optimizers and learning-rate schedules."""

import math

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from lib.settings.hyperparameters import Hyperparameters, Optimizer, Schedule

_CLASSES: dict[Optimizer, type[torch.optim.AdamW] | type[torch.optim.Adam]] = {
    "adamw": torch.optim.AdamW,
    "adam": torch.optim.Adam,
}


def make_optimizer(model: nn.Module, hyper: Hyperparameters) -> torch.optim.Optimizer:
    """Build the optimizer: the head learns `head_lr_factor` times faster, norms and biases do not decay.

    Adam's weight decay is L2 regularisation of the gradient, AdamW's is decoupled (Loshchilov & Hutter, 2019).
    """
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            key = (name.partition(".")[0].endswith("encoder"), parameter.ndim > 1)
            groups.setdefault(key, []).append(parameter)
    options = [
        {
            "params": parameters,
            "lr": hyper.lr if encoder else hyper.lr * hyper.head_lr_factor,
            "weight_decay": hyper.weight_decay if matrix else 0.0,
        }
        for (encoder, matrix), parameters in groups.items()
    ]
    return _CLASSES[hyper.optimizer](options, lr=hyper.lr, fused=True)


def rate(schedule: Schedule, step: int, steps: int, warmup: float) -> float:
    """Return the factor on the learning rate at a step in 0…steps: a linear warm-up, then a decay to 0."""
    warm = round(warmup * steps)
    if step < warm:
        return (step + 1) / (warm + 1)
    progress = (step - warm) / max(1, steps - warm)
    return 1 - progress if schedule == "linear" else 0.5 * (1 + math.cos(math.pi * progress))


def make_scheduler(optimizer: torch.optim.Optimizer, hyper: Hyperparameters, steps: int) -> LambdaLR:
    """Build the schedule over `steps` optimizer steps."""
    return LambdaLR(optimizer, lambda step: rate(hyper.schedule, step, steps, hyper.warmup))
