"""Several processes run the trials of a study and lose none of them."""

import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from optuna.trial import TrialState
from support.studies import run_trials, sampler, start_workers, study_in
from support.tiny import tiny_settings

from lib.errors import UserError
from lib.studies.budget import Budget
from lib.studies.optuna_internals import ENQUEUED_PARAMS
from lib.studies.study import MAX_DEATHS, fail_trial, suggest_params
from lib.studies.worker_registry import WorkerRegistry


def test_a_study_has_one_budget_and_resumes_an_interrupted_trial(tmp_path: Path) -> None:
    space = tiny_settings().space
    unbroken = run_trials(study_in(tmp_path / "a"), 8, space)
    first = run_trials(study_in(tmp_path / "b"), 8, space, stop_after=4)
    rest = run_trials(study_in(tmp_path / "b"), 8, space)
    assert first[:4] + rest == unbroken and len(rest) == 4
    ended = study_in(tmp_path / "b")
    assert [t.state for t in ended.finished_trials()] == [TrialState.COMPLETE] * 8
    assert run_trials(ended, 8, space) == []
    assert len(run_trials(ended, 10, space)) == 2


def test_fixed_trials_come_first_and_once(tmp_path: Path) -> None:
    space = tiny_settings().space
    wanted = run_trials(study_in(tmp_path / "a"), 2, space)
    study = study_in(tmp_path / "b")
    killed = run_trials(study, 4, space, enqueued=wanted, stop_after=0)
    rest = run_trials(study, 4, space, enqueued=wanted)
    assert killed == wanted[:1] and rest[:2] == wanted and len(rest) == 4


def test_a_study_that_is_extended_tries_what_has_been_found_since(tmp_path: Path) -> None:
    """A longer Stage A hands better trials over to a Stage B that has begun."""
    space = tiny_settings().space
    wanted = run_trials(study_in(tmp_path / "a"), 3, space)
    study = study_in(tmp_path / "b")
    run_trials(study, 4, space, enqueued=wanted[:2])
    assert run_trials(study, 6, space, enqueued=[wanted[2], *wanted[:2]])[0] == wanted[2]
    given = [trial.system_attrs.get(ENQUEUED_PARAMS) for trial in study.finished_trials()]
    assert given == [*wanted[:2], None, None, wanted[2], None]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.slow
def test_processes_killed_and_started_at_any_time_reach_the_budget(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    # On a slow machine one trial may be killed three times.
    monkeypatch.setattr("lib.studies.study.MAX_DEATHS", 100)
    rng, budget = np.random.default_rng(seed), 120
    study_in(tmp_path)
    running = start_workers(tmp_path, 3, budget)
    for _ in range(6):
        time.sleep(rng.uniform(0.05, 0.3))
        victim = running.pop(0)
        os.kill(victim.pid, signal.SIGKILL)
        victim.join()
        running += start_workers(tmp_path, 1, budget)
    for process in running:
        process.join()
    ended = study_in(tmp_path).finished_trials()
    assert [t.number for t in ended] == list(range(budget)) and {t.state for t in ended} == {TrialState.COMPLETE}
    assert len({t.user_attrs["by"] for t in ended}) > 1, "several took part"


def test_a_trial_that_always_kills_its_process_fails(tmp_path: Path) -> None:
    space = tiny_settings().space
    for _ in range(MAX_DEATHS):
        run_trials(study_in(tmp_path), 2, space, stop_after=0)
    assert len(run_trials(study_in(tmp_path), 2, space)) == 1
    first, second = study_in(tmp_path).finished_trials()
    assert first.state == TrialState.FAIL and first.user_attrs["reason"] == f"its process died {MAX_DEATHS} times"
    assert second.state == TrialState.COMPLETE


def test_a_trial_survives_processes_that_stop_normally(tmp_path: Path) -> None:
    for _ in range(MAX_DEATHS + 1):
        registry = WorkerRegistry(tmp_path / "processes")
        trial = next(study_in(tmp_path).claim_trials(Budget(1), registry, sampler))
        registry.close()
    assert trial.number == 0 and study_in(tmp_path).finished_trials() == []


def test_another_study_under_the_same_name_is_refused_and_the_difference_named(tmp_path: Path) -> None:
    study_in(tmp_path, identity={"epochs": 3, "space": {"optim.lr": {"high": 1e-3}}})
    with pytest.raises(UserError) as caught:
        study_in(tmp_path, identity={"epochs": 3, "space": {"optim.lr": {"high": 1e-4}}})
    assert "space: optim.lr: high was 0.001 when the study began and is now 0.0001" in caught.value.lines[0]
    assert "restore the old setting" in caught.value.lines[-1]


def test_a_trial_can_be_marked_as_failed_with_a_reason(tmp_path: Path) -> None:
    study = study_in(tmp_path)
    trial = next(study.claim_trials(Budget(1), WorkerRegistry(tmp_path / "processes"), sampler))
    suggest_params(trial, tiny_settings().space)
    fail_trial(study.location.storage(), trial, "took too long", until=None)
    assert [(t.state, t.user_attrs["reason"]) for t in study.finished_trials()] == [
        (TrialState.FAIL, "took too long")
    ]
