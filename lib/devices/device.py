"""The device and the precision of a training."""

import resource
import sys
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from lib.errors import UserError

if TYPE_CHECKING:
    from lib.settings.config import TrainingSettings


@dataclass(frozen=True)
class Device:
    """A device and how trainings use it.

    Attributes:
        torch: The torch device.
        bf16: Whether matrix products run in bf16.
        parallel: Whether each part of a batch has a thread of its own.
        compile: Whether models are compiled with torch.compile.
    """

    torch: torch.device
    bf16: bool
    parallel: bool = False
    compile: bool = False

    @property
    def model(self) -> str:
        """The GPU's model or 'cpu', and the precision, on which memory and speed depend."""
        name = torch.cuda.get_device_name(self.torch) if self.torch.type == "cuda" else "cpu"
        return f"{name} {'bf16' if self.bf16 else 'fp32'}"

    def autocast(self) -> AbstractContextManager[object]:
        """Return a context in which matrix products run in the device's precision."""
        return torch.autocast(self.torch.type, dtype=torch.bfloat16, enabled=self.bf16)

    def __str__(self) -> str:
        return f"{self.torch.type} {'bf16' if self.bf16 else 'fp32'}"


def choose_device(settings: "TrainingSettings") -> Device:
    """Return the configured device, with 'auto' resolved.

    Raises:
        UserError: There is no CUDA device although it is configured, or models shall be compiled on a CPU.
    """
    available = torch.cuda.is_available()
    if settings.device == "cuda" and not available:
        raise UserError(
            "training.device is 'cuda', but torch sees no CUDA device; use 'auto' or 'cpu', or check the driver"
        )
    kind = "cuda" if available and settings.device != "cpu" else "cpu"
    if settings.compile and kind == "cpu":
        raise UserError(
            "training.compile needs a CUDA device, since compiled models are slower on a CPU; set it to false"
        )
    native = torch.cuda.is_bf16_supported(including_emulation=False) if kind == "cuda" else _cpu_bf16()
    bf16 = native if settings.precision == "auto" else settings.precision == "bf16"
    return Device(torch.device(kind), bf16, parallel=kind == "cpu" and settings.threads > 1, compile=settings.compile)


def _cpu_bf16() -> bool:
    """Return whether the CPU multiplies bf16 natively. If it emulates bf16, fp32 is faster."""
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def peak_memory_mb(device: Device) -> float:
    """Return the peak memory so far in MiB, of the device on CUDA and of the process on a CPU."""
    if device.torch.type == "cuda":
        return round(torch.cuda.max_memory_allocated() / 2**20, 1)
    usage = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(usage / (2**20 if sys.platform == "darwin" else 2**10), 1)
