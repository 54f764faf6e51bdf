"""The commands in the READMEs of the examples run, and the search of the first one survives `kill -9`."""

import fcntl
import json
import os
import re
import runpy
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.checkouts import ROOT, copy_repository

from lib.settings.load import read_yaml

pytestmark = pytest.mark.workflow
EXAMPLES = ROOT / "examples"
RESULTS = Path("results/criteria")


def command_of(example: str) -> list[str]:
    """Return the words of the only command in an example's README."""
    [block] = re.findall(r"```bash\n(.*?)```", (EXAMPLES / example / "README.md").read_text(), re.DOTALL)
    return [sys.executable if word == "python" else word for word in shlex.split(block)]


def environment(folder: Path) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(folder)}


def run(folder: Path, command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=folder, env=environment(folder), capture_output=True, text=True, check=False, timeout=600
    )


def snakemake(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run Snakemake with the first example's configuration."""
    command = command_of("own_corpus")
    return run(folder, [*command[: command.index("--")], *words])


def listed_rules(done: subprocess.CompletedProcess[str]) -> set[str]:
    """Return the first words of the lines that Snakemake printed, among them the rules of its table of jobs."""
    assert done.returncode == 0, done.stderr
    return {line.split()[0] for line in (done.stdout + done.stderr).splitlines() if line.strip()}


def kill_once_there_is(pattern: str, folder: Path) -> None:
    """Start the first example, and kill all its processes as soon as a file appears."""
    process = subprocess.Popen(
        command_of("own_corpus"),
        cwd=folder,
        env=environment(folder),
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    while not list((folder / RESULTS).glob(pattern)):
        assert process.poll() is None, "the pipeline ended before it could be killed"
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def open_to_others(file: Path, root: Path) -> bool:
    """Return whether other users can reach and read a file. MLflow copies code with the modes of the code."""
    folders = [folder for folder in file.parents if folder.is_relative_to(root / "results")]
    return bool(file.stat().st_mode & 0o044) and all(folder.stat().st_mode & 0o011 for folder in folders)


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository in which the first example was killed in Stage C, and then ran to its end."""
    folder = copy_repository(tmp_path_factory.mktemp("examples") / "repository")
    shutil.copytree(EXAMPLES, folder / "examples")
    kill_once_there_is("stage_c/0-*.json", folder)
    kept = {path: path.stat().st_mtime_ns for path in (folder / RESULTS / "runs").iterdir()}
    done = run(folder, command_of("own_corpus"))
    assert done.returncode == 0, done.stderr
    assert all(path.stat().st_mtime_ns == made for path, made in kept.items()), "a finished training ran again"
    return folder


def test_the_script_writes_the_corpus_of_the_example(tmp_path: Path) -> None:
    runpy.run_path(str(EXAMPLES / "own_corpus/write_corpus.py"))["write_corpus"](tmp_path)
    for name in ("posts.csv", "annotations.csv", "criteria.json"):
        assert (tmp_path / name).read_bytes() == (EXAMPLES / "own_corpus/corpus" / name).read_bytes(), name


def test_a_search_on_an_own_corpus_ends_with_a_tested_model(searched: Path) -> None:
    corpus = json.loads((searched / "results/corpus/corpus.json").read_text())
    assert not corpus["generated"] and sum(corpus["posts"].values()) == 40
    assert list(corpus["criteria"]) == ["PAIN", "POOR_SLEEP", "LOW_ENERGY"]
    assert not corpus["oddities"]
    assert (searched / RESULTS / "stage_c.json").exists() and (searched / RESULTS / "test.json").exists()


def test_a_killed_search_ends_with_its_budget(searched: Path) -> None:
    budgets = read_yaml(str(EXAMPLES / "own_corpus/config.yaml"))
    for stage, file in (("stage_a", "stage_a_top50"), ("stage_b", "stage_b_pareto")):
        counts = json.loads((searched / RESULTS / f"{file}.json").read_text())["counts"]
        assert sum(counts.values()) == budgets[stage]["trials"]


def test_a_changed_configuration_repeats_only_what_depends_on_it(searched: Path) -> None:
    target = ["--", str(RESULTS / "stage_c.json")]
    # A larger budget extends Stage A, and does not make the corpus, backbones or TF-IDF again.
    listed = listed_rules(snakemake(searched, "-n", "--config", "stage_a={trials: 7}", *target))
    assert {"stage_a", "stage_b", "stage_c"} <= listed and not {"corpus", "backbone", "tfidf"} & listed
    # Another objective begins with Stage A again.
    listed = listed_rules(snakemake(searched, "-n", "--config", "objective={metric: f1_micro}", *target))
    assert {"stage_a_worker", "stage_b_worker", "stage_c_fold"} <= listed


def test_a_second_pipeline_on_the_same_folder_is_refused_and_names_the_firsts_process(searched: Path) -> None:
    with (searched / "results/.pipeline.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        refused = snakemake(searched, "--forcerun", "stage_c", "--", str(RESULTS / "stage_c.json"))
    assert "this results folder is in use by process" in refused.stderr


def test_the_target_all_makes_reports_and_mlflow_runs_for_snakemakes_own_report_too(searched: Path) -> None:
    everything = ["--resources", "gpu=1", "--", "all"]
    whole = snakemake(searched, *everything)
    assert whole.returncode == 0, whole.stderr
    made = ("model/model.safetensors", "test.json", "report.html", "provenance.json", "tracking.json")
    assert all((searched / RESULTS / name).exists() for name in made)
    assert (searched / "results/summary.html").exists() and (searched / "results/mlflow.db").exists()
    assert len((searched / RESULTS / "test_openings.jsonl").read_text().splitlines()) == 1
    assert "Nothing to be done" in "".join((again := snakemake(searched, *everything)).stdout + again.stderr)
    assert not [p for p in (searched / "results").rglob("*") if p.is_file() and open_to_others(p, searched)]
    report = snakemake(searched, "--report", "report.html", "--", "all")
    assert report.returncode == 0, report.stderr
    page = (searched / "report.html").read_text()
    assert len(page) > 10_000 and "results/criteria/report.html" in page and "results/summary.html" in page


def test_the_final_model_predicts_from_python(searched: Path) -> None:
    done = run(searched, command_of("predict"))
    assert done.returncode == 0, done.stderr
    population, head, *rows = done.stdout.splitlines()[:5]
    assert population == "The decision rules were fitted at natural prevalence."
    assert head.split() == ["criterion", "post_met", "post_probability"]
    assert {row.split()[0] for row in rows} == {"PAIN", "POOR_SLEEP", "LOW_ENERGY"}
    probabilities = [float(row.split()[2]) for row in rows]
    assert probabilities == sorted(probabilities, reverse=True)
