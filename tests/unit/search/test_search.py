import json
import math
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import worker
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from lib.cli.main import main
from lib.errors import UserError
from lib.search.documents import StageA, StageB, TrialResult, read_searched
from lib.search.plans import plan_a
from lib.search.pruning import unjudged
from lib.search.selection import choose_candidates, non_dominated_ranks
from lib.search.stage_a import rank
from lib.search.statistics import corrected_resampled_t_test, corrected_standard_error
from lib.search.study import Place, known
from lib.settings.load import Settings, read_settings, save_settings
from lib.training.engine import Outcome


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=30))
def test_nothing_dominates_the_front_and_each_rank_is_dominated_by_the_one_before(points) -> None:
    ranks = non_dominated_ranks(points)

    def dominates(a, b) -> bool:
        return a[0] >= b[0] and a[1] <= b[1] and a != b

    for point, own in zip(points, ranks, strict=True):
        dominators = [r for p, r in zip(points, ranks, strict=True) if dominates(p, point)]
        assert own == max(dominators, default=-1) + 1


def start_anew() -> None:
    shutil.rmtree("results/criteria/studies")
    shutil.rmtree("results/criteria/runs")


def search(stage: str) -> int:
    return main(worker(stage).split()) or main([f"stage-{stage}", "criteria"])


def change(stage: str, **limits: object) -> Settings:
    """Change a stage's limits in the settings file."""
    settings = read_settings("results/settings.json")
    stage_limits = getattr(settings.config, stage).model_copy(update=limits)
    changed = settings.model_copy(update={"config": settings.config.model_copy(update={stage: stage_limits})})
    save_settings(changed, "results/settings.json")
    return changed


def result(number: int, f1: float, ece: float, rank: int = 0, **more: object) -> TrialResult:
    fields: dict = {"state": "COMPLETE", "params": {"n": number}, "seeds": []}
    return TrialResult(number=number, f1_macro=f1, ece=ece, rank=rank, **fields | more)


def test_candidates_are_the_best_f1_then_spread_then_the_next_rank() -> None:
    pool = [
        result(0, 0.9, 0.3),
        result(1, 0.89, 0.29),
        result(2, 0.5, 0.0),
        result(3, 0.7, 0.1),
        result(4, 0.6, 0.2, 1),
        result(5, 0.9, 0.3, params={"n": 0}),
    ]
    assert [c.trial for c in choose_candidates(pool, 5)] == [0, 2, 3, 1, 4]
    for k in range(1, 5):
        assert choose_candidates(pool, 5)[:k] == choose_candidates(pool, k)
    with pytest.raises(UserError, match="only 5 distinct completed configurations"):
        choose_candidates(pool, 6)


def test_completed_trials_rank_before_pruned_ones_that_got_further_before_the_rest() -> None:
    def seeds(n: int) -> list[dict]:
        return [
            {"seed": 0, "key": "", "f1_macro": 0, "ece": 0, "best_epoch": 1, "epochs_run": n, "stopped": "pruned"}
        ]

    pool = [
        result(0, 0.9, 0, state="PRUNED", seeds=seeds(2)),
        result(1, 0.5, 0),
        result(2, 0.4, 0, state="PRUNED", seeds=seeds(6)),
        result(3, 0.6, 0),
        result(4, 0.0, 0, state="FAIL"),
    ]
    assert [r.number for r in rank(pool)] == [3, 1, 2, 0]


def test_the_corrected_t_test_by_hand() -> None:
    first, second = np.array([0.8, 0.7, 0.9]), np.array([0.7, 0.7, 0.6])
    difference = first - second
    error = math.sqrt((1 / 3 + 0.5) * difference.var(ddof=1))
    found = corrected_resampled_t_test(first, second, 0.5)
    assert found.t == pytest.approx(difference.mean() / error)
    assert found.p == pytest.approx(2 * stats.t.sf(difference.mean() / error, df=2))
    plain = stats.ttest_rel(first, second)
    assert corrected_resampled_t_test(first, second, 0.0).p == pytest.approx(plain.pvalue)
    assert found.p > plain.pvalue
    assert corrected_resampled_t_test(first, first, 0.5).p == 1.0
    assert corrected_resampled_t_test(first, first - 0.25, 0.5).p < 1e-6
    with pytest.raises(ValueError, match="two folds"):
        corrected_standard_error(np.array([0.5]), 0.5)


