"""Faults while the real graph runs end with correct results or with a clear error.

`make test-faults` runs all of these tests and prints a table. CI runs the tests that are not marked `long`.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from support.checkouts import ROOT, copy_repository
from support.tiny import TINY, change_settings, worker_command

from lib.cli.main import main
from lib.settings.load import merge

pytestmark = pytest.mark.workflow
TARGET = "results/criteria/stage_c.json"
# The stages must be long enough to be killed.
OVERLAY = {"workers": 2, "stage_a": {"trials": 10}, "stage_b": {"trials": 8}}
RecordFault = Callable[[str, str], None]


@pytest.fixture(scope="module")
def prepared_checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository with a tiny overlay and with everything that Stage A needs."""
    folder = copy_repository(tmp_path_factory.mktemp("prepared") / "repository", tiny=merge(TINY, OVERLAY))
    code, output = run(
        folder, "results/backbones/tiny-bert/backbone.json", target="results/criteria/tfidf/manifest.json"
    )
    assert code == 0, output
    return folder


@pytest.fixture
def checkout(prepared_checkout: Path, tmp_path: Path) -> Path:
    """A copy of `prepared_checkout` that a test may change."""
    return shutil.copytree(prepared_checkout, tmp_path / "copy")


def environment(folder: Path) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(folder)}


