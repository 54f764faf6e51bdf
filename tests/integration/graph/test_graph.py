"""Run the real graph in a subprocess, as a user does, with a tiny budget."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from support.checkouts import copy_repository
from support.tiny import TINY

from lib.settings.load import merge

pytestmark = pytest.mark.workflow
TARGET = "results/criteria/stage_c.json"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository with a tiny overlay."""
    folder = tmp_path_factory.mktemp("graph") / "repository"
    return copy_repository(folder, tiny=TINY)


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


def open_to_others(file: Path, root: Path) -> bool:
    """Return whether other users can reach and read a file. MLflow copies code with the modes of the code."""
    folders = [folder for folder in file.parents if folder.is_relative_to(root / "results")]
    return bool(file.stat().st_mode & 0o044) and all(folder.stat().st_mode & 0o011 for folder in folders)


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
    for stage, file in (("stage_a", "stage_a_top50"), ("stage_b", "stage_b_pareto")):
        counts = json.loads((results / f"{file}.json").read_text())["counts"]
        assert sum(counts.values()) == TINY[stage]["trials"]
    again = snakemake(checkout, "--resources", "gpu=1", "--", TARGET)
    assert again.returncode == 0 and "Nothing to be done" in again.stdout + again.stderr

    # A larger budget extends Stage A, and does not make the corpus, backbones or TF-IDF again.
    more = snakemake(checkout, "-n", "--config", "stage_a={trials: 7}", "--", TARGET)
    listed = {line.split()[0] for line in (more.stdout + more.stderr).splitlines() if line.strip()}
    assert {"stage_a", "stage_b", "stage_c"} <= listed and not {"corpus", "backbone", "tfidf"} & listed

    # Another objective begins with Stage A again.
    other = snakemake(checkout, "-n", "--config", "objective={metric: f1_micro}", "--", TARGET)
    listed = {line.split()[0] for line in (other.stdout + other.stderr).splitlines() if line.strip()}
    assert {"stage_a_worker", "stage_b_worker", "stage_c_fold"} <= listed

    # A second pipeline on the same folder is refused, and the error names the first one's process.
    with (results.parent / ".pipeline.lock").open("a") as lock:
        import fcntl

        fcntl.flock(lock, fcntl.LOCK_EX)
        refused = snakemake(checkout, "--forcerun", "stage_c", "--", TARGET)
    assert "this results folder is in use by process" in refused.stderr

    # The target `all` makes the final model, test result, reports and MLflow runs, for Snakemake's own report too.
    everything = ["--resources", "gpu=1", "--config", "agents=[criteria]", "--", "all"]
    whole = snakemake(checkout, *everything)
    assert whole.returncode == 0, whole.stderr
    made = ("model/model.safetensors", "test.json", "report.html", "provenance.json", "tracking.json")
    assert all((results / name).exists() for name in made)
    assert (checkout / "results/summary.html").exists() and (checkout / "results/mlflow.db").exists()
    assert len((results / "test_openings.jsonl").read_text().splitlines()) == 1
    assert "Nothing to be done" in "".join((again := snakemake(checkout, *everything)).stdout + again.stderr)
    assert not [p for p in (checkout / "results").rglob("*") if p.is_file() and open_to_others(p, checkout)]
    report = snakemake(checkout, "--report", "report.html", "--config", "agents=[criteria]", "--", "all")
    assert report.returncode == 0, report.stderr
    page = (checkout / "report.html").read_text()
    assert len(page) > 10_000 and "results/criteria/report.html" in page and "results/summary.html" in page


def test_a_search_that_augments_makes_its_bank_first_and_reports_each_methods_effect(checkout: Path) -> None:
    shutil.rmtree(checkout / "results", ignore_errors=True)
    overlay = {
        "constraints": {
            "aug.enabled": {"choices": [True]},
            "aug.strategy": {"choices": ["nlpaug"]},
            "aug.max_replace": {"choices": [0.2]},
        },
        "augmentation": {"variants": 1},
        "stage_a": {"trials": 5},
    }
    (checkout / "augment.yaml").write_text(yaml.safe_dump(merge(TINY, overlay)))
    page = "results/criteria/augmentation.md"
    command = ["snakemake", "--cores", "2", "--configfile", "augment.yaml", "--resources", "gpu=1", "--", page]
    environment = os.environ | {"PYTHONPATH": str(checkout)}
    done = subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    results = checkout / "results"
    bank = json.loads((results / "criteria/augmentation/bank.json").read_text())
    assert len(bank["methods"]) == 10 and not any(entry["errors"] for entry in bank["methods"].values())
    top = json.loads((results / "criteria/stage_a_top50.json").read_text())
    assert {effect["method"] for effect in top["augmentation"]} >= set(bank["methods"])
    runs = [json.loads(path.read_text()) for path in (results / "criteria/runs").glob("*.json")]
    assert all(sum(run["augmented"].values()) > 0 for run in runs)
    shown = (checkout / page).read_text()
    assert "| keyboard | " in shown and "no person wrote them" in shown and "| deletion |" not in shown

    words = ["--method", "keyboard", "--text", "I sleep badly and depression follows", "--variants", "2"]
    shows = [[sys.executable, "-m", "lib", "augment", *more] for more in (words, words, ["--method", "clare"], [])]
    first, again, refused, listed = (
        subprocess.run(show, cwd=checkout, env=environment, capture_output=True, text=True, check=False)
        for show in shows
    )
    assert first.returncode == 0 and first.stdout == again.stdout and first.stdout.count("depression") == 2
    assert refused.returncode == 1 and "method 'clare' is refused: runs a language model" in refused.stderr
    assert len(listed.stdout.splitlines()) == 17


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
        (
            ["corpus={dir: nowhere}"],
            "nowhere/posts.csv: no such file; corpus.dir must hold posts.csv and annotations.csv or redsm5_posts.csv",
        ),
        (["backbones=none.yaml"], "none.yaml: no such file"),
    ],
)
def test_a_wrong_configuration_is_refused_before_anything_is_written(
    checkout: Path, words: list[str], expected: str
) -> None:
    before = sorted(checkout.rglob("results/*"))
    refused = snakemake(checkout, "-n", "--config", *words)
    assert refused.returncode == 1
    assert expected in refused.stderr and "Traceback" not in refused.stderr
    assert sorted(checkout.rglob("results/*")) == before


def test_a_warm_start_waits_for_earlier_agents(checkout: Path) -> None:
    target = "results/evidence/stage_a_top50.json"
    for warm, jobs in (("0", "1"), ("2", "2")):
        done = snakemake(checkout, "-n", "--config", f"stage_a={{warm_start: {warm}}}", "--", target)
        assert done.returncode == 0, done.stderr
        lines = (done.stdout + done.stderr).splitlines()
        planned = dict(line.split() for line in lines if line.startswith("stage_a"))
        assert planned == {"stage_a": jobs, "stage_a_worker": jobs}
