"""The training loop: one model, one split, one seed."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from lib.agents.base import Agent, Features, Reading
from lib.files.hashing import derive_seed
from lib.settings.hyperparameters import Hyperparameters
from lib.tasks.base import Index
from lib.tasks.examples import Examples, Targets
from lib.training.batches import evaluation_batches, training_batches
from lib.training.device import Device, peak_memory_mb
from lib.training.optimizers import make_optimizer, make_scheduler

Stopped = Literal["epochs", "patience", "collapsed", "pruned"]
_EVALUATION_TOKENS = 16_384


class TrainingFailure(Exception):
    """A training that cannot give a result, with the reason; the search goes on without it."""


@dataclass(frozen=True)
class Lesson:
    """What to train on and what to watch. train, stop: indices into the examples."""

    agent: Agent
    examples: Examples
    features: Features
    hyper: Hyperparameters
    train: Index
    stop: Index


@dataclass
class Outcome:
    """What a training gave. scores: on the stop part, at the best epoch. history: per epoch."""

    scores: dict[str, Any] = field(default_factory=dict)
    best_epoch: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    stopped: Stopped = "epochs"
    performance: dict[str, float] = field(default_factory=dict)


@dataclass
class _Clock:
    data: float = 0.0
    step: float = 0.0
    tokens: int = 0


OnEpoch = Callable[[int, float], bool]


def train(
    model: nn.Module,
    lesson: Lesson,
    device: Device,
    *,
    epochs: int,
    patience: int,
    seed: int,
    on_epoch: OnEpoch | None = None,
    keep_best: bool = False,
) -> Outcome:
    """Fine-tune `model` in place with early stopping on F1-macro of the stop part.

    It stops after `patience` epochs without a better F1. While it gives every example the same answer (collapsed) it
    has twice as long: small encoders on small corpora leave that state late, with the loss falling from the start.
    on_epoch: called with (epoch, best F1 so far); True stops the training as pruned. keep_best: leave the model
    with the weights of its best epoch. Raises TrainingFailure on a non-finite loss or lack of memory.
    """
    started = time.perf_counter()
    outcome, clock = Outcome(), _Clock()
    agent, hyper = lesson.agent, lesson.hyper
    model.to(device.torch)
    optimizer = make_optimizer(model, hyper)
    windows = lesson.features.windows(lesson.train)
    per_epoch = math.ceil(math.ceil(len(windows) / hyper.batch_size) / hyper.accumulation)
    scheduler = make_scheduler(optimizer, hyper, per_epoch * epochs)
    best: dict[str, Tensor] = {}
    collapsed = 0
    for epoch in range(1, epochs + 1):
        rng = np.random.default_rng(derive_seed(seed, "batches", epoch))
        loss = _epoch(model, lesson, windows, device, optimizer, scheduler, rng, clock)
        reading = predict(model, lesson, lesson.stop, device)
        answers = agent.answer(reading, lesson.examples, lesson.stop, hyper)
        scores = agent.scores(answers, lesson.examples, lesson.stop)
        outcome.history.append({"epoch": epoch, "loss": loss, "f1_macro": scores["f1_macro"], "ece": scores["ece"]})
        if not outcome.scores or scores["f1_macro"] > outcome.scores["f1_macro"]:
            outcome.scores, outcome.best_epoch = scores, epoch
            if keep_best:
                best = {name: value.clone() for name, value in model.state_dict().items()}
        collapsed = collapsed + 1 if agent.collapsed(answers) else 0
        if on_epoch is not None and on_epoch(epoch, outcome.scores["f1_macro"]):
            outcome.stopped = "pruned"
        elif collapsed >= 2 * patience and epoch < epochs:
            outcome.stopped = "collapsed"
        elif not collapsed and epoch - outcome.best_epoch >= patience and epoch < epochs:
            outcome.stopped = "patience"
        else:
            continue
        break
    if keep_best:
        model.load_state_dict(best)
    outcome.performance = {
        "seconds": round(time.perf_counter() - started, 3),
        "tokens_per_second": round(clock.tokens / max(clock.data + clock.step, 1e-9), 1),
        "data_step_ratio": round(clock.data / max(clock.step, 1e-9), 5),
        "peak_memory_mb": peak_memory_mb(device),
    }
    return outcome


@torch.inference_mode()
def predict(model: nn.Module, lesson: Lesson, index: Index, device: Device) -> Reading:
    """Return the reading of examples[index].

    Windows are reduced to a few rows batch by batch: memory does not grow with the length of a text.
    """
    model.eval()
    windows = lesson.features.windows(index)
    order, parts = [], []
    for positions in evaluation_batches(lesson.features.lengths[windows], _EVALUATION_TOKENS):
        inputs, targets, batch = lesson.features.batch(windows[positions], device.torch)
        with torch.autocast(device.torch.type, dtype=torch.bfloat16, enabled=device.bf16):
            outputs = model(*inputs)
        parts.append(lesson.agent.read(outputs, targets, batch, lesson.hyper))
        order.append(positions)
    back = np.argsort(np.concatenate(order), kind="stable")
    rows = {name: torch.cat([part[name] for part in parts]).cpu().numpy()[back] for name in parts[0]}
    return lesson.agent.gather(rows, lesson.features.tokens[0], windows, index)


def _epoch(
    model: nn.Module,
    lesson: Lesson,
    windows: Index,
    device: Device,
    optimizer: torch.optim.Optimizer,
    scheduler: torch.optim.lr_scheduler.LambdaLR,
    rng: np.random.Generator,
    clock: _Clock,
) -> float:
    """Train one epoch. Returns the mean loss of a window; raises TrainingFailure if it is not finite."""
    model.train()
    hyper, lengths = lesson.hyper, lesson.features.lengths
    batches = training_batches(windows, lengths[windows], hyper.batch_size, rng)
    total = torch.zeros((), device=device.torch)
    for start in range(0, len(batches), hyper.accumulation):
        group = batches[start : start + hyper.accumulation]
        size = sum(map(len, group))
        for chosen in group:
            begin = time.perf_counter()
            inputs, targets, _ = lesson.features.batch(chosen, device.torch)
            ready = time.perf_counter()
            total += _backward(model, lesson, inputs, targets, device, size)
            clock.data += ready - begin
            clock.step += time.perf_counter() - ready
            clock.tokens += int(lengths[chosen].sum())
        begin = time.perf_counter()
        nn.utils.clip_grad_norm_(model.parameters(), hyper.clip_norm)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        scheduler.step()
        clock.step += time.perf_counter() - begin
    # One look at the loss an epoch: looking at every step would stall the device.
    mean = float(total) / len(windows)
    if not math.isfinite(mean):
        raise TrainingFailure("the loss is not finite")
    return mean


def _backward(
    model: nn.Module, lesson: Lesson, inputs: list[dict[str, Tensor]], targets: Targets, device: Device, size: int
) -> Tensor:
    """Add one batch's gradient, as its share of an effective batch of `size` windows. Returns the summed loss."""
    try:
        with torch.autocast(device.torch.type, dtype=torch.bfloat16, enabled=device.bf16):
            outputs = model(*inputs)
        loss = lesson.agent.loss(outputs, targets, lesson.hyper)
        torch.autograd.backward(loss / size)
    except torch.OutOfMemoryError as error:
        windows, tokens = inputs[0]["input_ids"].shape
        raise TrainingFailure(f"out of memory: {windows} windows of {tokens} tokens do not fit") from error
    return loss.detach()
