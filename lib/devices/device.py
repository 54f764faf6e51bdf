"""Where and in which precision a training runs."""

import resource
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from lib.errors import UserError

if TYPE_CHECKING:
    from lib.settings.config import TrainingSettings


@dataclass(frozen=True)
class Device:
    """A torch device, whether matrix products run in bf16, whether a batch's parts have a thread each, and whether
    models are compiled."""

    torch: torch.device
    bf16: bool
    parallel: bool = False
    compile: bool = False

    @property
    def model(self) -> str:
        """What memory and speed depend on: the GPU's model, or 'cpu', and the precision."""
        name = torch.cuda.get_device_name(self.torch) if self.torch.type == "cuda" else "cpu"
        return f"{name} {'bf16' if self.bf16 else 'fp32'}"

    def __str__(self) -> str:
        return f"{self.torch.type} {'bf16' if self.bf16 else 'fp32'}"


def choose_device(settings: "TrainingSettings") -> Device:
    """Resolve 'auto'. Raises UserError if a device is asked for by name and is not there."""
    available = torch.cuda.is_available()
    if settings.device == "cuda" and not available:
        raise UserError(
            "training.device is 'cuda', but torch sees no CUDA device; use 'auto' or 'cpu', or check drivers"
        )
    kind = "cuda" if available and settings.device != "cpu" else "cpu"
    if settings.compile and kind == "cpu":
        raise UserError("training.compile is for CUDA devices: on a CPU compiled models are slower; set it to false")
    native = torch.cuda.is_bf16_supported(including_emulation=False) if kind == "cuda" else _cpu_bf16()
    bf16 = native if settings.precision == "auto" else settings.precision == "bf16"
    return Device(torch.device(kind), bf16, parallel=kind == "cpu" and settings.threads > 1, compile=settings.compile)


def _cpu_bf16() -> bool:
    """Whether the CPU multiplies bf16 natively; where it is emulated, fp32 is faster."""
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def peak_memory_mb(device: Device) -> float:
    """Return the peak memory so far: of the device on CUDA, of the process on the CPU."""
    if device.torch.type == "cuda":
        return round(torch.cuda.max_memory_allocated() / 2**20, 1)
    usage = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(usage / (2**20 if sys.platform == "darwin" else 2**10), 1)
