"""Hours, energy and money from the benchmark files."""

from pathlib import Path

import pytest

from lib.reporting.costs import read_costs, total_cost
from lib.settings.config import CostSettings


def test_costs_by_hand(tmp_path: Path) -> None:
    own, shared = tmp_path / "criteria/benchmarks", tmp_path / "benchmarks"
    for folder, name, seconds in (
        (own, "stage_a/worker-0", 3600),
        (own, "stage_a/worker-1", 1800),
        (own, "final", 360),
        (own, "report", 9),
        (own, "tfidf", 3),
        (shared, "corpus", 30),
        (shared, "backbone-x", 3),
    ):
        path = folder / f"{name}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"s\th:m:s\tmax_rss\n{seconds}\t-\tNA\n")
    rates = CostSettings(gpu_watts=300, machine_watts=100, per_kwh=0.5, per_gpu_hour=2.0)
    inputs, a, final = read_costs(tmp_path / "criteria", rates, gpu=True)
    assert (inputs.jobs, inputs.hours, inputs.gpu_hours) == (3, pytest.approx(0.01), 0)
    assert (a.stage, a.jobs, a.hours, a.gpu_hours) == ("Stage A", 2, 1.5, 1.5)
    assert (a.kwh, a.money) == (pytest.approx(0.6), pytest.approx(3.3)) and final.hours == pytest.approx(0.1)
    outer = tmp_path / "outer-1/criteria/benchmarks/stage_b/worker-0.tsv"
    outer.parent.mkdir(parents=True)
    outer.write_text("s\th:m:s\tmax_rss\n7200\t-\tNA\n")
    folds = [tmp_path / f"outer-{number}/criteria" for number in (1, 2)]
    fold = read_costs(tmp_path / "criteria", rates, gpu=True, outer=folds)[-1]
    assert (fold.stage, fold.jobs, fold.hours, fold.gpu_hours) == ("outer folds", 1, 2.0, 2.0)
    whole = total_cost([a, final])
    assert whole.hours == pytest.approx(1.6) and whole.money == pytest.approx(a.money + final.money)
    assert total_cost(read_costs(tmp_path / "criteria", rates, gpu=False)).gpu_hours == 0
