"""The training loop: one model, one split, one seed."""

import logging
import math
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from lib.files.hashing import derive_seed
from lib.modeling.layers import checkpoint_gradients, encoders
from lib.tasks.base import Index
from lib.training import checkpoints
from lib.training.batches import training_batches
from lib.training.device import Device, peak_memory_mb
from lib.training.gradients import Gradients
from lib.training.lesson import Lesson, TrainingFailure
from lib.training.memory import MicroBatches, out_of_memory
from lib.training.optimizers import make_average, make_optimizer, make_scheduler
from lib.training.prediction import predict
from lib.training.utilisation import utilisation

Stopped = Literal["epochs", "patience", "collapsed", "pruned"]


@dataclass
class Outcome:
    """What a training gave. scores: on the stop part, at the best epoch. history: per epoch.

    augmented: how often each augmentation method changed an example.
    """

    scores: dict[str, Any] = field(default_factory=dict)
    best_epoch: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    stopped: Stopped = "epochs"
    augmented: dict[str, int] = field(default_factory=dict)
    performance: dict[str, float] = field(default_factory=dict)


@dataclass
class _Clock:
    """Seconds so far, and tokens that are no padding; of all starts of a training together.

    learning: of epochs without their evaluation; data: of these, spent on making batches.
    """

    total: float = 0.0
    learning: float = 0.0
    data: float = 0.0
    tokens: int = 0


_LOG = logging.getLogger(__name__)
_RECENT = 5
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
    checkpoint: Path | None = None,
    memory: MicroBatches | None = None,
    until: int | None = None,
) -> Outcome:
    """Fine-tune `model` in place with early stopping on F1-macro of the stop part.

    It stops after `patience` epochs without a better F1. While it gives every example the same answer (collapsed) it
    has twice as long: small encoders on small corpora leave that state late, with the loss falling from the start.
    on_epoch: called with (epoch, best F1 so far); True stops the training as pruned. keep_best: leave the model
    with the weights of its best epoch. checkpoint: written after each epoch; a training that finds it goes on from
    there. memory: what is known of the size of batches that fit. until: end after so many epochs of a schedule that
    is laid out for all; with an empty stop part nothing else ends the training, and nothing is scored.

    Raises TrainingFailure on a non-finite loss, or where a single window does not fit into memory.
    """
    last = until or epochs
    try:
        with utilisation(device) as used:
            training = _Training(model, lesson, device, epochs, last, seed, keep_best, memory or MicroBatches(None))
            if checkpoint is not None:
                training.resume(checkpoint, on_epoch)
            while training.outcome.stopped == "epochs" and len(training.outcome.history) < last:
                training.epoch()
                training.outcome.stopped = _verdict(training, epochs, patience, on_epoch)
                if checkpoint is not None:
                    training.save(checkpoint)
    except RuntimeError as error:
        if not out_of_memory(error):
            raise
        raise TrainingFailure("out of memory: the model and the optimizer's state do not fit") from error
    finally:
        if lesson.augmentation is not None:
            lesson.augmentation.close()
    training.finish()
    training.outcome.performance |= used
    return training.outcome


def replay(history: list[dict[str, float]], on_epoch: OnEpoch) -> Outcome | None:
    """Tell epochs of an earlier training again. Returns the outcome as it was then if they are pruned now."""
    for told in range(1, len(history) + 1):
        best = max(history[:told], key=lambda entry: entry["f1_macro"])
        if on_epoch(int(history[told - 1]["epoch"]), best["f1_macro"]):
            scores = {name: best[name] for name in ("f1_macro", "ece")}
            return Outcome(scores, int(best["epoch"]), history[:told], "pruned")
    return None


def _verdict(training: "_Training", epochs: int, patience: int, on_epoch: OnEpoch | None) -> Stopped:
    outcome = training.outcome
    epoch = len(outcome.history)
    if on_epoch is not None and on_epoch(epoch, outcome.scores["f1_macro"]):
        return "pruned"
    if training.collapsed >= 2 * patience and epoch < epochs:
        return "collapsed"
    if not training.collapsed and epoch - outcome.best_epoch >= patience and epoch < epochs:
        return "patience"
    return "epochs"


