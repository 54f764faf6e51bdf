"""The real graph in a subprocess, as a user starts it, at a tiny budget."""

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
import yaml
from conftest import ROOT, TINY

pytestmark = pytest.mark.workflow
TARGET = "results/criteria/stage_c.json"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository with a tiny overlay."""
    folder = tmp_path_factory.mktemp("graph") / "repository"
    folder.mkdir()
    for name in ("config", "envs", "lib", "rules", "workflow"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "tiny.yaml").write_text(yaml.safe_dump(TINY))
    return folder


def snakemake(folder: Path, *words: str, **options: object) -> subprocess.CompletedProcess[str]:
    command = ["snakemake", "--cores", "2", "--configfile", "tiny.yaml", *words]
    environment = os.environ | {"PYTHONPATH": str(folder)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def start(folder: Path) -> subprocess.Popen[str]:
    command = ["snakemake", "--cores", "2", "--configfile", "tiny.yaml", "--resources", "gpu=1", "--", TARGET]
    environment = os.environ | {"PYTHONPATH": str(folder)}
    return subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.DEVNULL, start_new_session=True)


def wait_for(path: Path, pattern: str, process: subprocess.Popen[str]) -> None:
    while not list(path.glob(pattern)):
        assert process.poll() is None, "the pipeline ended before it could be killed"
        time.sleep(0.05)


def test_the_whole_graph_survives_kill_9_in_stages_a_and_c_and_a_rerun_does_nothing(checkout: Path) -> None:
    results = checkout / "results/criteria"
    for pattern in ("runs/*.json", "stage_c/0-*.json"):
        process = start(checkout)
        wait_for(results, pattern, process)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    kept = {p: p.stat().st_mtime_ns for p in (results / "runs").iterdir()}
    done = snakemake(checkout, "--resources", "gpu=1", "--", TARGET)
    assert done.returncode == 0, done.stderr
    assert all(p.stat().st_mtime_ns == made for p, made in kept.items())
    for stage, trials in (("stage_a_top50", 8), ("stage_b_pareto", 4)):
        assert sum(json.loads((results / f"{stage}.json").read_text())["counts"].values()) == trials
    again = snakemake(checkout, "--resources", "gpu=1", "--", TARGET)
    assert again.returncode == 0 and "Nothing to be done" in again.stdout + again.stderr

    # A larger budget extends Stage A; the corpus, the backbones and finished runs stay.
    more = snakemake(checkout, "-n", "--config", "stage_a={trials: 9}", "--", TARGET)
    listed = {line.split()[0] for line in (more.stdout + more.stderr).splitlines() if line.strip()}
    assert {"stage_a", "stage_b", "stage_c"} <= listed and not {"corpus", "backbone", "tfidf"} & listed

    # Two pipelines on one folder: the second is refused by name.
    with (results.parent / ".pipeline.lock").open("a") as lock:
        import fcntl

        fcntl.flock(lock, fcntl.LOCK_EX)
        refused = snakemake(checkout, "--forcerun", "stage_c", "--", TARGET)
    assert "this results folder is in use by process" in refused.stderr

    report = snakemake(checkout, "--report", "report.html", "--", TARGET)
    assert report.returncode == 0, report.stderr
    assert (checkout / "report.html").stat().st_size > 10_000


@pytest.mark.parametrize("words", [["-n"], ["--rulegraph"], ["--dag"], ["--lint"]])
def test_snakemakes_own_views_work(checkout: Path, words: list[str]) -> None:
    done = snakemake(checkout, *words)
    assert done.returncode == 0, done.stdout + done.stderr
    if words[0] in {"--rulegraph", "--dag"}:
        assert done.stdout.startswith("digraph")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["stage_a={trails: 3}"], "stage_a.trails: unknown key; did you mean 'trials'?"),
        (["agents=[criterias]"], "agent 'criterias' is unknown; did you mean 'criteria'?"),
        (["corpus={dir: nowhere}"], "corpus.dir: nowhere/posts.csv is missing"),
        (["backbones=none.yaml"], "none.yaml: no such file"),
    ],
)
def test_a_wrong_configuration_is_a_line_before_anything_is_written(
    checkout: Path, words: list[str], expected: str
) -> None:
    before = sorted(checkout.rglob("results/*"))
    refused = snakemake(checkout, "-n", "--config", *words)
    assert refused.returncode == 1
    assert expected in refused.stderr and "Traceback" not in refused.stderr
    assert sorted(checkout.rglob("results/*")) == before
