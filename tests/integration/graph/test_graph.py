"""Run the real graph in a subprocess, as a user does, with a tiny budget."""

import json
import os
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest
import yaml
from support.checkouts import copy_repository
from support.tiny import TINY

from lib.augmentation.augmenter import AugmentableTexts
from lib.augmentation.bank import MethodVariants, variants_path
from lib.augmentation.edits import Edit
from lib.cli.main import main
from lib.experiment import model_builder
from lib.experiment.experiment import Experiment
from lib.reporting.nested import deviations
from lib.schemas.evaluation import NestedResult, StageCResult, TestEvaluation
from lib.settings.load import merge, read_settings

pytestmark = pytest.mark.workflow


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository with a tiny overlay."""
    folder = tmp_path_factory.mktemp("graph") / "repository"
    return copy_repository(folder, tiny=TINY)


def snakemake(folder: Path, *words: str, overlay: str = "tiny") -> subprocess.CompletedProcess[str]:
    command = ["snakemake", "--cores", "2", "--configfile", f"{overlay}.yaml", *words]
    environment = os.environ | {"PYTHONPATH": str(folder)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_a_search_that_augments_makes_its_bank_first_and_reports_each_methods_effect(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    overlay = {
        "constraints": {
            "aug.enabled": {"choices": [True]},
            "aug.strategy": {"choices": ["nlpaug"]},
            "aug.max_replace": {"choices": [0.2]},
        },
        "augmentation": {"variants": 1},
        "stage_a": {"trials": 5, "seeds": 1},
    }
    (checkout / "augment.yaml").write_text(yaml.safe_dump(merge(TINY, overlay)))
    page = "results/criteria/augmentation.md"
    # One core, so that one process loads the augmentation libraries.
    command = ["snakemake", "--cores", "1", "--configfile", "augment.yaml", "--resources", "gpu=1", "--", page]
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

    monkeypatch.chdir(checkout)
    check_that_a_split_augments_by_words_of_its_training_part()
    words = ["augment", "--method", "keyboard", "--text", "I sleep badly and depression follows", "--variants", "2"]
    command = [sys.executable, "-m", "lib", *words]
    shown = subprocess.check_output(command, cwd=checkout, env=environment, text=True)
    assert shown.count("depression") == 2
    # In this process the command must not replace it by one with a fixed hash seed.
    monkeypatch.setenv("PYTHONHASHSEED", "0")
    assert main(words) == 0 and capsys.readouterr().out == shown
    assert main(["augment", "--method", "clare"]) == 1
    assert "method 'clare' is refused: runs a language model" in capsys.readouterr().err
    assert main(["augment"]) == 0 and len(capsys.readouterr().out.splitlines()) == 17


def check_that_a_split_augments_by_words_of_its_training_part() -> None:
    """Check the method `tfidf`, which inserts words, and the antonym guard, which weighs the words of a text."""
    made = Experiment(read_settings("results/settings.json"), "criteria", Path("results"))
    bank, examples = made.builder.bank, made.examples
    texts = AugmentableTexts(examples, whole=True)
    brought, every = set(), {word for text in examples.text for word in re.findall(r"\w+", text.lower())}
    for name, train in made.splits.training_parts().items():
        seen = {word for i in train for word in re.findall(r"\w+", examples.text[i].lower())}
        file = variants_path(Path("results/cache/augmentation"), bank.splits[name].variants)
        variants = MethodVariants(file, bank.levels, bank.variants)
        rows = np.array(sorted({row for i in train for row in texts.rows[i]}))
        edits = variants.variants(rows, bank.levels[0], np.zeros_like(rows))
        inserted = {word for row in edits for e in row for word in re.findall(r"\w+", e.text.lower())}
        assert len(inserted) > 20 and inserted <= seen, name
        with (
            patch.object(model_builder, "Augmenter") as made_for_split,
            patch.object(model_builder, "EpochAugmentation"),
        ):
            made.builder.augmentation(None, None, train, name, seed=0)
        weights = made_for_split.call_args.args[3]
        known = {word for word in every if weights.is_low(word, [Edit(0, 0, len(word), "x")])[0]}
        assert known <= seen and len(known) > 20, "a word that the split's TF-IDF does not know is never low"
        brought.add(frozenset(inserted))
    assert len(brought) == 1 + 2 + 1, "a development split, two folds, and all posts"


def test_snakemake_draws_the_graph(checkout: Path) -> None:
    """The documentation's commands cover dry runs and --rulegraph, and `make check` covers --lint."""
    done = snakemake(checkout, "--dag")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("digraph")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["stage_a={trails: 3}"], "stage_a.trails: unknown key; did you mean 'trials'?"),
        (["agents=[criterias]"], "agent 'criterias' is unknown; did you mean 'criteria'?"),
        (
            ["corpus={dir: nowhere}"],
            "nowhere/posts.csv: no such file; corpus.dir must hold posts.csv or redsm5_posts.csv",
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


def run_planned(overlay: str, target: str) -> None:
    """Run the commands that Snakemake plans for a target in this process, which saves the start of each job.

    Afterwards Snakemake finds everything that the rules declare. The working directory is a checkout.
    """
    assert main(["settings", "--config", "config/config.yaml", "--config", f"{overlay}.yaml"]) == 0
    # The profile is quiet about shell commands too.
    planned = snakemake(Path.cwd(), "-n", "-p", "--quiet", "host", "--", target, overlay=overlay)
    commands = re.findall(r"^Shell command: python -m lib (.+)$", planned.stdout + planned.stderr, re.MULTILINE)
    assert commands, planned.stderr
    for command in commands:
        assert main(shlex.split(command)) == 0, command
    done = snakemake(Path.cwd(), "--", target, overlay=overlay)
    assert done.returncode == 0 and "Nothing to be done" in done.stdout + done.stderr, done.stderr


@pytest.mark.no_cover
def test_each_outer_fold_repeats_the_search_and_no_post_of_it_is_seen_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    checkout = tmp_path / "checkout"
    copy_repository(checkout)
    small = {
        "outer_folds": 2,
        "generator": {"posts": 60},
        "stage_a": {"trials": 3, "seeds": 1},
        "stage_b": {"trials": 2, "seeds": 1, "warm_start": 1},
        "stage_c": {"candidates": 1, "ensemble": 1},
    }
    (checkout / "nested.yaml").write_text(yaml.safe_dump(merge(TINY, small)))
    monkeypatch.chdir(checkout)
    # What Snakemake measures of a job. It would repeat the job if this were older than the job's input.
    measured = Path("results/outer-1/criteria/benchmarks/stage_a/worker-0.tsv")
    measured.parent.mkdir(parents=True)
    measured.write_text("s\th:m:s\tmax_rss\tcpu_time\n7.25\t0:00:07\t500.0\t6.5\n")
    os.utime(measured, (later := time.time() + 3600, later))
    run_planned("nested", "results/criteria/report.html")
    results = checkout / "results"
    whole, *outer = (pd.read_parquet(results / name / "corpus/splits.parquet") for name in ("", "outer-1", "outer-2"))
    parts = [{part: set(rows["post_id"]) for part, rows in split.groupby("part")} for split in (whole, *outer)]
    assert parts[1]["test"] | parts[2]["test"] == parts[0]["development"] and not parts[1]["test"] & parts[2]["test"]
    for number, own in enumerate(parts[1:], 1):
        assert own["development"] | own["test"] == parts[0]["development"]
        paths = (results / f"outer-{number}/criteria/stage_c").glob("?-?.json")
        names = [name for path in paths for name in json.loads(path.read_text())["examples"]]
        seen = {name.split(" ")[0] for name in names if not name.startswith("row ")}
        assert seen == own["development"], "the search saw no post of its outer fold, nor of the test set"
    nested = NestedResult.read(results / "criteria/nested.json")
    tests = [TestEvaluation.read(results / f"outer-{number}/criteria/test.json") for number in (1, 2)]
    scores = [test.models[0].scores["f1_macro"] for test in tests]
    assert [each["score"] for each in nested.searches] == scores and nested.score["mean"] == pytest.approx(
        sum(scores) / 2
    )
    page = (results / "criteria/report.html").read_text()
    assert "Nested cross-validation" in page and "outer folds</td>" in page, "with their costs"
    chosen = StageCResult.read(results / "criteria/stage_c.json"), TestEvaluation.read(results / "criteria/test.json")
    check_deviations(nested, *chosen)
    check_commands_know_outer_folds(capsys)


def check_commands_know_outer_folds(capsys: pytest.CaptureFixture[str]) -> None:
    """Check that a fold's trial is reproduced, and that all searches are watched and uploaded."""
    assert main(["provenance", "criteria", "--results", "results/outer-2"]) == 0
    assert main(["reproduce", "results/outer-2/criteria/provenance.json"]) == 0
    assert "The scores are equal." in capsys.readouterr().out
    assert main(["watch", "--once"]) == 0
    assert f"{3 * (3 + 2)} trials ended" in capsys.readouterr().out
    # In a process of its own, because MLflow keeps the database of an earlier folder open.
    command = [sys.executable, "-m", "lib", "sync", "--output", "tracking.json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "version '2'" not in done.stderr, done.stderr
    uploaded = json.loads(Path("tracking.json").read_text())["runs"]
    stages = ("stage_a", "stage_b", "stage_c", "final")
    assert set(uploaded) == {f"{fold}criteria/{stage}" for fold in ("", "outer-1/", "outer-2/") for stage in stages}


def check_deviations(nested: NestedResult, result: StageCResult, test: TestEvaluation) -> None:
    """Check that the deviations are those of scores with known variances."""
    result.choice["objective"]["folds"] = [0.4, 0.6]
    objective = type("Objective", (), {"values": staticmethod(lambda scores: (scores["f1"], 0.0))})()
    test = test.model_copy(update={"seeds": [{"f1": 0.5}, {"f1": 0.52}]})
    found = deviations(objective, result, test, outer=[0.3, 0.7])  # type: ignore[arg-type]
    seeds, splits, searches = 0.02**2 / 2, 0.2**2 / 2, 0.4**2 / 2
    assert found["seeds"]["measured"] == pytest.approx(seeds**0.5)
    assert found["splits"]["own"] == pytest.approx((splits - seeds) ** 0.5)
    assert found["searches"]["own"] == pytest.approx((searches - (splits - seeds) - seeds / 2) ** 0.5)
    assert deviations(objective, result, test)["searches"] == {"measured": None, "own": None}  # type: ignore[arg-type]
    assert set(nested.deviations) == set(found)
