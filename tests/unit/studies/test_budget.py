"""A study ends by trials, hours or GPU hours, whoever runs it."""

from datetime import datetime, timedelta

import pytest
from optuna.trial import FrozenTrial, TrialState, create_trial
from support.studies import study_in
from support.tiny import tiny_settings

from lib.studies.budget import BEGUN, Budget, used_hours
from lib.studies.samplers import StaticSpaceTPESampler
from lib.studies.study import suggest_params
from lib.studies.worker_registry import WorkerRegistry

START = datetime(2026, 1, 1, 12)


def trial(begin: float, end: float | None, taken_over: float | None = None) -> FrozenTrial:
    """Return a trial that began and ended this many hours after the start; one without an end still runs."""
    made = create_trial(
        state=TrialState.RUNNING if end is None else TrialState.PRUNED,
        system_attrs={} if taken_over is None else {BEGUN: (START + timedelta(hours=taken_over)).isoformat()},
    )
    made.datetime_start = START + timedelta(hours=begin)
    made.datetime_complete = None if end is None else START + timedelta(hours=end)
    return made


def test_hours_count_while_a_trial_runs_and_gpu_hours_for_each() -> None:
    now = START + timedelta(hours=12)
    trials = [trial(0, 2), trial(1, 3), trial(8, 9), trial(4, 11, taken_over=10.5), trial(11, None)]
    assert used_hours(trials, now) == pytest.approx(3 + 1 + 0.5 + 1)
    assert not Budget(6, hours=5.6).is_spent(trials, now) and Budget(6, hours=5.5).is_spent(trials, now)
    # The trials took 2, 2, 1, 0.5 and 1 hours, two of them at a time on a GPU.
    assert Budget(6, gpu_hours=3.25, trials_per_gpu=2).is_spent(trials, now)
    assert not Budget(6, gpu_hours=3.3, trials_per_gpu=2).is_spent(trials, now)
    assert Budget(5).is_spent(trials, now) and not Budget(6).is_spent(trials, now)
    assert Budget(6).remaining_hours(trials, now) is None
    assert Budget(6, hours=8, gpu_hours=4).remaining_hours(trials, now) == 0
    assert Budget(6, hours=8, gpu_hours=4).describe(trials, now) == "  5.50/8 h  6.50/4 GPU h"


def test_a_study_that_was_killed_ends_at_its_hours(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    space, clock = tiny_settings().space, [START]

    class Clock(datetime):
        @classmethod
        def now(cls, tz=None):
            return clock[0] if tz is None else clock[0].astimezone(tz)

    monkeypatch.setattr("lib.studies.study.datetime", Clock)
    monkeypatch.setattr("optuna.storages.journal._storage.datetime", Clock)

    def run(kill_after: int) -> int:
        study, registry, ended = study_in(tmp_path), WorkerRegistry(tmp_path / "processes"), 0

        def sampler(number: int) -> StaticSpaceTPESampler:
            return StaticSpaceTPESampler(space, seed=number, n_startup_trials=10)

        for each in study.claim_trials(Budget(100, hours=4), registry, sampler):
            suggest_params(each, space)
            clock[0] += timedelta(minutes=30)
            if ended == kill_after:
                registry._lock.close()
                return ended
            study.end_trial(each, {}, TrialState.PRUNED)
            ended += 1
        registry.close()
        return ended

    assert run(kill_after=3) == 3
    clock[0] += timedelta(days=2)  # nothing runs meanwhile
    # Three trials of half an hour are done, and the interrupted one is run again.
    assert run(kill_after=10**6) == 5 and len(study_in(tmp_path).finished_trials()) == 8