class _Training:
    """A model, its optimizer and all else that changes while it learns."""

    def __init__(
        self,
        model: nn.Module,
        lesson: Lesson,
        device: Device,
        epochs: int,
        last: int,
        seed: int,
        keep_best: bool,
        memory: MicroBatches,
    ) -> None:
        hyper = lesson.hyper
        self.model, self.lesson = model.to(device.torch), lesson
        self.device, self.seed, self.keep_best = device, seed, keep_best
        if hyper.gradient_checkpointing:
            for encoder in encoders(model).values():
                checkpoint_gradients(encoder)
        if device.compile:
            model.compile(dynamic=True)
        self.windows = lesson.features.windows(lesson.train)
        per_epoch = math.ceil(math.ceil(len(self.windows) / hyper.batch_size) / hyper.accumulation)
        self.gradients = Gradients(model, lesson, device, memory)
        self.optimizer = make_optimizer(model, hyper)
        self.last, self.planned, self.steps = last, per_epoch * epochs, 0
        self.scheduler = make_scheduler(self.optimizer, hyper, self.planned)
        self.average = make_average(model, hyper)
        self.outcome, self.clock = Outcome(), _Clock()
        self.best: dict[str, Tensor] = {}
        self.collapsed = 0
        # Seconds of data to seconds of steps, a moving average over epochs.
        self.ratio = 0.0
        self._started = time.perf_counter()

    @property
    def judged(self) -> nn.Module:
        """The model that is evaluated: the average of the weights where there is one."""
        return self.model if self.average is None else self.average.module

    def epoch(self) -> None:
        """Train one epoch and score it."""
        lesson, outcome = self.lesson, self.outcome
        epoch = len(outcome.history) + 1
        loss = self._learn(epoch)
        if not len(lesson.stop):
            outcome.history.append({"epoch": epoch, "loss": loss})
            outcome.best_epoch = epoch
            return
        reading = predict(self.judged, lesson, lesson.stop, self.device)
        answers = lesson.agent.answer(reading, lesson.examples, lesson.stop, lesson.hyper)
        scores = lesson.agent.scores(answers, lesson.examples, lesson.stop)
        outcome.history.append({"epoch": epoch, "loss": loss, "f1_macro": scores["f1_macro"], "ece": scores["ece"]})
        if not outcome.scores or scores["f1_macro"] > outcome.scores["f1_macro"]:
            outcome.scores, outcome.best_epoch = scores, epoch
            if self.keep_best:
                self.best = {name: value.clone() for name, value in self.judged.state_dict().items()}
        self.collapsed = self.collapsed + 1 if lesson.agent.collapsed(answers) else 0

    def finish(self) -> None:
        """Leave the model with the weights it is judged by, and say what the training cost."""
        if self.keep_best:
            self.model.load_state_dict(self.best)
        elif self.average is not None:
            self.model.load_state_dict(self.average.module.state_dict())
        clock = self.clock
        self.outcome.performance = {
            "seconds": round(clock.total + time.perf_counter() - self._started, 3),
            "tokens_per_second": round(clock.tokens / max(clock.learning, 1e-9), 1),
            "data_step_ratio": round(clock.data / max(clock.learning - clock.data, 1e-9), 5),
            "peak_memory_mb": peak_memory_mb(self.device),
        }

    def save(self, path: Path) -> None:
        """Write a checkpoint."""
        now = time.perf_counter()
        self.clock.total, self._started = self.clock.total + now - self._started, now
        state = {name: part.state_dict() for name, part in self._parts().items()}
        plain = {name: value for name, value in vars(self.outcome).items() if name != "performance"}
        state |= {"outcome": plain, "clock": vars(self.clock), "best": self.best, "collapsed": self.collapsed}
        state["steps"] = self.steps
        checkpoints.save(path, state)

    def resume(self, path: Path, on_epoch: OnEpoch | None) -> None:
        """Go on from a checkpoint, if there is a sound one, as far as `on_epoch` would have let it come."""
        if not path.exists():
            return
        if not checkpoints.sound(path):
            _LOG.warning("%s is damaged: this training begins anew", path)
            path.unlink()
            return
        self._restore(path)
        if on_epoch is not None and (pruned := replay(self.outcome.history, on_epoch)) is not None:
            self.outcome = pruned

    def _restore(self, path: Path) -> None:
        state = checkpoints.load(path, self.device.torch)
        for name, part in self._parts().items():
            part.load_state_dict(state[name])
        for name, value in state["outcome"].items():
            setattr(self.outcome, name, value)
        self.clock = _Clock(**state["clock"])
        self.best, self.collapsed, self.steps = state["best"], state["collapsed"], state["steps"]

    def _parts(self) -> dict[str, Any]:
        parts = {"model": self.model, "optimizer": self.optimizer, "scheduler": self.scheduler}
        return parts if self.average is None else {**parts, "average": self.average}

    def _learn(self, epoch: int) -> float:
        """Train one epoch. Returns the mean loss of a window; raises TrainingFailure if it is not finite."""
        self.model.train()
        hyper, began = self.lesson.hyper, time.perf_counter()
        windows, lengths = self._material(epoch)
        rng = np.random.default_rng(derive_seed(self.seed, "batches", epoch))
        batches = training_batches(windows, lengths[windows], hyper.batch_size, rng)
        waited = time.perf_counter() - began
        total = torch.zeros((), device=self.device.torch)
        groups = [batches[start : start + hyper.accumulation] for start in range(0, len(batches), hyper.accumulation)]
        self.gradients.prepare(groups[0])
        for number, (group, following) in enumerate(zip(groups, [*groups[1:], None], strict=True)):
            seed = derive_seed(self.seed, "noise", epoch, number * hyper.accumulation)
            total += self.gradients.set(group, seed, following)
            nn.utils.clip_grad_norm_(self.gradients.weights.parameters, hyper.clip_norm)
            self.optimizer.step()
            self.optimizer.zero_grad(set_to_none=True)
            if self.steps < self.planned:  # windows of augmented texts may be more
                self.scheduler.step()
            self.steps += 1
            if self.average is not None:
                self.average.update_parameters(self.model)
        # One look at the loss an epoch: looking at every step would stall the device.
        mean = float(total) / len(windows)
        if not math.isfinite(mean):
            raise TrainingFailure("the loss is not finite")
        self.clock.learning += time.perf_counter() - began
        data, self.gradients.data_seconds = waited + self.gradients.data_seconds, 0.0
        self.clock.data += data
        taken = time.perf_counter() - began
        self.ratio += (data / max(taken - data, 1e-9) - self.ratio) / min(epoch, _RECENT)
        _LOG.info("epoch %d: loss %.4f, %.1f s", epoch, mean, taken)
        _LOG.info("epoch %d: perf/data_step_ratio %.4f (moving average)", epoch, self.ratio)
        self.clock.tokens += int(lengths[windows].sum())
        return mean

    def _material(self, epoch: int) -> tuple[Index, Index]:
        """Return the windows to learn in an epoch, and the lengths of all windows."""
        lesson = self.lesson
        if lesson.augmentation is None:
            return self.windows, lesson.features.lengths
        material = lesson.augmentation.material(epoch, last=epoch == self.last)
        self.gradients.features = material.features
        self.outcome.augmented = dict(Counter(self.outcome.augmented) + material.applied)
        return material.windows, material.features.lengths
