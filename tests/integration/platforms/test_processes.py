"""Several processes share one pretended GPU, and a hanging trial ends."""

import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from support.checkouts import ROOT
from support.tiny import TINY, tiny_settings

from lib.settings.load import save_settings

# Trials that the study has before these tests.
DONE = TINY["stage_a"]["trials"]


def subprocesses() -> list[str]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found.append(entry.read_bytes().decode())
    return [line for line in found if "--subprocess" in line and "out/worker-0.1" in line]


def test_processes_on_one_gpu_share_the_budget_and_end_together(copy_of_finished: Path) -> None:
    settings = tiny_settings(trials_per_gpu=2, training={"device": "auto"}, stage_a={"trials": DONE + 10})
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
    while subprocesses():
        assert time.monotonic() < deadline, "a further process outlives the process that began it"
        time.sleep(0.1)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads(Path("out/worker-0.json").read_text())
    assert set(report["trials"]) <= set(range(DONE, DONE + 10)) and 4 <= len(report["trials"]) <= 10
    assert f"{DONE + 10}/{DONE + 10}" in done.stderr
    assert [path.name for path in Path("out").iterdir()] == ["worker-0.json"]


def test_a_hanging_trial_fails_and_its_process_continues(copy_of_finished: Path) -> None:
    settings = tiny_settings(trial_minutes=0.1, stage_a={"trials": DONE + 1})
    save_settings(settings, "results/settings.json")
    hang = (
        "import runpy, sys, time\n"
        "from pathlib import Path\n"
        "from lib.experiment import experiment\n"
        "train = experiment.train\n"
        "def hang_once(*words, **more):\n"
        "    if not Path('hung').exists():\n"
        "        Path('hung').touch()\n"
        "        time.sleep(1000)\n"
        "    return train(*words, **more)\n"
        "experiment.train = hang_once\n"
        "runpy.run_module('lib', run_name='__main__')\n"
    )
    Path("hang.py").write_text(hang)
    for file in Path("results/criteria/runs").iterdir():
        file.unlink()
    command = [sys.executable, "hang.py", "stage-a-worker", "criteria", "--output", "worker.json"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    assert f"trial {DONE} took longer than trial_minutes = 0.1; it is recorded as failed" in done.stderr
    budget = f"{DONE + 1}/{DONE + 1}"
    assert budget not in done.stderr, "the trial was the last of the budget"
    status = [sys.executable, "-m", "lib", "status"]
    shown = subprocess.run(status, env=environment, capture_output=True, text=True, check=True).stdout
    assert f"stage_a  {budget}" in shown and "failed 1" in shown
    assert "stage_b  4/4" in shown and "4/4 folds  finished" in shown
