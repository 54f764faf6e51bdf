"""Measurements of the use of CPU cores and GPUs."""

import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from lib.devices.device import Device
from lib.devices.utilisation import measure_utilisation


def test_only_busy_cores_are_counted() -> None:
    device = Device(torch.device("cpu"), bf16=False)
    with measure_utilisation(device) as idle:
        time.sleep(0.3)
    with measure_utilisation(device) as busy:
        start = time.process_time()
        while time.process_time() - start < 0.3:
            pass
    assert idle["cpu_cores"] < 0.2 < busy["cpu_cores"] <= 1.1
    assert "gpu_percent" not in busy


def test_the_use_of_a_gpu_is_measured_by_its_uuid_until_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = tmp_path / "asked"
    smi = tmp_path / "nvidia-smi"
    smi.write_text(
        f"#!/bin/sh\necho $* > {asked}\necho 40\necho '[N/A]'\necho 60\ntouch {tmp_path}/said\nexec sleep 60\n"
    )
    smi.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(uuid="a-b"))
    start = time.monotonic()
    with pytest.raises(ZeroDivisionError), measure_utilisation(Device(torch.device("cuda"), bf16=True)) as used:
        while not (tmp_path / "said").exists():
            time.sleep(0.01)
        raise ZeroDivisionError
    assert used["gpu_percent"] == 50 and time.monotonic() - start < 30
    assert "-i GPU-a-b" in asked.read_text()
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    with measure_utilisation(Device(torch.device("cuda"), bf16=True)) as used:
        pass
    assert "gpu_percent" not in used
