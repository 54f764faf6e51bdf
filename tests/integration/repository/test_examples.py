"""The commands in the READMEs of the examples run."""

import json
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.checkouts import ROOT, copy_repository

pytestmark = pytest.mark.workflow
EXAMPLES = ROOT / "examples"


def command_of(example: str) -> list[str]:
    """Return the words of the only command in an example's README."""
    [block] = re.findall(r"```bash\n(.*?)```", (EXAMPLES / example / "README.md").read_text(), re.DOTALL)
    return [sys.executable if word == "python" else word for word in shlex.split(block)]


def run(folder: Path, command: list[str]) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(folder)}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=600
    )


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository in which the first example has run."""
    folder = copy_repository(tmp_path_factory.mktemp("examples") / "repository")
    shutil.copytree(EXAMPLES, folder / "examples")
    done = run(folder, command_of("own_corpus"))
    assert done.returncode == 0, done.stderr
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
    results = searched / "results/criteria"
    assert (results / "stage_c.json").exists() and (results / "test.json").exists()


def test_the_final_model_predicts_from_python(searched: Path) -> None:
    done = run(searched, command_of("predict"))
    assert done.returncode == 0, done.stderr
    head, *rows = done.stdout.splitlines()[:4]
    assert head.split() == ["criterion", "post_met", "post_probability"]
    assert {row.split()[0] for row in rows} == {"PAIN", "POOR_SLEEP", "LOW_ENERGY"}
    probabilities = [float(row.split()[2]) for row in rows]
    assert probabilities == sorted(probabilities, reverse=True)
