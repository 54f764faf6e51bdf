"""One GPU for each job, several processes on one GPU; with pretended devices."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import ROOT, tiny_settings

from lib.cli import processes
from lib.errors import UserError
from lib.settings.load import save_settings
from lib.training import lease as leasing
from lib.training.lease import devices, lease

HOLD = """
import sys, time
from pathlib import Path
from lib.training.lease import lease
mine = lease(["0", "1"], folder=Path(sys.argv[1]))
print(mine.device, flush=True)
time.sleep(60)
"""


def holder(folder: Path) -> "subprocess.Popen[str]":
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True, env=environment
    )


def test_each_job_has_its_own_device_and_a_killed_one_gives_it_back(tmp_path: Path, monkeypatch, capsys) -> None:
    first, second = holder(tmp_path), holder(tmp_path)
    assert first.stdout is not None and second.stdout is not None
    taken = {first.stdout.readline().strip(), second.stdout.readline().strip()}
    assert taken == {"0", "1"}
    third = holder(tmp_path)
    assert third.stdout is not None
    time.sleep(1.5)
    assert third.poll() is None
    first.send_signal(signal.SIGKILL)
    assert third.stdout.readline().strip() in taken
    for process in (second, third):
        process.kill()
    for process in (first, second, third):
        process.wait()
    mine = lease(["0", "1"], folder=tmp_path)
    mine.release()
    assert lease(["0"], folder=tmp_path, job="7").device == "0"

    lease_of_0, waited = lease(["0"], folder=tmp_path), []
    monkeypatch.setattr(leasing.time, "sleep", lambda _: (waited.append(1), lease_of_0.release()))
    assert lease(["0"], folder=tmp_path).device == "0" and waited
    assert "GPUs 0 are in use by other jobs; waiting" in capsys.readouterr().err


def test_devices_are_those_of_the_outer_variable_else_of_nvidia_smi(tmp_path: Path, monkeypatch) -> None:
    assert devices({"CUDA_VISIBLE_DEVICES": "2, GPU-a"}) == ["2", "GPU-a"]
    assert devices({"CUDA_VISIBLE_DEVICES": ""}) == []
    monkeypatch.setenv("PATH", str(tmp_path))
    assert devices({}) == []
    smi = tmp_path / "nvidia-smi"
    smi.write_text("#!/bin/sh\necho 0\necho 1\n")
    smi.chmod(0o755)
    assert devices({}) == ["0", "1"]
    smi.write_text("#!/bin/sh\nexit 9\n")
    with pytest.raises(UserError, match="nvidia-smi does not list the GPUs"):
        devices({})
    with pytest.raises(UserError, match="no GPU may be used here"):
        lease([])


def test_the_device_is_chosen_before_torch_looks_and_a_cpu_has_none(monkeypatch, project: Path) -> None:
    monkeypatch.setattr(leasing.tempfile, "gettempdir", lambda: str(project))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,4")
    with monkeypatch.context() as patch:
        taken = processes.lease_gpu(tiny_settings(training={"device": "cuda"}))
        assert taken is not None and taken.device == os.environ["CUDA_VISIBLE_DEVICES"] == "3"
        patch.setenv("CUDA_VISIBLE_DEVICES", "3,4")
        other = processes.lease_gpu(tiny_settings(training={"device": "auto"}))
        assert other is not None and other.device == "4"
        taken.release()
        other.release()
    assert processes.lease_gpu(tiny_settings()) is None
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(UserError, match="trials_per_gpu is 2, but there is no GPU; use workers"):
        processes.lease_gpu(tiny_settings(training={"device": "auto"}, trials_per_gpu=2))


def partners() -> list[str]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found.append(entry.read_bytes().decode())
    return [line for line in found if "--partner" in line and "out/worker-0.1" in line]


def test_processes_that_share_a_device_do_the_budget_together_and_end_together(copy_of_finished: Path) -> None:
    settings = tiny_settings(trials_per_gpu=2, training={"device": "auto"}, stage_a={"trials": 24})
    save_settings(settings, "results/settings.json")
    environment = os.environ | {"PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": "0", "TMPDIR": str(Path.cwd())}
    command = [sys.executable, "-m", "lib", "stage-a-worker", "criteria", "--output", "out/worker-0.json"]
    Path("out").mkdir()
    journal = Path("results/criteria/studies/criteria-stage_a.journal")
    size = journal.stat().st_size
    process = subprocess.Popen(command, env=environment)
    while journal.stat().st_size == size:
        assert process.poll() is None
        time.sleep(0.02)
    process.kill()
    process.wait()
    deadline = time.monotonic() + 20
    while partners():
        assert time.monotonic() < deadline, "a partner outlives the process that began it"
        time.sleep(0.1)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    served = json.loads(Path("out/worker-0.json").read_text())
    assert set(served["trials"]) <= set(range(8, 24)) and 24 - 8 - 6 <= len(served["trials"]) <= 16
    assert "24/24" in done.stderr and [path.name for path in Path("out").iterdir()] == ["worker-0.json"]


def test_a_trial_that_hangs_is_given_up_and_its_process_goes_on(copy_of_finished: Path) -> None:
    settings = tiny_settings(trial_minutes=0.1, stage_a={"trials": 9})
    save_settings(settings, "results/settings.json")
    hang = (
        "import runpy, sys, time\n"
        "from pathlib import Path\n"
        "from lib.search import experiment\n"
        "train = experiment.train\n"
        "def once(*words, **more):\n"
        "    if not Path('hung').exists():\n"
        "        Path('hung').touch()\n"
        "        time.sleep(1000)\n"
        "    return train(*words, **more)\n"
        "experiment.train = once\n"
        "runpy.run_module('lib', run_name='__main__')\n"
    )
    Path("hang.py").write_text(hang)
    for file in Path("results/criteria/runs").iterdir():
        file.unlink()
    command = [sys.executable, "hang.py", "stage-a-worker", "criteria", "--output", "worker.json"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "trial 8 took longer than trial_minutes = 0.1; it is given up" in done.stderr
    assert "9/9" not in done.stderr, "the trial was the last of the budget"
    status = [sys.executable, "-m", "lib", "status"]
    shown = subprocess.run(status, env=environment, capture_output=True, text=True, check=True).stdout
    assert (
        "stage_a  9/9" in shown and "failed 1" in shown and "stage_b  4/4" in shown and "4/4 folds  finished" in shown
    )
