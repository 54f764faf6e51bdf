"""A study ends by trials, hours or GPU hours, whoever runs it."""

import os

import pytest
from optuna.trial import FrozenTrial, TrialState, create_trial
from support.studies import study_in
from support.tiny import tiny_settings

from lib.studies.budget import WORK, Budget, used_hours
from lib.studies.samplers import StaticSpaceTPESampler
from lib.studies.study import MAX_DEATHS, suggest_params
from lib.studies.worker_registry import WorkerRegistry

START = 1_800_000_000.0


def trial(*work: tuple[float, float], still: float | None = None) -> FrozenTrial:
    """Return a trial on which processes worked at these hours; one that still runs has been taken over at an hour."""
    worked = [[START + 3600 * hour for hour in span] for span in work]
    return create_trial(
        state=TrialState.PRUNED if still is None else TrialState.RUNNING,
        system_attrs={WORK: worked if still is None else [*worked, [START + 3600 * still, None]]},
    )


def test_hours_count_while_a_process_works_on_a_trial_and_gpu_hours_for_each() -> None:
    now = START + 3600 * 12
    trials = [trial((0, 2)), trial((1, 3)), trial((8, 9)), trial((4, 4.25), (10.5, 10.75)), trial(still=11)]
    assert used_hours(trials, now) == pytest.approx(3 + 1 + 0.5 + 1)
    assert not Budget(6, hours=5.6).is_spent(trials, now) and Budget(6, hours=5.5).is_spent(trials, now)
    # The trials took 2, 2, 1, 0.5 and 1 hours, two of them at a time on a GPU.
    assert Budget(6, gpu_hours=3.25, trials_per_gpu=2).is_spent(trials, now)
    assert not Budget(6, gpu_hours=3.3, trials_per_gpu=2).is_spent(trials, now)
    assert Budget(5).is_spent(trials, now) and not Budget(6).is_spent(trials, now)
    assert Budget(6, hours=8, gpu_hours=4).describe(trials, now) == "  5.50/8 h  6.50/4 GPU h"
    assert used_hours([trial(still=13)], now) == 0, "the clock was set back"


def test_the_time_left_counts_trials_that_run_at_once() -> None:
    """Four trials of two hours, two at a time on one GPU, end one hour apart."""
    trials, now = [trial((0, 2)), trial((0, 2)), trial((2, 4)), trial((2, 4))], START + 3600 * 4
    assert Budget(10).remaining_seconds(trials, 3600, now) == 3600 * 6
    assert Budget(10, hours=5).remaining_seconds(trials, 3600, now) == 3600 * 1
    # Of six GPU hours four are spent, so two hours are left on this GPU.
    assert Budget(10, gpu_hours=6, trials_per_gpu=2).remaining_seconds(trials, 3600, now) == 3600 * 2
    assert Budget(10, hours=3, gpu_hours=6).remaining_seconds(trials, 3600, now) == 0


@pytest.mark.parametrize("killed", [True, False])
def test_a_study_that_was_stopped_ends_at_its_hours(tmp_path, monkeypatch: pytest.MonkeyPatch, killed: bool) -> None:
    """Each of its processes is stopped within a trial, after half of it, and nothing runs for days."""
    space, clock = tiny_settings().space, [START]
    monkeypatch.setattr("lib.studies.study.time.time", lambda: clock[0])

    def run(stop_after: int) -> int:
        study, registry, ended = study_in(tmp_path), WorkerRegistry(tmp_path / "processes"), 0

        def sampler(number: int) -> StaticSpaceTPESampler:
            return StaticSpaceTPESampler(space, seed=number, n_startup_trials=10)

        for each in study.claim_trials(Budget(100, hours=4), registry, sampler):
            suggest_params(each, space)
            clock[0] += 900
            if ended == stop_after:
                if killed:
                    os.utime(registry._path(registry.name), (clock[0], clock[0]))
                    registry._lock.close()
                else:
                    study.leave()
                    registry.close()
                return ended
            clock[0] += 900
            study.end_trial(each, {}, TrialState.PRUNED)
            ended += 1
        registry.close()
        return ended

    assert run(stop_after=3) == 3
    clock[0] += 2 * 24 * 3600
    # Three trials of half an hour and half of another one are done, which is run again in full.
    assert run(stop_after=2) == 2
    clock[0] += 2 * 24 * 3600
    assert run(stop_after=10**6) == 2
    finished = study_in(tmp_path).finished_trials()
    assert used_hours(finished, clock[0]) == pytest.approx(4) and len(finished) == 7


def test_the_downtime_before_a_last_death_does_not_count(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    space, clock = tiny_settings().space, [START]
    monkeypatch.setattr("lib.studies.study.time.time", lambda: clock[0])

    def sampler(number: int) -> StaticSpaceTPESampler:
        return StaticSpaceTPESampler(space, seed=number, n_startup_trials=10)

    for _ in range(MAX_DEATHS):
        registry = WorkerRegistry(tmp_path / "processes")
        next(study_in(tmp_path).claim_trials(Budget(1), registry, sampler))
        clock[0] += 3600
        os.utime(registry._path(registry.name), (clock[0], clock[0]))
        registry._lock.close()
        clock[0] += 10 * 3600
    study = study_in(tmp_path)
    assert not list(study.claim_trials(Budget(1), WorkerRegistry(tmp_path / "processes"), sampler))
    assert used_hours(study.finished_trials(), clock[0]) == pytest.approx(MAX_DEATHS)
