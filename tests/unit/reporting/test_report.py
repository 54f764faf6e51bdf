"""The report: what it shows, and that a browser draws all of it."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
import pytest
from conftest import settings_with
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState, create_trial

from lib.cli.main import main
from lib.reporting import figures
from lib.reporting.costs import costs, total
from lib.reporting.page import Section, Table, page
from lib.settings.config import CostSettings, StageASettings

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture
def reported(copy_of_finished: Path) -> str:
    folder = Path("results/criteria/benchmarks/stage_a")
    folder.mkdir(parents=True)
    (folder / "worker-0.tsv").write_text("s\th:m:s\tmax_rss\n3600\t1:00:00\t812.3\n")
    settings_with(agents=["criteria"])
    assert main(["report", "criteria"]) == 0 and main(["summary"]) == 0
    return Path("results/criteria/report.html").read_text()


def test_a_model_that_gives_one_answer_is_named(reported: str) -> None:
    path = Path("results/criteria/test.json")
    told = json.loads(path.read_text())
    confusion = told["models"][0]["scores"]["confusion"]
    for yes, no, said in ((0, 3, "It answers no to every"), (4, 0, "It answers yes to every"), (1, 3, "")):
        confusion |= {"true_positive": yes, "false_positive": 0, "false_negative": no, "true_negative": no}
        path.write_text(json.dumps(told))
        assert main(["report", "criteria"]) == 0
        page_ = Path("results/criteria/report.html").read_text()
        assert said in page_ and ("It answers" in page_) == bool(said)


def test_it_tells_of_everything_and_holds_no_text(reported: str, capsys) -> None:
    titles = re.findall(r"<h2[^>]*>(.*?)</h2>", reported)
    assert titles == [
        "Test set",
        "Criteria",
        "Calibration",
        "Stage A: history",
        "Stage A: rungs",
        "Stage A: parallel coordinates",
        "Stage B: Pareto front",
        "Stage C: cross-validation",
        "Learning curves",
        "Time and cost",
        "The chosen configuration",
        "Where it comes from",
    ], "too few trials for importances; nothing augmented, nothing failed"
    assert reported.count("<svg") == 8
    texts = pd.read_parquet("results/corpus/posts.parquet")["text"]
    for page_ in (reported, Path("results/summary.html").read_text(), Path("results/summary.json").read_text()):
        assert not any(text[:30] in page_ for text in texts)
    assert not re.search(r"(?:src|href)=\"(?!#|data:)", reported), "nothing is fetched"
    ids = re.findall(r'\bid="([^"]+)"', reported)
    assert len(ids) == len(set(ids))
    assert "| criteria | tiny-bert |" in Path("results/summary.md").read_text()
    assert main(["report", "evidence"]) == 1


@pytest.mark.skipif(BROWSER is None, reason="no chromium here: apt-get install chromium")
@pytest.mark.parametrize("width", [400, 1200])
def test_a_browser_draws_every_picture_without_complaint(reported: str, tmp_path: Path, width: int) -> None:
    probe = """<script>
    const boxes = [...document.querySelectorAll('svg')].map(s => {
      const box = s.getBoundingClientRect(); return [box.width, box.height, s.querySelectorAll('path').length]; });
    document.title = JSON.stringify({boxes, overflow: document.documentElement.scrollWidth - innerWidth});
    </script></body>"""
    file = tmp_path / "report.html"
    file.write_text(reported.replace("</body>", probe))
    words = ["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", f"--window-size={width},900"]
    assert BROWSER is not None
    done = subprocess.run(
        [BROWSER, *words, "--dump-dom", file.as_uri()], capture_output=True, text=True, timeout=120, check=True
    )
    found = json.loads(re.search(r"<title>(.*?)</title>", done.stdout).group(1))
    assert len(found["boxes"]) == 8 and found["overflow"] <= 0
    assert all(w > 100 and h > 50 and paths > 5 for w, h, paths in found["boxes"])
    assert "CONSOLE" not in done.stderr


def trial(number: int, lr: float, kind: str, f1: float, state=TrialState.COMPLETE, steps=None):
    made = create_trial(
        params={"lr": lr, "kind": kind},
        distributions={"lr": FloatDistribution(1e-5, 1e-2, log=True), "kind": CategoricalDistribution(["a", "b"])},
        value=f1,
        state=state,
        intermediate_values=steps or {},
        user_attrs={"seeds": [{"f1_macro": f1}]},
    )
    made.number = number
    return made


def test_importance_finds_what_mattered() -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    rng = np.random.default_rng(0)
    trials = [
        trial(n, lr := float(10 ** rng.uniform(-5, -2)), str(rng.choice(["a", "b"])), -abs(np.log10(lr) + 3))
        for n in range(60)
    ]
    found = figures.importances(trials, 0)
    assert next(iter(found)) == "lr" and all(found["lr"][i] > 0.8 for i in (0, 1))
    assert figures.importances(trials[:5], 0) == {} and "<svg" in figures.importance(found)


def test_rungs_count_who_came_and_who_went_on() -> None:
    limits = StageASettings(trials=4, epochs=4, seeds=2, min_epochs=2, reduction=2)
    steps = [{1: 0.1, 2: 0.2}, {1: 0.1, 2: 0.3, 3: 0.4, 4: 0.4}, {1: 0.1, 2: 0.3, 3: 0.4, 4: 0.4}]
    states = [TrialState.PRUNED, TrialState.PRUNED, TrialState.COMPLETE]
    trials = [
        trial(n, 1e-3, "a", 0.4, state, step) for n, (state, step) in enumerate(zip(states, steps, strict=True))
    ]
    assert figures.rung_counts(trials, limits) == [("epoch 2", 3, 2), ("seed 1", 2, 1)]


def test_hypervolume_by_hand() -> None:
    assert figures.hypervolume([(0.5, 0.2)]) == pytest.approx(0.5 * 0.8)
    assert figures.hypervolume([(0.5, 0.2), (0.8, 0.5), (0.4, 0.3)]) == pytest.approx(0.5 * 0.8 + 0.3 * 0.5)


def test_costs_by_hand(tmp_path: Path) -> None:
    for name, seconds in (("stage_a/worker-0", 3600), ("stage_a/worker-1", 1800), ("final", 360), ("report", 9)):
        path = tmp_path / f"{name}.tsv"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"s\th:m:s\tmax_rss\n{seconds}\t-\tNA\n")
    rates = CostSettings(gpu_watts=300, machine_watts=100, per_kwh=0.5, per_gpu_hour=2.0)
    a, final = costs(tmp_path, rates, gpu=True)
    assert (a.stage, a.jobs, a.hours, a.gpu_hours) == ("Stage A", 2, 1.5, 1.5)
    assert (a.kwh, a.money) == (pytest.approx(0.6), pytest.approx(3.3)) and final.hours == pytest.approx(0.1)
    whole = total([a, final])
    assert whole.hours == pytest.approx(1.6) and whole.money == pytest.approx(a.money + final.money)
    assert total(costs(tmp_path, rates, gpu=False)).gpu_hours == 0


def test_a_page_escapes_what_it_is_told() -> None:
    made = page("<b>", ["a & b"], [Section("s", tables=[Table(["<i>"], [["<script>"]])]), Section("left out")])
    assert "<script>" not in made and "&lt;b&gt;" in made and "left out" not in made
