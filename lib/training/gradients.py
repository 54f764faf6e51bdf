"""The gradient of an effective batch: in two parts side by side on a CPU, and in smaller ones where memory ends."""

import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from lib.devices.device import Device
from lib.devices.process import PARTS, background_thread, run_parallel
from lib.modeling.dropout import FastDropout
from lib.modeling.models import Inputs
from lib.tasks.examples import Targets
from lib.tasks.task import Index
from lib.training.data import TrainingData, TrainingFailure
from lib.training.memory import MicroBatches, out_of_memory
from lib.training.precision import TrainableParameters


class Prepared(NamedTuple):
    """A batch that was made ahead: its windows, and what the model and the loss take."""

    windows: Index
    inputs: list[Inputs]
    targets: Targets


class Gradients:
    """Computes gradients of one model. features: of the epoch; augmentation makes other ones for each."""

    def __init__(self, model: nn.Module, training_data: TrainingData, device: Device, memory: MicroBatches) -> None:
        self.model, self.training_data, self.device, self.memory = model, training_data, device, memory
        self.features = training_data.features
        self.weights = TrainableParameters(model, bf16=device.bf16)
        # Seconds spent on waiting for batches, and on those that had to be made in between.
        self.data_seconds = 0.0
        self._ahead: Future[list[list[Prepared]]] | None = None

    def prepare(self, batches: list[Index]) -> None:
        """Begin to make batches, in a thread of their own, while another step is computed."""
        self._ahead = background_thread("batches").submit(self._prepare, self._shares(batches))

    def _prepare(self, shares: list[list[Index]]) -> list[list[Prepared]]:
        """Return each share's batches, in the order in which it will need them."""
        return [[self.batch(windows) for windows in self.pieces(share)] for share in shares]

    def batch(self, windows: Index) -> Prepared:
        """Return the batch of some windows."""
        inputs, targets, _ = self.features.batch(windows)
        return Prepared(windows, inputs, targets)

    def pieces(self, batches: list[Index]) -> Iterator[Index]:
        """Yield batches in pieces that fit into memory."""
        for batch in batches:
            if len(batch):
                yield from self.memory.parts(batch, self.features.lengths)

    def _shares(self, batches: list[Index]) -> list[list[Index]]:
        if self.device.torch.type != "cpu":
            return [batches]
        # Shorter and longer windows apart: less padding than in the whole batch.
        halves = [np.array_split(batch, PARTS) for batch in batches]
        return [[half[part] for half in halves] for part in range(PARTS)]

    def compute(self, batches: list[Index], seed: int, following: list[Index] | None = None) -> Tensor:
        """Set the gradient of the batches' mean loss of a window. Returns the summed loss.

        following: the next batches, to be made ready meanwhile.

        The numbers do not depend on the number of threads: each part has its own noise, and parts are added in order.
        If something does not fit into memory, all is computed again in smaller pieces. Raises TrainingFailure if a
        single window does not fit.
        """
        shares = self._shares(batches)
        began = time.perf_counter()
        ahead = self._ahead.result() if self._ahead is not None else [[] for _ in shares]
        self._ahead = None
        self.data_seconds += time.perf_counter() - began
        if following is not None:
            self.prepare(following)
        size = sum(map(len, batches))
        with self.weights.bf16_copies() as used:
            while True:
                parts = [
                    _Part(self, used, share, ready, size, [seed, i])
                    for i, (share, ready) in enumerate(zip(shares, ahead, strict=True))
                ]
                try:
                    results = run_parallel(_Part.gradient, parts, parallel=self.device.parallel)
                    break
                except RuntimeError as error:
                    if not out_of_memory(error):
                        raise
                # Outside of the handler: the error holds on to the tensors that did not fit.
                self._halve([part.failed for part in parts if part.failed is not None])
        self.data_seconds += max(part.data_seconds for part in parts)
        for parameter, *gradients in zip(self.weights.parameters, *(found for _, found in results), strict=True):
            parameter.grad = _add(gradients)
        return torch.stack([loss for loss, _ in results]).sum()

    def _halve(self, failed: list[tuple[int, int]]) -> None:
        """Remember what did not fit: windows and tokens of each. Raises TrainingFailure if it was a single window."""
        if self.device.torch.type == "cuda":
            torch.cuda.empty_cache()
        for rows, tokens in failed:
            if rows == 1:
                raise TrainingFailure(f"out of memory: a window of {tokens} tokens does not fit")
            self.memory.halve(rows * tokens)


class _Part:
    """A share of an effective batch of `size` windows, for gradients with regard to `used`."""

    def __init__(
        self,
        gradients: Gradients,
        used: list[Tensor],
        batches: list[Index],
        ready: list[Prepared],
        size: int,
        noise: list[int],
    ) -> None:
        self.gradients, self.used, self.batches, self.size, self.noise = gradients, used, batches, size, noise
        self.ready = ready
        self.data_seconds = 0.0
        # Windows and tokens of what did not fit.
        self.failed: tuple[int, int] | None = None

    def gradient(self) -> tuple[Tensor, list[Tensor | None]]:
        """Return the summed loss and the gradient."""
        of = self.gradients
        total = torch.zeros((), device=of.device.torch)
        found: list[Tensor | None] = [None] * len(self.used)
        with self._noise(), torch.autocast(of.device.torch.type, dtype=torch.bfloat16, enabled=of.device.bf16):
            for position, windows in enumerate(of.pieces(self.batches)):
                try:
                    loss, more = self._piece(position, windows)
                except RuntimeError:
                    self.failed = len(windows), int(of.features.lengths[windows].max())
                    raise
                found = [_add([old, new]) for old, new in zip(found, more, strict=True)]
                total += loss
        return total, found

    def _noise(self) -> AbstractContextManager[Any]:
        device = self.gradients.device
        if device.torch.type != "cpu" or device.compile:
            return nullcontext()  # torch's own generator
        return FastDropout(np.random.Generator(np.random.SFC64(self.noise)))

    def _piece(self, position: int, windows: Index) -> tuple[Tensor, tuple[Tensor | None, ...]]:
        of, begin = self.gradients, time.perf_counter()
        ahead = self.ready[position] if position < len(self.ready) else None
        # Where memory ran out meanwhile, batches are cut into other pieces than those made ahead.
        fits = ahead is not None and np.array_equal(ahead.windows, windows)
        _, inputs, targets = ahead if ahead is not None and fits else of.batch(windows)
        self.data_seconds += time.perf_counter() - begin
        outputs = of.model(*inputs)
        with torch.autocast(of.device.torch.type, enabled=False):
            loss = of.training_data.agent.loss(outputs, targets, of.training_data.hyper)
            return loss.detach(), torch.autograd.grad(loss / self.size, self.used, allow_unused=True)


def _add(gradients: list[Tensor | None]) -> Tensor | None:
    known = [gradient for gradient in gradients if gradient is not None]
    if not known:
        return None
    total = known[0].float()
    for other in known[1:]:
        total.add_(other)
    return total