def pipeline(folder: Path, *more: str, target: str = TARGET) -> "subprocess.Popen[str]":
    options = ["--configfile", "tiny.yaml", "--resources", "gpu=2"]
    targets = [word for word in more if word.startswith("results/")]
    words = [word for word in more if word not in targets]
    command = ["snakemake", "--cores", "2", *options, *words, "--", target, *targets]
    return subprocess.Popen(
        command,
        cwd=folder,
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def run(folder: Path, *more: str, target: str = TARGET) -> tuple[int, str]:
    process = pipeline(folder, *more, target=target)
    output, _ = process.communicate(timeout=600)
    return process.returncode, output


def trials(folder: Path) -> dict[str, int]:
    results = folder / "results/criteria"
    return {
        stage: sum(json.loads((results / f"{stage}.json").read_text())["counts"].values())
        for stage in ("stage_a_top50", "stage_b_pareto")
    }


def workers(folder: Path) -> list[int]:
    """Return the process ids of the training commands of a folder."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and (entry / "cwd").resolve() == folder.resolve():
                words = (entry / "cmdline").read_bytes().decode().split("\0")
                if "-m" in words and any("worker" in word or "fold" in word for word in words):
                    found.append(int(entry.name))
        except (OSError, PermissionError):
            continue
    return found


def stage(folder: Path) -> str:
    """Return the stage that a pipeline is in, as a letter."""
    results = folder / "results/criteria"
    done = [name for name in ("stage_a_top50", "stage_b_pareto") if (results / f"{name}.json").exists()]
    return "ABC"[len(done)]


def set_budgets(folder: Path, budgets: dict[str, int]) -> None:
    """Set the trials of each stage. Remove older results, because `stage` takes a result as the end of its stage."""
    overlay = {stage: {"trials": trials} for stage, trials in budgets.items()} | {"stage_c": {"folds": 5}}
    (folder / "tiny.yaml").write_text(yaml.safe_dump(merge(merge(TINY, OVERLAY), overlay)))
    for name in ("stage_a_top50", "stage_b_pareto"):
        (folder / f"results/criteria/{name}.json").unlink(missing_ok=True)


def kill_at_random(folder: Path, kills: int, budgets: dict[str, int], seed: int) -> Counter[str]:
    """Start the pipeline repeatedly, kill a part of it at random moments, and return the number of kills per stage.

    If a pipeline ends before it is killed, `budgets` grows by half in place.
    """
    rng, moments = np.random.default_rng(seed), Counter[str]()
    process = pipeline(folder)
    while moments.total() < kills:
        time.sleep(rng.uniform(3.0, 14.0))
        victim = ["worker", "snakemake", "everything"][int(rng.integers(3))]
        training = workers(folder)
        if process.poll() is not None:
            assert process.returncode == 0, process.communicate()[0]
            budgets.update({stage: trials + trials // 2 for stage, trials in budgets.items()})
            set_budgets(folder, budgets)
            process = pipeline(folder)
            continue
        if victim == "worker" and not training:
            continue
        moments[stage(folder)] += 1
        if victim == "worker":
            os.kill(training[int(rng.integers(len(training)))], signal.SIGKILL)
        elif victim == "snakemake":
            os.kill(process.pid, signal.SIGKILL)
        else:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate() if victim == "everything" else process.wait()
        process = pipeline(folder)
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    return moments


@pytest.mark.long
def test_kill_9_at_random_moments(checkout: Path, record_fault: RecordFault) -> None:
    budgets = {"stage_a": 40, "stage_b": 16}
    set_budgets(checkout, budgets)
    moments = kill_at_random(checkout, 20, budgets, seed=1)
    kept = {path: path.stat().st_mtime_ns for path in (checkout / "results/criteria/runs").glob("*.json")}
    code, output = run(checkout)
    assert code == 0, output
    assert trials(checkout) == {"stage_a_top50": budgets["stage_a"], "stage_b_pareto": budgets["stage_b"]}
    assert all(path.stat().st_mtime_ns == made for path, made in kept.items()), "no finished run was trained again"
    assert moments.keys() == set("ABC"), f"{moments}: every stage must be met"
    by_stage = ", ".join(f"{number} in {name}" for name, number in sorted(moments.items()))
    record_fault(f"kill -9, {moments.total()} times ({by_stage})", f"budgets met, {len(kept)} finished runs kept")


@pytest.mark.long
def test_two_pipelines_on_one_folder(tmp_path: Path, record_fault: RecordFault) -> None:
    checkout = copy_repository(tmp_path / "repository", tiny=merge(TINY, OVERLAY))
    first = pipeline(checkout)
    lock = checkout / "results/.pipeline.lock"
    while not (lock.exists() and lock.read_text()):
        assert first.poll() is None
        time.sleep(0.1)
    code, output = run(checkout)
    assert code != 0 and "this results folder is in use by process" in output
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    record_fault("two pipelines on one folder", "the second is refused by name")


def interrupt_stage_a(folder: Path) -> None:
    process = pipeline(folder, target="results/criteria/stage_a_top50.json")
    while not list((folder / "results/criteria/runs").glob("*.json")):
        assert process.poll() is None
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


@pytest.mark.long
def test_a_change_in_the_middle_of_a_study_is_refused(checkout: Path, record_fault: RecordFault) -> None:
    interrupt_stage_a(checkout)
    code, output = run(checkout, "--config", "constraints={'optim.lr': {low: 5.0e-4, high: 1.0e-3}}")
    assert code != 0 and "space: optim.lr: low was 0.0004 when the study began and is now 0.0005" in output
    record_fault("search space changed", "refused: parameter, old and new range")
    code, output = run(checkout, "--config", "generator={posts: 70}")
    assert code != 0 and "corpus was" in output and "when the study began" in output
    record_fault("corpus changed", "refused: the corpus of the study is another")
    # The error says to move the study away. After that it starts again.
    shutil.move(checkout / "results/criteria/studies", checkout / "old")
    code, output = run(checkout, "--config", "generator={posts: 70}", target="results/criteria/stage_a_top50.json")
    assert code == 0, output


def run_worker(folder: Path, program: str = "-m lib") -> "subprocess.CompletedProcess[str]":
    words = [*program.split(), "stage-a-worker", "criteria", "--output", "results/criteria/stage_a/worker-0.json"]
    return subprocess.run(
        [sys.executable, *words], cwd=folder, env=environment(folder), capture_output=True, text=True, check=False
    )


def status(folder: Path) -> str:
    command = [sys.executable, "-m", "lib", "status"]
    options = {"cwd": folder, "env": environment(folder)}
    return subprocess.run(command, capture_output=True, text=True, check=True, **options).stdout


@pytest.mark.long
def test_a_clock_that_goes_back(checkout: Path, record_fault: RecordFault) -> None:
    interrupt_stage_a(checkout)
    (checkout / "backwards.py").write_text(
        "import datetime, runpy, sys, time\n"
        "from optuna.storages import JournalStorage\n"
        "start, now = time.time(), time.time\n"
        "time.time = lambda: 2 * start - now() - 3600\n"
        "class Backwards(datetime.datetime):\n"
        "    @classmethod\n"
        "    def now(cls, tz=None):\n"
        "        return cls.fromtimestamp(time.time(), tz)\n"
        "sys.modules[JournalStorage.__module__].datetime = Backwards\n"
        "runpy.run_module('lib', run_name='__main__')\n"
    )
    done = run_worker(checkout, "backwards.py")
    assert done.returncode == 0 and "10/10" in done.stderr, done.stderr
    output = status(checkout)
    assert "stage_a  10/10" in output and "-" not in output.split("best")[1].split("failure")[0]
    record_fault("clock goes back", "budget of trials met; hours that would be negative count as none")


@pytest.fixture
def interrupted_study(copy_of_prepared: Path) -> Path:
    """A folder in which a worker of Stage A was killed, after its first of four trials."""
    change_settings(stage_a={"trials": 4, "seeds": 1})
    command = [sys.executable, "-m", "lib", *worker_command("a").split()]
    with subprocess.Popen(command, env=environment(ROOT), stderr=subprocess.DEVNULL) as process:
        while not list(Path("results/criteria/runs").glob("*.json")):
            assert process.poll() is None
            time.sleep(0.02)
        process.kill()
    return copy_of_prepared


Captured = pytest.CaptureFixture[str]


def continue_search(capfd: Captured) -> tuple[int, str]:
    """Run the remaining trials in this process, and return the exit status and the standard error."""
    capfd.readouterr()
    code = main(worker_command("a").split())
    return code, capfd.readouterr().err


def test_a_torn_and_a_damaged_journal(interrupted_study: Path, record_fault: RecordFault, capfd: Captured) -> None:
    journal = interrupted_study / "results/criteria/studies/criteria-stage_a.journal"
    whole = journal.read_bytes()
    journal.write_bytes(whole + whole.splitlines()[-1][:37])
    code, output = continue_search(capfd)
    assert code == 0 and "4/4" in output, output
    record_fault("journal with a torn tail", "the tail is dropped, budget met")
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([*lines[:5], b"\0" * len(lines[5][:-1]) + b"\n", *lines[6:]]))
    code, output = continue_search(capfd)
    assert code == 1 and "criteria-stage_a.journal: a line is damaged" in output
    assert "Traceback" not in output
    journal.rename(interrupted_study / "damaged")
    runs = {path: path.stat().st_mtime_ns for path in (interrupted_study / "results/criteria/runs").glob("*.json")}
    code, output = continue_search(capfd)
    assert code == 0 and all(path.stat().st_mtime_ns == made for path, made in runs.items())
    record_fault("journal damaged within", "refused; moved away, the study begins again from its finished runs")


def test_a_full_disk(interrupted_study: Path, record_fault: RecordFault, capfd: Captured) -> None:
    results, made = interrupted_study / "results", interrupted_study / "made"
    results.rename(made)
    results.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(results)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small file system cannot be mounted here (needs root)")
    try:
        shutil.copytree(made, results, dirs_exist_ok=True)
        with (results / "ballast").open("wb", buffering=0) as ballast, contextlib.suppress(OSError):
            while True:
                ballast.write(b"\0" * 4096)
        code, output = continue_search(capfd)
        assert code == 1 and "no space left on the disk" in output, output
        assert "Traceback" not in output
        (results / "ballast").unlink()
        code, output = continue_search(capfd)
        assert code == 0 and "4/4" in output, output
        record_fault("disk full", "one line; with space again the budget is met")
    finally:
        subprocess.run(["umount", str(results)], check=True)


def run_disturbed_worker(folder: Path, body: str) -> "subprocess.CompletedProcess[str]":
    """Run a worker that executes the code `body` before each training."""
    (folder / "disturbed.py").write_text(
        "import os, runpy, signal, torch\n"
        "from pathlib import Path\n"
        "from lib.experiment import experiment\n"
        "from lib.training.data import TrainingFailure\n"
        "original = experiment.train\n"
        "def train(model, training_data, device, options, **more):\n"
        f"{body}"
        "    return original(model, training_data, device, options, **more)\n"
        "experiment.train = train\n"
        "runpy.run_module('lib', run_name='__main__')\n"
    )
    return run_worker(folder, "disturbed.py")


@pytest.mark.long
def test_failing_trainings_and_dying_processes(checkout: Path, record_fault: RecordFault) -> None:
    interrupt_stage_a(checkout)
    nan = (
        "    if training_data.hyper.lr > 7e-4:\n"
        "        torch.nn.init.constant_(next(model.parameters()), float('nan'))\n"
    )
    done = run_disturbed_worker(checkout, nan)
    assert done.returncode == 0 and "10/10" in done.stderr, done.stderr
    output = status(checkout)
    failed = int(output.split("failed ")[1].split()[0])
    assert failed > 0 and "running 0" in output.splitlines()[0]
    record_fault("NaN loss", f"{failed} trials failed with their reason, budget met")

    shutil.rmtree(checkout / "results/criteria/studies")
    shutil.rmtree(checkout / "results/criteria/runs")
    killed = "    os.kill(os.getpid(), signal.SIGKILL) if Path('armed').exists() else None\n"
    (checkout / "armed").touch()
    codes = [run_disturbed_worker(checkout, killed).returncode for _ in range(3)]
    assert codes == [-signal.SIGKILL] * 3
    (checkout / "armed").unlink()
    done = run_disturbed_worker(checkout, killed)
    assert done.returncode == 0 and "10/10" in done.stderr, done.stderr
    record_fault("out-of-memory killer, the same trial thrice", "that trial fails, the others continue")
