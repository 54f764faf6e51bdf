"""The utilisation of CPU and GPU during a training."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from lib.devices import nvidia_smi
from lib.devices.device import Device


@contextmanager
def measure_utilisation(device: Device) -> Iterator[dict[str, float]]:
    """Measure the utilisation of CPU and GPU within the block.

    Args:
        device: The device of the training.

    Yields:
        A dictionary that is filled when the block ends. cpu_cores is the mean number of cores that this process kept
        busy. gpu_percent is the mean of nvidia-smi's samples, one a second, of the share of time in which the GPU was
        busy, with work of any process. It is missing on a CPU, without nvidia-smi, or after too short a block.
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
    """Return a process that writes the GPU's utilisation once a second; None if it cannot be measured."""
    if device.torch.type != "cuda":
        return None
    try:
        return nvidia_smi.stream("utilization.gpu", f"GPU-{torch.cuda.get_device_properties(device.torch).uuid}")
    except OSError:  # a container without nvidia-smi
        return None