def test_the_stages_results_hold_what_they_say(copy_of_finished: Path) -> None:
    settings = read_settings("results/settings.json")
    a, b = StageA.read("results/criteria/stage_a_top50.json"), StageB.read("results/criteria/stage_b_pareto.json")
    assert a.counts.complete + a.counts.pruned + a.counts.failed == 8
    survivors = [t for t in a.trials if t.state == "COMPLETE"]
    assert all([s.seed for s in t.seeds] == [0, 1] for t in survivors)
    first_of_b = sorted(b.trials, key=lambda t: t.number)[:2]
    assert [t.params for t in first_of_b] == [t.params for t in a.trials[:2]]
    c = json.loads(Path("results/criteria/stage_c.json").read_text())
    ranked = [entry["f1_macro"]["mean"] for entry in c["ranking"]]
    assert ranked == sorted(ranked, reverse=True) and len(c["ensemble"]["members"]) == 2
    allowed = [e for e in c["ranking"] if e["within_one_standard_error"]]
    assert c["choice"]["ece"]["mean"] == min(e["ece"]["mean"] for e in allowed)
    assert c["provenance"]["corpus_hash"] == a.provenance.corpus_hash and c["schema_version"] == 1
    assert read_searched(StageA, Path("results/criteria/stage_a_top50.json"), settings.space) == a


def test_a_finished_stage_does_nothing_and_a_larger_budget_extends_it(copy_of_finished: Path, monkeypatch) -> None:
    path = Path("results/criteria/stage_a_top50.json")
    before = {run.name for run in Path("results/criteria/runs").iterdir()}
    old = StageA.read(path)
    assert search("a") == 0
    assert {run.name for run in Path("results/criteria/runs").iterdir()} == before
    again = StageA.read(path)
    assert again.trials == old.trials
    change("stage_a", trials=10)
    assert search("a") == 0
    extended = StageA.read(path)
    kept = {t.number: t for t in extended.trials}
    assert all(kept[t.number] == t for t in old.trials)
    assert sum(extended.counts.model_dump().values()) == 10


def test_a_changed_space_is_refused_by_name(copy_of_finished: Path, capsys) -> None:
    settings = read_settings("results/settings.json")
    space = json.loads(Path("results/settings.json").read_text())
    space["space"]["parameters"]["optim.lr"]["high"] = 5e-4
    Path("results/settings.json").write_text(json.dumps(space))
    assert search("a") == 1
    assert "space: optim.lr: high was 0.001 when the study began and is now 0.0005" in capsys.readouterr().err
    assert search("b") == 1
    assert "was searched in another space: optim.lr" in capsys.readouterr().err
    assert read_settings("results/settings.json").space != settings.space


def test_asha_prunes_the_first_seed_and_only_survivors_run_the_others(copy_of_finished: Path, monkeypatch) -> None:
    def train(model, lesson, device, *, on_epoch=None, **_: object) -> Outcome:
        """A training whose F1 depends on the learning rate and grows with the epochs."""
        outcome = Outcome()
        for epoch in (1, 2, 3):
            f1 = lesson.hyper.lr * 500 + epoch / 100
            outcome.history.append({"epoch": epoch, "loss": 1.0, "f1_macro": f1, "ece": 0.1})
            outcome.scores, outcome.best_epoch = {"f1_macro": f1, "ece": 0.1}, epoch
            if on_epoch is not None and on_epoch(epoch, f1):
                outcome.stopped = "pruned"
                break
        return outcome

    monkeypatch.setattr("lib.search.experiment.train", train)
    start_anew()
    assert search("a") == 0
    result = StageA.read("results/criteria/stage_a_top50.json")
    complete = [t for t in result.trials if t.state == "COMPLETE"]
    pruned = [t for t in result.trials if t.state == "PRUNED"]
    assert complete and pruned and result.counts.pruned == len(pruned)
    assert all([s.seed for s in t.seeds] == [0, 1] for t in complete)
    assert all(len(t.seeds) == 1 for t in pruned) and any(t.seeds[0].epochs_run < 3 for t in pruned)
    ended = sum(t.seeds[0].epochs_run == 3 for t in pruned)
    assert len(list(Path("results/criteria/runs").iterdir())) == 2 * len(complete) + ended
    best = max(result.trials, key=lambda t: t.params["optim.lr"])
    assert best.state == "COMPLETE" and result.trials[0] == best


def better_with_the_rate(model, lesson, device, *, on_epoch=None, seed=0, **_: object) -> Outcome:
    """A training whose F1 rises and whose ECE falls with the learning rate; splits differ, the same for all."""
    shift, noise = seed % 7 / 100, (seed + int(1e9 * lesson.hyper.lr)) % 11 / 1e4
    scores = {"f1_macro": lesson.hyper.lr * 500 + shift + noise, "ece": 0.6 - lesson.hyper.lr * 500 + shift}
    return Outcome(scores, 1, [{"epoch": 1, "loss": 1.0, **scores}])


