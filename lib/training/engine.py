"""The training loop for one model, one split and one seed."""

import logging
import math
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from lib.agents.agent import Logits
from lib.devices.device import Device, peak_memory_mb
from lib.devices.utilisation import measure_utilisation
from lib.files.hashing import derive_seed
from lib.modeling.layers import checkpoint_gradients, named_encoders
from lib.settings.hyperparameters import NullPolicy
from lib.tasks.task import Index
from lib.training import checkpoints
from lib.training.batches import training_batches
from lib.training.data import DoesNotFitError, TrainingData, TrainingFailure
from lib.training.epoch_sampler import EpochSampler
from lib.training.gradients import Gradients
from lib.training.inference import predict_logits
from lib.training.memory import MicroBatches, out_of_memory
from lib.training.optimizers import OptimizerScale, make_ema, make_optimizer, make_scheduler, warmup_share

Stopped = Literal["epochs", "patience", "collapsed", "pruned"]
OnEpoch = Callable[[int, float], bool]


@dataclass
class TrainingResult:
    """The result of a training.

    Attributes:
        scores: Of the validation part at the best epoch; None without a validation part.
        rules: The decision rules of the best epoch, fitted on the validation part, as dumps.
        policy: The best null policy of the best epoch; empty without a validation part.
        best_epoch: The epoch with the highest objective, counted from 1.
        history: `epoch`, `loss`, `objective` and `calibration_error` of each epoch, and the last two `by_policy`;
            without a validation part only the first two.
        stopped: Why the training ended: after all epochs, by lack of patience, collapsed or pruned.
        augmented: How often each augmentation method changed an example.
        performance: Seconds, tokens per second, memory and utilisation.
    """

    scores: dict[str, Any] = field(default_factory=dict)
    rules: dict[str, dict[str, Any]] = field(default_factory=dict)
    policy: NullPolicy | None = None
    best_epoch: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)
    stopped: Stopped = "epochs"
    augmented: dict[str, int] = field(default_factory=dict)
    performance: dict[str, float] = field(default_factory=dict)


@dataclass
class _Clock:
    """Seconds and non-padding tokens, summed over resumes.

    Attributes:
        total: Seconds of the training.
        learning: Seconds of its epochs without their evaluation.
        data: Seconds of `learning` that were spent on waiting for batches or making them.
        scoring: Seconds of the evaluation of epochs.
        tokens: Non-padding tokens of all steps.
    """

    total: float = 0.0
    learning: float = 0.0
    data: float = 0.0
    scoring: float = 0.0
    tokens: int = 0


_LOG = logging.getLogger(__name__)
# The moving average of the data/step ratio covers about this number of epochs.
_RECENT = 5


@dataclass(frozen=True)
class TrainingOptions:
    """How long to train, and what to do after each epoch.

    Attributes:
        epochs: The length of the learning-rate schedule, and the greatest number of epochs.
        patience: The training stops after this number of epochs without a better objective; epochs of the warm-up,
            in which the learning rate rises, do not count.
        on_epoch: Called after each epoch with its number and the best objective so far. True stops the training as
            pruned.
        keep_best: Whether the model gets the weights of its best epoch at the end.
        checkpoint: File that is written after each epoch. If it exists at the start, the training is resumed.
        stop_after: The training ends after this epoch, although the schedule is longer. With an empty validation part
            nothing is scored and nothing else ends the training.
        scale: The optimizer's factors on rate and decay; None for 1.
    """

    epochs: int
    patience: int
    on_epoch: OnEpoch | None = None
    keep_best: bool = False
    checkpoint: Path | None = None
    stop_after: int | None = None
    scale: OptimizerScale | None = None

    @property
    def last_epoch(self) -> int:
        """The last epoch, unless the training stops before."""
        return self.stop_after or self.epochs


