"""Compute the gradient of a batch in micro-batches that fit into memory; a CPU computes two shards in parallel."""

import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from lib.devices.device import Device
from lib.devices.process import SHARDS, background_thread, run_parallel
from lib.modeling.dropout import FastDropout
from lib.modeling.mixed_precision import MixedPrecisionParameters
from lib.modeling.models import Inputs
from lib.tasks.examples import Targets
from lib.tasks.task import Index
from lib.training.data import TrainingData
from lib.training.memory import MicroBatches, out_of_memory, window_does_not_fit


class PreparedBatch(NamedTuple):
    """A batch that is ready for the model.

    Attributes:
        windows: The numbers of its windows.
        inputs: The inputs of the encoders.
        targets: The targets of the windows.
    """

    windows: Index
    inputs: list[Inputs]
    targets: Targets


class Gradients:
    """Computes the gradients of one model.

    Attributes:
        features: The features of the current epoch. The engine replaces them where texts are augmented.
        weights: The trainable parameters, whose gradients are set.
        data_seconds: Seconds that steps spent on waiting for batches or on making them.
    """

    def __init__(self, model: nn.Module, training_data: TrainingData, device: Device, memory: MicroBatches) -> None:
        """Prepare to train a model.

        Args:
            model: The model, on the device.
            training_data: Gives features, agent and hyper-parameters.
            device: The device and precision.
            memory: Cuts batches into micro-batches that fit into memory.
        """
        self.model, self.training_data, self.device, self.memory = model, training_data, device, memory
        self.features = training_data.features
        self.weights = MixedPrecisionParameters(model, bf16=device.bf16)
        self.data_seconds = 0.0
        self._ahead: Future[list[list[PreparedBatch]]] | None = None

    def prefetch(self, batches: list[Index]) -> None:
        """Start to make the batches of the next step in a background thread."""
        self._ahead = background_thread("batches").submit(self._prepare, self._split_into_shards(batches))

    def _prepare(self, shards: list[list[Index]]) -> list[list[PreparedBatch]]:
        """Return the batches of each shard in the order in which it needs them."""
        return [[self.batch(windows) for windows in self.micro_batches(shard)] for shard in shards]

    def batch(self, windows: Index) -> PreparedBatch:
        """Make the batch of some windows."""
        inputs, targets, _ = self.features.batch(windows)
        return PreparedBatch(windows, inputs, targets)

    def micro_batches(self, batches: list[Index]) -> Iterator[Index]:
        """Yield the windows of batches in micro-batches that fit into memory."""
        for batch in batches:
            if len(batch):
                yield from self.memory.split(batch, self.features.lengths)

    def _split_into_shards(self, batches: list[Index]) -> list[list[Index]]:
        if self.device.torch.type != "cpu":
            return [batches]
        # A batch ascends in length, so its halves need less padding than the whole.
        halves = [np.array_split(batch, SHARDS) for batch in batches]
        return [[half[shard] for half in halves] for shard in range(SHARDS)]

    def compute(self, batches: list[Index], seed: int, following: list[Index] | None = None) -> Tensor:
        """Set the parameters' gradients to those of the mean loss per window.

        The gradients do not depend on the number of threads, since each shard has its own seed and shards are added
        in a fixed order. If a micro-batch does not fit into memory, everything is computed again in smaller ones.

        Args:
            batches: The batches of one optimizer step, as numbers of windows that ascend in length.
            seed: Seed of dropout on a CPU.
            following: The batches of the next step, which are prepared in the background; None after the last step.

        Returns:
            The loss summed over windows, a scalar without gradient.

        Raises:
            TrainingFailure: A single window does not fit into memory.
        """
        sharded = self._split_into_shards(batches)
        began = time.perf_counter()
        ahead = self._ahead.result() if self._ahead is not None else [[] for _ in sharded]
        self._ahead = None
        self.data_seconds += time.perf_counter() - began
        if following is not None:
            self.prefetch(following)
        size = sum(map(len, batches))
        with self.weights.bf16_copies() as used:
            while True:
                shards = [
                    _Shard(self, used, shard, ready, size, [seed, i])
                    for i, (shard, ready) in enumerate(zip(sharded, ahead, strict=True))
                ]
                try:
                    results = run_parallel(_Shard.gradient, shards, parallel=self.device.parallel)
                    break
                except RuntimeError as error:
                    if not out_of_memory(error):
                        raise
                # This is outside of the handler, since the error keeps the tensors alive that did not fit.
                self._halve([shard.failed for shard in shards if shard.failed is not None])
        self.data_seconds += max(shard.data_seconds for shard in shards)
        for parameter, *gradients in zip(self.weights.parameters, *(found for _, found in results), strict=True):
            parameter.grad = _sum_gradients(gradients)
        return torch.stack([loss for loss, _ in results]).sum()

    def _halve(self, failed: list[tuple[int, int]]) -> None:
        """Halve the size of micro-batches after some did not fit. Raises TrainingFailure if one was a single window.

        failed: The number of windows and the tokens of the longest one, of each micro-batch.
        """
        if self.device.torch.type == "cuda":
            torch.cuda.empty_cache()
        for rows, tokens in failed:
            if rows == 1:
                raise window_does_not_fit(tokens)
            self.memory.halve(rows * tokens)


