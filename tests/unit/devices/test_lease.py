"""Each job leases its own pretended GPU."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.checkouts import ROOT

from lib.devices import lease as leasing
from lib.devices.lease import lease_gpu, visible_gpus
from lib.errors import UserError

HOLD = """
import sys, time
from pathlib import Path
from lib.devices.lease import lease_gpu
mine = lease_gpu(["0", "1"], folder=Path(sys.argv[1]))
print(mine.device, flush=True)
time.sleep(60)
"""


def start_holder(folder: Path) -> "subprocess.Popen[str]":
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True, env=environment
    )


def test_each_job_has_its_own_device_and_a_killed_one_gives_it_back(tmp_path: Path, monkeypatch, capsys) -> None:
    first, second = start_holder(tmp_path), start_holder(tmp_path)
    assert first.stdout is not None and second.stdout is not None
    taken = {first.stdout.readline().strip(), second.stdout.readline().strip()}
    assert taken == {"0", "1"}
    third = start_holder(tmp_path)
    assert third.stdout is not None
    time.sleep(1.5)
    assert third.poll() is None
    first.send_signal(signal.SIGKILL)
    assert third.stdout.readline().strip() in taken
    for process in (second, third):
        process.kill()
    for process in (first, second, third):
        process.wait()
    mine = lease_gpu(["0", "1"], folder=tmp_path)
    mine.release()
    assert lease_gpu(["0"], folder=tmp_path, job="7").device == "0"

    lease_of_0, waited = lease_gpu(["0"], folder=tmp_path), []
    monkeypatch.setattr(leasing.time, "sleep", lambda _: (waited.append(1), lease_of_0.release()))
    assert lease_gpu(["0"], folder=tmp_path).device == "0" and waited
    assert "GPUs 0 are in use by other jobs; waiting" in capsys.readouterr().err


def test_devices_come_from_cuda_visible_devices_or_from_nvidia_smi(tmp_path: Path, monkeypatch) -> None:
    assert visible_gpus({"CUDA_VISIBLE_DEVICES": "2, GPU-a"}) == ["2", "GPU-a"]
    assert visible_gpus({"CUDA_VISIBLE_DEVICES": ""}) == []
    monkeypatch.setenv("PATH", str(tmp_path))
    assert visible_gpus({}) == []
    smi = tmp_path / "nvidia-smi"
    smi.write_text("#!/bin/sh\necho 0\necho 1\n")
    smi.chmod(0o755)
    assert visible_gpus({}) == ["0", "1"]
    smi.write_text("#!/bin/sh\nexit 9\n")
    with pytest.raises(UserError, match="nvidia-smi does not list the GPUs"):
        visible_gpus({})
    with pytest.raises(UserError, match="no GPU can be used"):
        lease_gpu([])