def train(
    model: nn.Module,
    training_data: TrainingData,
    device: Device,
    options: TrainingOptions,
    *,
    seed: int,
    memory: MicroBatches | None = None,
) -> TrainingResult:
    """Fine-tune a model in place with early stopping on the objective of the validation part.

    The training stops after `patience` epochs without a better objective. A collapsed model, which predicts the same
    for every example, gets twice as many epochs. Small encoders on small corpora leave that state late, although
    their loss falls from the start.

    Args:
        model: The model; it is moved to the device.
        training_data: The examples to train on and to validate on.
        device: The device and precision.
        options: How long to train, and what to do after each epoch.
        seed: Seed of the order of batches and of dropout on a CPU. On a GPU dropout uses torch's global generator.
        memory: The batch sizes that fit; by default they are found again.

    Returns:
        Scores, history and performance.

    Raises:
        TrainingFailure: The loss is not finite, or the model or a single window does not fit into memory.
    """
    try:
        with measure_utilisation(device) as used:
            training = _Training(model, training_data, device, options, seed, memory or MicroBatches(None))
            training.resume()
            while training.result.stopped == "epochs" and len(training.result.history) < options.last_epoch:
                training.epoch()
                training.result.stopped = _stop_reason(training, options)
                training.save()
    except RuntimeError as error:
        if not out_of_memory(error):
            raise
        raise DoesNotFitError("out of memory: the model and the optimizer's state do not fit") from error
    finally:
        if training_data.augmentation is not None:
            training_data.augmentation.close()
    training.finish()
    training.result.performance |= used
    return training.result


def replay_history(history: list[dict[str, Any]], on_epoch: OnEpoch) -> TrainingResult | None:
    """Report the epochs of an earlier training again, since it may be pruned now.

    Args:
        history: The entry of each epoch, as in `TrainingResult`.
        on_epoch: As in `TrainingOptions`.

    Returns:
        The result up to the epoch at which it is pruned, or None if it is not.
    """
    for epochs in range(1, len(history) + 1):
        best = max(history[:epochs], key=lambda entry: entry["objective"])
        if on_epoch(int(history[epochs - 1]["epoch"]), best["objective"]):
            scores = {name: best[name] for name in ("objective", "calibration_error")}
            policy = max(best["by_policy"], key=lambda name: best["by_policy"][name]["objective"])
            result = TrainingResult(scores, policy=policy, best_epoch=int(best["epoch"]), stopped="pruned")
            result.history = history[:epochs]
            return result
    return None


def _stop_reason(training: "_Training", options: TrainingOptions) -> Stopped:
    result, patience = training.result, options.patience
    epoch = len(result.history)
    if options.on_epoch is not None and options.on_epoch(epoch, result.scores["objective"]):
        return "pruned"
    if epoch >= options.last_epoch or epoch <= training.warmup_epochs:
        return "epochs"
    if training.collapsed:
        return "collapsed" if min(training.collapsed, epoch - training.warmup_epochs) >= 2 * patience else "epochs"
    return "patience" if epoch - max(result.best_epoch, training.warmup_epochs) >= patience else "epochs"


def _figures(scores: Mapping[str, Any]) -> dict[str, float]:
    return {name: scores[name] for name in ("objective", "calibration_error")}