@pytest.mark.parametrize("sampler", ["nsga2", "tpe"])
def test_racing_gives_up_what_is_dominated_after_a_seed_and_keeps_the_front(
    copy_of_finished: Path, monkeypatch, sampler: str
) -> None:
    monkeypatch.setattr("lib.search.experiment.train", better_with_the_rate)
    start_anew()
    change("stage_b", trials=16, seeds=3, population=4, sampler=sampler)
    assert search("a") == 0 and search("b") == 0
    raced = StageB.read("results/criteria/stage_b_pareto.json")
    assert raced.counts.pruned >= 4 and raced.counts.complete + raced.counts.pruned == 16
    assert all(len(t.seeds) == 3 for t in raced.trials), "only completed ones are ranked"
    studied = known(Place("criteria/stage_b", Path("results/criteria/studies"), None)) or []
    rates = {t.number: t.params["optim.lr"] for t in studied}
    best = max(rates, key=lambda number: rates[number])
    assert raced.trials[0].number == best, "the best is never given up"
    start_anew()
    change("stage_b", racing=False)
    assert search("a") == 0 and search("b") == 0
    assert StageB.read("results/criteria/stage_b_pareto.json").counts.pruned == 0


def test_rungs_judge_seeds_too(copy_of_finished: Path, monkeypatch) -> None:
    monkeypatch.setattr("lib.search.experiment.train", better_with_the_rate)
    start_anew()
    change("stage_a", trials=24, seeds=3, epochs=1)
    assert search("a") == 0
    seeds = [len(t.seeds) for t in StageA.read("results/criteria/stage_a_top50.json").trials]
    assert seeds == sorted(seeds, reverse=True) and seeds.count(1) > seeds.count(2) > 0 and seeds.count(3) > 0


def test_stage_a_by_a_gaussian_process_ends_at_the_best_rate(copy_of_finished: Path, monkeypatch) -> None:
    monkeypatch.setattr("lib.search.experiment.train", better_with_the_rate)
    start_anew()
    change("stage_a", trials=24, seeds=1, epochs=1, sampler="gp")
    assert search("a") == 0
    found = StageA.read("results/criteria/stage_a_top50.json")
    assert sum(found.counts.model_dump().values()) == 24
    assert found.trials[0].params["optim.lr"] == pytest.approx(1e-3, rel=0.01), "the highest there is"


def test_a_warm_start_tries_the_best_of_earlier_agents_early(copy_of_finished: Path) -> None:
    best = StageA.read("results/criteria/stage_a_top50.json")
    settings = read_settings("results/settings.json")
    assert settings.config.earlier("evidence") == ()
    warm = change("stage_a", warm_start=2)
    assert warm.config.earlier("evidence") == ("criteria",) and warm.config.earlier("criteria") == ()
    plan, cold = plan_a(warm, "evidence", [best]), plan_a(settings, "evidence")
    first = min(unjudged(warm.config.stage_a.reduction), warm.config.stage_a.startup_trials)
    assert plan.fixed[first : first + 2] == [t.params for t in best.trials[:2]]
    assert [*plan.fixed[:first], *plan.fixed[first + 2 :]] == list(cold.fixed)
    Path("results/criteria/stage_a_top50.json").unlink()
    assert main(worker("a", "evidence").split()) == 1, "it needs what it begins with"


def test_failed_trials_are_recorded_with_their_reason_and_the_study_goes_on(
    copy_of_finished, monkeypatch, capsys
) -> None:
    from lib.training.lesson import TrainingFailure

    def fails(*_: object, **__: object) -> None:
        raise TrainingFailure("the loss is not finite")

    monkeypatch.setattr("lib.search.experiment.train", fails)
    start_anew()
    assert search("a") == 1
    shown = capsys.readouterr().err
    assert "8/8" in shown and "failed 8" in shown
    assert "no trial gave a result (the loss is not finite)" in shown
    assert search("b") == 1
    assert "stage B of criteria: no trial gave a result" in capsys.readouterr().err


def test_kill_9_in_the_middle_of_stage_a_loses_nothing(copy_of_finished: Path) -> None:
    """The interrupted study ends at the budget, with the trials of the unbroken one, its runs not trained again."""
    unbroken = StageA.read("results/criteria/stage_a_top50.json")
    start_anew()
    command = [sys.executable, "-m", "lib", *worker("a").split()]
    root = Path(__file__).parents[3]
    environment = os.environ | {"PYTHONPATH": str(root)}
    with subprocess.Popen(command, stderr=subprocess.PIPE, env=environment, text=True) as process:
        assert process.stderr is not None
        while "  3/8  " not in process.stderr.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGKILL)
    kept = {p.name: p.stat().st_mtime_ns for p in Path("results/criteria/runs").iterdir()}
    assert kept
    subprocess.run(command, check=True, env=environment)
    assert main(["stage-a", "criteria"]) == 0
    resumed = StageA.read("results/criteria/stage_a_top50.json")
    assert resumed.trials == unbroken.trials and resumed.counts == unbroken.counts
    now = {p.name: p.stat().st_mtime_ns for p in Path("results/criteria/runs").iterdir()}
    assert all(now[name] == time for name, time in kept.items())
