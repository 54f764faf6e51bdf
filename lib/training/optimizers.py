"""Optimizers, learning-rate schedules and the moving average of weights."""

import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR
from torch.optim.swa_utils import AveragedModel

from lib.errors import UserError
from lib.modeling.layers import named_encoders, parameter_depths
from lib.settings.hyperparameters import Hyperparameters, Optimizer, Schedule

_RESTARTS, _POWER = 3, 2.0
_ONE_CYCLE_WARMUP = 0.3


@dataclass(frozen=True)
class OptimizerScale:
    """Factors of an optimizer on hyper-parameters that are given on AdamW's scale (config/optimizers.yaml).

    Attributes:
        rate: Factor on the learning rate.
        decay: Factor on the weight decay.
    """

    rate: float = 1.0
    decay: float = 1.0


def _optimizer_class(name: Optimizer) -> tuple[type[torch.optim.Optimizer], dict[str, Any]]:
    """Return an optimizer's class and the options that make it fast. Its package is imported only here.

    Adam adds weight decay to the gradient (L2 regularisation). All others decouple it (Loshchilov & Hutter, 2019).
    Adafactor (Shazeer & Stern, 2018) and LAMB (You et al., 2020) scale the step of each tensor by the size of its
    weights. Lion is by Chen et al. (2023), and 8-bit AdamW by Dettmers et al. (2022).
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
    # bitsandbytes warns at every import that 4-bit products need another package; none are used here.
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    from bitsandbytes.optim import AdamW8bit

    return AdamW8bit, {}


def check_optimizers(names: Sequence[Optimizer]) -> None:
    """Raise UserError if the package of an optimizer cannot be used on this machine; all such are listed.

    Args:
        names: The optimizers to check.

    Raises:
        UserError: An optimizer cannot be used. There is a line for each such optimizer.
    """
    problems = []
    for name in names:
        try:
            _optimizer_class(name)
        except (ImportError, OSError, RuntimeError) as error:
            reason = str(error).splitlines()[0]
            problems.append(
                f"optimizer '{name}' cannot be used here ({reason}); install its package as envs/constraints.txt"
                " pins it, or leave it out under 'constraints: optim.name'"
            )
    if problems:
        raise UserError(problems)


def make_optimizer(
    model: nn.Module, hyper: Hyperparameters, scale: OptimizerScale | None = None
) -> torch.optim.Optimizer:
    """Build the optimizer, with one learning rate per layer (Howard & Ruder, 2018).

    The highest layer of an encoder has the learning rate `lr`. Each lower layer has `layer_decay` times the rate of
    the layer above it, and everything outside of the encoders has `head_lr_factor` times `lr`. Weight decay applies
    to matrices only, not to norms and biases. Some biases have two dimensions, such as XLNet's `r_w_bias`. With Adam
    it does not apply to embeddings: most rows have no gradient in most steps, and Adam would divide their L2 term by
    its own root mean square, so that each such step moves a weight by the whole rate.

    Args:
        model: Its trainable parameters are optimized.
        hyper: Gives the optimizer, the rates and the weight decay.
        scale: The optimizer's factors; None for those of AdamW, which are 1.

    Returns:
        The optimizer.
    """
    scale = scale or OptimizerScale()
    rate, decay = hyper.lr * scale.rate, hyper.weight_decay * scale.decay
    spared = {module.weight for module in model.modules() if isinstance(module, nn.Embedding)}
    spared = spared if hyper.optimizer == "adam" else set()
    groups: dict[tuple[float, bool], list[nn.Parameter]] = {}
    for path, parameter, factor in _learning_rate_factors(model, hyper):
        decays = parameter.ndim > 1 and not path.endswith("bias") and parameter not in spared
        groups.setdefault((factor, decays), []).append(parameter)
    options = [
        {"params": members, "lr": rate * factor, "weight_decay": decay if decays else 0.0}
        for (factor, decays), members in groups.items()
    ]
    kind, fast = _optimizer_class(hyper.optimizer)
    return kind(options, lr=rate, **fast)  # type: ignore[call-arg]


def _learning_rate_factors(model: nn.Module, hyper: Hyperparameters) -> Iterator[tuple[str, nn.Parameter, float]]:
    """Yield the path of each trainable parameter, the parameter, and the factor on its learning rate."""
    known = named_encoders(model)
    for name, child in model.named_children():
        depth, top = parameter_depths(child) if name in known else ({}, 0)
        for path, parameter in child.named_parameters():
            if parameter.requires_grad:
                yield path, parameter, hyper.layer_decay ** (top - depth[path]) if depth else hyper.head_lr_factor


def schedule_factor(schedule: Schedule, step: int, steps: int, warmup: float) -> float:
    """Return the factor on the learning rate at a step, which rises linearly in the warm-up and then decays to 0.

    `cosine_with_restarts` falls from 1 to 0 three times (Loshchilov & Hutter, 2017). `polynomial` decays as the
    square of the remaining share of steps.

    Args:
        schedule: The kind of decay; `one_cycle` is built by `make_scheduler`.
        step: The optimizer step, in 0…steps.
        steps: The number of steps of the schedule.
        warmup: The share of steps with a rising rate, in [0, 1).

    Returns:
        The factor in [0, 1].
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


def warmup_share(hyper: Hyperparameters) -> float:
    """Return the share of steps in which the learning rate rises."""
    return _ONE_CYCLE_WARMUP if hyper.schedule == "one_cycle" else hyper.warmup


def make_scheduler(optimizer: torch.optim.Optimizer, hyper: Hyperparameters, steps: int) -> LRScheduler:
    """Build the learning-rate schedule.

    `one_cycle` (Smith & Topin, 2018) has its own warm-up over 30 % of the steps. It lowers momentum while the rate
    rises and raises it while the rate falls, for optimizers that have betas.

    Args:
        optimizer: The optimizer.
        hyper: Gives the schedule and the warm-up.
        steps: The number of optimizer steps.

    Returns:
        The scheduler, to be stepped after each optimizer step.
    """
    if hyper.schedule == "one_cycle":
        return OneCycleLR(
            optimizer,
            [group["lr"] for group in optimizer.param_groups],
            total_steps=max(2, steps),
            pct_start=_ONE_CYCLE_WARMUP,
            cycle_momentum="betas" in optimizer.defaults,
        )
    return LambdaLR(optimizer, lambda step: schedule_factor(hyper.schedule, step, steps, hyper.warmup))


def make_ema(model: nn.Module, hyper: Hyperparameters) -> AveragedModel | None:
    """Build the exponential moving average of the weights (Polyak & Juditsky, 1992; Izmailov et al., 2018).

    After n updates the decay is at most (1 + n) / (10 + n), as in TensorFlow's ExponentialMovingAverage. With a
    constant decay the initial weights would make up most of the average of a short training.

    Args:
        model: The model, on its device.
        hyper: Gives the decay per step.

    Returns:
        The average, to be updated after each step; its first update copies the weights. None if the decay is 0.
    """
    if hyper.ema_decay == 0:
        return None
    return AveragedModel(model, multi_avg_fn=partial(_update_average, hyper.ema_decay))


@torch.no_grad()
def _update_average(
    decay: float, average: Sequence[Tensor], current: Sequence[Tensor], updates: Tensor | int
) -> None:
    n = torch.as_tensor(updates)
    # A scalar would have to be read from a GPU at every step.
    share = 1 - ((1 + n) / (10 + n)).clamp(max=decay)
    difference = torch._foreach_sub(list(current), list(average))
    torch._foreach_mul_(difference, share)
    torch._foreach_add_(list(average), difference)