class _Training:
    """A model, its optimizer and everything else that changes during a training."""

    def __init__(
        self,
        model: nn.Module,
        training_data: TrainingData,
        device: Device,
        options: TrainingOptions,
        seed: int,
        memory: MicroBatches,
    ) -> None:
        hyper = training_data.hyper
        self.model, self.training_data = model.to(device.torch), training_data
        self.device, self.options, self.seed = device, options, seed
        if hyper.gradient_checkpointing:
            for encoder in named_encoders(model).values():
                checkpoint_gradients(encoder)
        if device.compile:
            model.compile(dynamic=True)
        self.sampler = EpochSampler.of(training_data.examples, training_data.train, hyper.unannotated, seed)
        self.gradients = Gradients(model, training_data, device, memory)
        self.optimizer = make_optimizer(model, hyper, options.scale)
        self.planned, self.steps = sum(self._steps(epoch + 1) for epoch in range(options.epochs)), 0
        self.scheduler = make_scheduler(self.optimizer, hyper, self.planned)
        self.warmup_epochs = math.ceil(warmup_share(hyper) * options.epochs)
        self.average = make_ema(model, hyper)
        self.result, self.clock = TrainingResult(), _Clock()
        self.best: dict[str, Tensor] = {}
        self.collapsed = 0
        # Seconds for data divided by seconds for steps, as a moving average over epochs.
        self.ratio = 0.0
        self._started = time.perf_counter()

    @property
    def evaluated(self) -> nn.Module:
        """The model that is evaluated, which is the moving average of the weights if there is one."""
        return self.model if self.average is None else self.average.module

    def _steps(self, epoch: int) -> int:
        """Return the number of optimizer steps of an epoch without augmentation."""
        hyper = self.training_data.hyper
        windows = len(self.training_data.features.windows(self.sampler.epoch(epoch)))
        return math.ceil(math.ceil(windows / hyper.batch_size) / hyper.accumulation)

    def epoch(self) -> None:
        """Train one epoch and score it."""
        training_data, result = self.training_data, self.result
        epoch = len(result.history) + 1
        loss = self._learn(epoch)
        if not len(training_data.validation):
            result.history.append({"epoch": epoch, "loss": loss})
            result.best_epoch = epoch
            return
        began = time.perf_counter()
        agent, examples, hyper = training_data.agent, training_data.examples, training_data.hyper
        sample = training_data.validation
        logits = predict_logits(self.evaluated, agent, training_data.features, sample.index, hyper, self.device)
        tried = self._scores_by_policy(logits)
        policy = max(tried, key=lambda name: tried[name]["objective"])
        scores, figures = tried[policy], {name: _figures(each) for name, each in tried.items()}
        result.history.append({"epoch": epoch, "loss": loss, **figures[policy], "by_policy": figures})
        if not result.scores or scores["objective"] > result.scores["objective"]:
            result.scores, result.best_epoch, result.policy = scores, epoch, policy
            names = sorted(set(examples.criterion))
            chosen = replace(hyper, null_policy=policy)
            rules = agent.fit_rules(logits, examples, sample, chosen, criteria=names)
            result.rules = {name: rule.dump() for name, rule in rules.items()}
            if self.options.keep_best:
                self.best = {name: value.clone() for name, value in self.evaluated.state_dict().items()}
        self.collapsed = self.collapsed + 1 if agent.collapsed(logits) else 0
        self.clock.scoring += time.perf_counter() - began

    def _scores_by_policy(self, logits: Logits) -> dict[NullPolicy, dict[str, Any]]:
        """Score validation logits for each null policy, by rules fitted on the other half of the groups of posts."""
        data, found = self.training_data, {}
        hypers = {policy: replace(data.hyper, null_policy=policy) for policy in data.policies}
        fitted = data.agent.cross_fit_each(logits, data.examples, data.validation, list(hypers.values()))
        for (policy, hyper), values in zip(hypers.items(), fitted, strict=True):
            scores = data.agent.scores(logits, values, data.examples, data.validation, hyper)
            found[policy] = data.objective.added_to(scores)
        return found

    def finish(self) -> None:
        """Load the weights that were evaluated into the model, and record the performance."""
        if self.options.keep_best:
            self.model.load_state_dict(self.best)
        elif self.average is not None:
            self.model.load_state_dict(self.average.module.state_dict())
        clock = self.clock
        self.result.performance = {
            "seconds": round(clock.total + time.perf_counter() - self._started, 3),
            "tokens_per_second": round(clock.tokens / max(clock.learning, 1e-9), 1),
            "data_step_ratio": round(clock.data / max(clock.learning - clock.data, 1e-9), 5),
            "scoring_ratio": round(clock.scoring / max(clock.learning, 1e-9), 5),
            "peak_memory_mb": peak_memory_mb(self.device),
        }

    def save(self) -> None:
        """Write the checkpoint, if one is asked for."""
        if self.options.checkpoint is None:
            return
        now = time.perf_counter()
        self.clock.total, self._started = self.clock.total + now - self._started, now
        state = {name: part.state_dict() for name, part in self._parts().items()}
        result = {name: value for name, value in vars(self.result).items() if name != "performance"}
        state |= {"outcome": result, "clock": vars(self.clock), "best": self.best, "collapsed": self.collapsed}
        state["steps"] = self.steps
        checkpoints.save(self.options.checkpoint, state)

    def resume(self) -> None:
        """Continue from an intact checkpoint, if there is one; a damaged one is deleted.

        Its epochs are reported to `on_epoch` again, which may prune the training now.
        """
        path, on_epoch = self.options.checkpoint, self.options.on_epoch
        if path is None or not path.exists():
            return
        if not checkpoints.is_intact(path):
            _LOG.warning("%s is damaged: this training starts again", path)
            path.unlink()
            return
        self._restore(path)
        if on_epoch is not None and (pruned := replay_history(self.result.history, on_epoch)) is not None:
            self.result = pruned

    def _restore(self, path: Path) -> None:
        state = checkpoints.load(path, self.device.torch)
        for name, part in self._parts().items():
            part.load_state_dict(state[name])
        for name, value in state["outcome"].items():
            setattr(self.result, name, value)
        self.clock = _Clock(**state["clock"])
        self.best, self.collapsed, self.steps = state["best"], state["collapsed"], state["steps"]

    def _parts(self) -> dict[str, Any]:
        parts = {"model": self.model, "optimizer": self.optimizer, "scheduler": self.scheduler}
        return parts if self.average is None else {**parts, "average": self.average}

    def _learn(self, epoch: int) -> float:
        """Train one epoch, and return the mean loss per window.

        Raises TrainingFailure if the loss or a gradient is not finite.
        """
        self.model.train()
        hyper, began = self.training_data.hyper, time.perf_counter()
        windows, lengths = self._epoch_windows(epoch)
        rng = np.random.default_rng(derive_seed(self.seed, "batches", epoch))
        batches = training_batches(windows, lengths[windows], hyper.batch_size, rng)
        waited = time.perf_counter() - began
        total, norms = torch.zeros((2, 1), device=self.device.torch)
        groups = [batches[start : start + hyper.accumulation] for start in range(0, len(batches), hyper.accumulation)]
        self.gradients.prefetch(groups[0])
        for number, (group, following) in enumerate(zip(groups, [*groups[1:], None], strict=True)):
            seed = derive_seed(self.seed, "noise", epoch, number * hyper.accumulation)
            total += self.gradients.compute(group, seed, following)
            norms += nn.utils.clip_grad_norm_(self.gradients.weights.parameters, hyper.clip_norm)
            self.optimizer.step()
            self.optimizer.zero_grad(set_to_none=True)
            if self.steps < self.planned:  # augmented texts may have more windows, and so more steps
                self.scheduler.step()
            self.steps += 1
            if self.average is not None:
                self.average.update_parameters(self.model)
        # Both are read once per epoch, since reading them at every step would stall the device.
        mean = float(total) / len(windows)
        if not math.isfinite(mean):
            raise TrainingFailure("the loss is not finite")
        if not math.isfinite(float(norms)):
            raise TrainingFailure("a gradient is not finite")
        self.clock.learning += time.perf_counter() - began
        data, self.gradients.data_seconds = waited + self.gradients.data_seconds, 0.0
        self.clock.data += data
        taken = time.perf_counter() - began
        self.ratio += (data / max(taken - data, 1e-9) - self.ratio) / min(epoch, _RECENT)
        _LOG.info("epoch %d: loss %.4f, %.1f s", epoch, mean, taken)
        _LOG.info("epoch %d: perf/data_step_ratio %.4f (moving average)", epoch, self.ratio)
        self.clock.tokens += int(lengths[windows].sum())
        return mean

    def _epoch_windows(self, epoch: int) -> tuple[Index, Index]:
        """Return the windows to train on in an epoch, and the lengths of all windows."""
        training_data = self.training_data
        drawn = training_data.features.windows(self.sampler.draw_unannotated(epoch))
        if training_data.augmentation is None:
            known = training_data.features.windows(self.sampler.always_included)
            return np.concatenate([known, drawn]), training_data.features.lengths
        material = training_data.augmentation.epoch_data(epoch, last=epoch == self.options.last_epoch)
        self.gradients.features = material.features
        self.result.augmented = dict(Counter(self.result.augmented) + material.applied)
        return np.concatenate([material.windows, drawn]), material.features.lengths
