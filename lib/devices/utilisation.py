"""How busy a training keeps its processors."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from lib.devices import nvidia_smi
from lib.devices.device import Device


@contextmanager
def utilisation(device: Device) -> Iterator[dict[str, float]]:
    """Measure what a block uses; the figures are in the dictionary when the block has ended.

    cpu_cores: cores that this process kept busy, on average. gpu_percent: of the time in which the GPU had work, on
    the mean of a sample a second (nvidia-smi), whoever gave it that work; not there for a block too short for one.
    """
    used: dict[str, float] = {}
    cpu, began = time.process_time(), time.perf_counter()
    sampler = _sampler(device)
    try:
        yield used
    finally:
        used["cpu_cores"] = round((time.process_time() - cpu) / max(time.perf_counter() - began, 1e-9), 2)
        if sampler is not None:
            sampler.terminate()
            samples = [float(line) for line in sampler.communicate()[0].split() if line.isdigit()]
            if samples:
                used["gpu_percent"] = round(float(np.mean(samples)), 1)


def _sampler(device: Device) -> "subprocess.Popen[str] | None":
    """Return a process that writes the GPU's utilisation once a second; None where nothing can be measured."""
    if device.torch.type != "cuda":
        return None
    try:
        return nvidia_smi.stream("utilization.gpu", f"GPU-{torch.cuda.get_device_properties(device.torch).uuid}")
    except OSError:  # a container without nvidia-smi
        return None
