"""Nested cross-validation repeats the whole search in each outer fold."""

import json
import os
import subprocess
from pathlib import Path

import pandas as pd
import pytest
import yaml
from support.checkouts import copy_repository
from support.tiny import TINY

from lib.reporting.nested import deviations
from lib.schemas.evaluation import NestedResult, StageCResult, TestEvaluation
from lib.settings.load import merge

pytestmark = pytest.mark.workflow


def test_each_outer_fold_repeats_the_search_and_no_post_of_it_is_seen_before(tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    copy_repository(checkout)
    small = {
        "outer_folds": 2,
        "generator": {"posts": 90},
        "stage_a": {"trials": 3, "seeds": 1},
        "stage_b": {"trials": 2, "seeds": 1, "warm_start": 1},
        "stage_c": {"candidates": 1, "ensemble": 1},
    }
    (checkout / "nested.yaml").write_text(yaml.safe_dump(merge(TINY, small)))
    command = ["snakemake", "--cores", "2", "--configfile", "nested.yaml", "--resources", "gpu=1", "--"]
    environment = os.environ | {"PYTHONPATH": str(checkout)}
    done = subprocess.run(
        [*command, "results/criteria/report.html"],
        cwd=checkout,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
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
    assert "Nested cross-validation" in (results / "criteria/report.html").read_text()
    main = StageCResult.read(results / "criteria/stage_c.json"), TestEvaluation.read(results / "criteria/test.json")
    check_deviations(nested, *main)


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
