"""Run the graph on a real SLURM. Without SLURM_ONE_NODE, a program that starts and stops one, the test is skipped."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.checkouts import copy_repository
from support.tiny import TINY

from lib.settings.load import merge

STARTER = os.environ.get("SLURM_ONE_NODE", "")
pytestmark = [
    pytest.mark.workflow,
    pytest.mark.long,
    pytest.mark.skipif(not STARTER, reason="no SLURM: SLURM_ONE_NODE names no program that starts one"),
    pytest.mark.skipif(shutil.which("sbatch") is None, reason="no SLURM: apt-get install slurm-wlm munge"),
]
# Two workers share the node's memory and its two pretended GPUs. SLURM runs without accounting, so squeue is used.
TRIALS = {"stage_a": 8, "stage_b": 4}
OVERLAY = {
    "workers": 2,
    "generator": {"posts": 60},
    "stage_a": {"trials": TRIALS["stage_a"]},
    "stage_b": {"trials": TRIALS["stage_b"]},
    "stage_c": {"candidates": 1, "ensemble": 1},
}
WORKERS = ("stage_a_worker", "stage_b_worker", "stage_c_fold")
OPTIONS = [
    *("--profile", "workflow/profiles/slurm", "--configfile", "slurm.yaml", "--jobs", "4"),
    # Most jobs take eight seconds. The executor waits ten seconds more after each look at a job that still runs.
    *("--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "9"),
    *("--seconds-between-status-checks", "2", "--latency-wait", "20"),
    *("--set-threads", *(f"{rule}=1" for rule in WORKERS)),
    *("--set-resources", *(f"{rule}:mem_mb=4000*attempt" for rule in WORKERS)),
    *(f"{rule}:gpu=1" for rule in WORKERS),
]
TARGET = "results/criteria/stage_c.json"


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    # conftest limits the threads of a test process, and nproc would give the node that many cores.
    environment = {k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"}
    started = subprocess.run([STARTER, "start"], env=environment, capture_output=True, text=True, check=False)
    if started.returncode != 0:
        pytest.skip(f"no SLURM: {STARTER} start failed: {(started.stderr.strip() or '?').splitlines()[-1]}")
    yield
    subprocess.run(["scancel", "--user", "root"], check=False)
    subprocess.run([STARTER, "stop"], check=True)


@pytest.fixture
def checkout(tmp_path: Path, cluster: None) -> Path:
    return copy_repository(tmp_path, slurm=merge(TINY, OVERLAY))


def start(folder: Path, *more: str) -> "subprocess.Popen[str]":
    command = ["snakemake", *OPTIONS, *more, "--", TARGET]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SLURM_")} | {"PYTHONPATH": str(folder)}
    log = (folder / "snakemake.log").open("a")
    return subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True)


def finish(process: "subprocess.Popen[str]", folder: Path) -> str:
    code = process.wait(timeout=900)
    log = (folder / "snakemake.log").read_text()
    assert code == 0, log[-5000:]
    for stage, file in (("stage_a", "stage_a_top50"), ("stage_b", "stage_b_pareto")):
        counts = json.loads((folder / f"results/criteria/{file}.json").read_text())["counts"]
        assert sum(counts.values()) == TRIALS[stage] and counts["failed"] == 0, counts
    folds = {path.name for path in (folder / "results/criteria/stage_c").glob("[0-9]*-[0-9]*.json")}
    assert folds == {"0-0.json", "0-1.json"}
    assert (folder / TARGET).exists()
    return log


def jobs(name: str) -> list[str]:
    """Return the ids of a rule's running jobs. The executor writes the rule's name into the comment of a job."""
    listed = subprocess.run(["squeue", "-h", "-t", "R", "-o", "%i %k"], capture_output=True, text=True, check=False)
    return [line.split()[0] for line in listed.stdout.splitlines() if name in line]


def wait_for_jobs(name: str, number: int, process: "subprocess.Popen[str]") -> list[str]:
    deadline = time.monotonic() + 600
    while len(found := jobs(name)) < number:
        assert process.poll() is None, "the pipeline ended before its jobs were seen"
        assert time.monotonic() < deadline, f"no {number} jobs of {name} ran within ten minutes"
        time.sleep(0.5)
    return found


def wait_for_file(pattern: str, folder: Path, process: "subprocess.Popen[str]") -> None:
    deadline = time.monotonic() + 600
    while not list((folder / "results/criteria").glob(pattern)):
        assert process.poll() is None, f"the pipeline ended before it wrote {pattern}"
        assert time.monotonic() < deadline, f"{pattern} was not written within ten minutes"
        time.sleep(0.2)


def processes(job: str) -> list[int]:
    """Return the ids of a job's processes on this node."""
    shown = subprocess.run(["scontrol", "listpids", job], capture_output=True, text=True, check=True).stdout
    return [int(line.split()[0]) for line in shown.splitlines()[1:]]


def state(job: str) -> str:
    shown = subprocess.run(["scontrol", "-o", "show", "job", job], capture_output=True, text=True, check=False).stdout
    found = re.search(r"JobState=(\w+)", shown)
    return found[1] if found else shown


def wait_for_end(job: str, process: "subprocess.Popen[str]") -> str:
    """Wait until a job ends, and return its last state."""
    deadline = time.monotonic() + 300
    while (now := state(job)) in ("RUNNING", "COMPLETING"):
        assert process.poll() is None, f"the pipeline ended before job {job} did"
        assert time.monotonic() < deadline, f"job {job} did not end within five minutes"
        time.sleep(1)
    return now


def test_a_cancelled_job_a_timeout_and_a_restarted_controller_lose_no_trial(checkout: Path) -> None:
    # SLURM's shortest limit is a minute. The second job's processes are stopped, so that they reach it in a trial.
    process = start(checkout, "stage_a_worker:runtime=1 if attempt == 1 else 60")
    first, second = wait_for_jobs("stage_a_worker", 2, process)
    wait_for_file("runs/*.json", checkout, process)
    for pid in processes(second):
        os.kill(pid, signal.SIGSTOP)
    subprocess.run(["scancel", first], check=True)
    assert wait_for_end(first, process) == "CANCELLED"
    assert wait_for_end(second, process) == "TIMEOUT"
    # Without a controller, a starting step would wait for two minutes.
    wait_for_file("studies/criteria-stage_b.journal", checkout, process)
    controller = Path("/tmp/slurm-one-node/run/slurmctld.pid")
    os.kill(int(controller.read_text()), signal.SIGTERM)
    time.sleep(3)
    subprocess.run(["slurmctld"], check=True)
    log = finish(process, checkout)
    assert log.count("Trying to restart job") >= 2, log[-3000:]