class _Shard:
    """One shard of an effective batch of `size` windows; gradients are with regard to the tensors `used`."""

    def __init__(
        self,
        gradients: Gradients,
        used: list[Tensor],
        batches: list[Index],
        ready: list[PreparedBatch],
        size: int,
        dropout_seed: list[int],
    ) -> None:
        self.gradients, self.used, self.batches, self.ready = gradients, used, batches, ready
        self.size, self.dropout_seed = size, dropout_seed
        self.data_seconds = 0.0
        # The number of windows and the tokens of the longest one in a micro-batch that did not fit.
        self.failed: tuple[int, int] | None = None

    def gradient(self) -> tuple[Tensor, list[Tensor | None]]:
        """Return the summed loss, and the gradient for each tensor of `used`."""
        device = self.gradients.device
        total = torch.zeros((), device=device.torch)
        found: list[Tensor | None] = [None] * len(self.used)
        with self._dropout_context(), device.autocast():
            for position, windows in enumerate(self.gradients.micro_batches(self.batches)):
                try:
                    loss, more = self._micro_batch_loss(position, windows)
                except RuntimeError:
                    self.failed = len(windows), int(self.gradients.features.lengths[windows].max())
                    raise
                found = [_sum_gradients([old, new]) for old, new in zip(found, more, strict=True)]
                total += loss
        return total, found

    def _dropout_context(self) -> AbstractContextManager[Any]:
        device = self.gradients.device
        if device.torch.type != "cpu" or device.compile:
            return nullcontext()  # torch draws from its own generator
        return FastDropout(np.random.Generator(np.random.SFC64(self.dropout_seed)))

    def _micro_batch_loss(self, position: int, windows: Index) -> tuple[Tensor, tuple[Tensor | None, ...]]:
        gradients, begin = self.gradients, time.perf_counter()
        ahead = self.ready[position] if position < len(self.ready) else None
        # If memory ran out after this micro-batch was made ahead, the batch is now cut into smaller ones.
        fits = ahead is not None and np.array_equal(ahead.windows, windows)
        _, inputs, targets = ahead if ahead is not None and fits else gradients.batch(windows)
        self.data_seconds += time.perf_counter() - begin
        outputs = gradients.model(*inputs)
        with torch.autocast(gradients.device.torch.type, enabled=False):
            training_data = gradients.training_data
            loss = training_data.agent.loss(outputs, targets, training_data.hyper)
            return loss.detach(), torch.autograd.grad(loss / self.size, self.used, allow_unused=True)


def _sum_gradients(gradients: list[Tensor | None]) -> Tensor | None:
    known = [gradient for gradient in gradients if gradient is not None]
    if not known:
        return None
    total = known[0].float()
    for other in known[1:]:
        total.add_(other)
    return total
