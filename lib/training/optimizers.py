"""Optimizers, learning-rate schedules and the average of weights."""

import logging
import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from lib.errors import UserError
from lib.modeling.layers import named_encoders, parameter_depths
from lib.settings.hyperparameters import Hyperparameters, Optimizer, Schedule

_RESTARTS, _POWER = 3, 2.0


def _class(name: Optimizer) -> tuple[type[torch.optim.Optimizer], dict[str, Any]]:
    """Return the optimizer's class and the options that make it fast. Packages are imported when they are asked for.

    Adam's weight decay is L2 regularisation of the gradient, all others' is decoupled (Loshchilov & Hutter, 2019).
    Adafactor (Shazeer & Stern, 2018) and LAMB (You et al., 2020) scale each tensor's step by the size of its weights.
    Lion: Chen et al., 2023; 8-bit AdamW: Dettmers et al., 2022.
    """
    if name == "adamw":
        return torch.optim.AdamW, {"fused": True}
    if name == "adam":
        return torch.optim.Adam, {"fused": True}
    if name == "adafactor":
        return torch.optim.Adafactor, {"foreach": True}
    if name == "lion":
        from lion_pytorch.foreach import Lion

        return Lion, {}
    if name == "lamb":
        from pytorch_optimizer import Lamb

        return Lamb, {"foreach": True}
    # It says at every import that 4-bit products would need another package; there are none here.
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    from bitsandbytes.optim import AdamW8bit

    return AdamW8bit, {}


def check_optimizers(names: Sequence[Optimizer]) -> None:
    """Raise UserError for optimizers whose packages cannot be used on this machine."""
    problems = []
    for name in names:
        try:
            _class(name)
        except (ImportError, OSError, RuntimeError) as error:
            reason = str(error).splitlines()[0]
            problems.append(
                f"optimizer '{name}' cannot be used here ({reason}); install its package as envs/constraints.txt"
                " pins it, or leave it out under 'constraints: optim.name'"
            )
    if problems:
        raise UserError(problems)


def make_optimizer(model: nn.Module, hyper: Hyperparameters) -> torch.optim.Optimizer:
    """Build the optimizer. Norms and biases do not decay.

    The head learns `head_lr_factor` times faster than the encoder's highest layer, each lower layer `layer_decay`
    times as fast as the one above it (Howard & Ruder, 2018).
    """
    groups: dict[tuple[float, bool], list[nn.Parameter]] = {}
    for parameter, factor in _factors(model, hyper):
        groups.setdefault((factor, parameter.ndim > 1), []).append(parameter)
    options = [
        {"params": members, "lr": hyper.lr * factor, "weight_decay": hyper.weight_decay if matrix else 0.0}
        for (factor, matrix), members in groups.items()
    ]
    kind, fast = _class(hyper.optimizer)
    return kind(options, lr=hyper.lr, **fast)  # type: ignore[call-arg]


def _factors(model: nn.Module, hyper: Hyperparameters) -> Iterator[tuple[nn.Parameter, float]]:
    """Yield the parameters that learn and their factors on the learning rate."""
    known = named_encoders(model)
    for name, child in model.named_children():
        depth, top = parameter_depths(child) if name in known else ({}, 0)
        for path, parameter in child.named_parameters():
            if parameter.requires_grad:
                yield parameter, hyper.layer_decay ** (top - depth[path]) if depth else hyper.head_lr_factor


def schedule_factor(schedule: Schedule, step: int, steps: int, warmup: float) -> float:
    """Return the factor on the learning rate at a step in 0…steps: a linear warm-up, then a decay to 0.

    cosine_with_restarts falls from 1 to 0 three times (Loshchilov & Hutter, 2017), polynomial with the square.
    """
    warm = round(warmup * steps)
    if step < warm:
        return (step + 1) / (warm + 1)
    progress = (step - warm) / max(1, steps - warm)
    if schedule == "linear":
        return 1 - progress
    if schedule == "polynomial":
        return float((1 - progress) ** _POWER)
    if schedule == "cosine_with_restarts" and progress < 1:
        progress = (progress * _RESTARTS) % 1
    return 0.5 * (1 + math.cos(math.pi * progress))


def make_scheduler(optimizer: torch.optim.Optimizer, hyper: Hyperparameters, steps: int) -> LRScheduler:
    """Build the schedule over `steps` optimizer steps.

    one_cycle (Smith & Topin, 2018) has its own warm-up, of 30 % of the steps, and moves momentum against the rate.
    """
    if hyper.schedule == "one_cycle":
        return OneCycleLR(
            optimizer,
            [group["lr"] for group in optimizer.param_groups],
            total_steps=max(2, steps),
            cycle_momentum="betas" in optimizer.defaults,
        )
    return LambdaLR(optimizer, lambda step: schedule_factor(hyper.schedule, step, steps, hyper.warmup))


def make_ema(model: nn.Module, hyper: Hyperparameters) -> AveragedModel | None:
    """Return the exponential moving average of the weights, if one is asked for: updated after each step.

    Its first update copies the weights (Polyak & Juditsky, 1992; Izmailov et al., 2018).
    """
    if hyper.ema_decay == 0:
        return None
    return AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(hyper.ema_decay))  # type: ignore[no-untyped-call]
