"""The private names of Optuna that this package uses exist and work."""

from pathlib import Path

import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import InMemoryStorage, JournalStorage
from optuna.trial import TrialState
from support.studies import sampler, study_in
from support.tiny import tiny_settings

from lib.studies.budget import Budget
from lib.studies.journal import Journal
from lib.studies.optuna_internals import (
    ENQUEUED_PARAMS,
    cached_database,
    journal_backend,
    storage_id,
    suggest_value,
)
from lib.studies.study import suggest_params
from lib.studies.worker_registry import WorkerRegistry


def test_each_private_name_exists(tmp_path: Path) -> None:
    storage = cached_database(f"sqlite:///{tmp_path / 'studies.db'}")
    study = optuna.create_study(storage=storage)
    trial = study.ask()
    value = suggest_value(trial, "x", FloatDistribution(1.0, 2.0))
    assert trial.params == {"x": value} and 1 <= value <= 2
    assert storage.get_trial(storage_id(trial)).params == trial.params
    journal = Journal(tmp_path / "a.journal")
    assert journal_backend(JournalStorage(journal)) is journal
    assert journal_backend(InMemoryStorage()) is None
    study.enqueue_trial({"x": 1.5})
    waiting = study.get_trials(states=[TrialState.WAITING])
    assert waiting[0].system_attrs[ENQUEUED_PARAMS] == {"x": 1.5}


def test_a_database_keeps_all_that_a_study_writes(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'studies.db'}"
    states = [TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL, TrialState.COMPLETE]
    study, space = study_in(tmp_path, url), tiny_settings().space
    registry = WorkerRegistry(tmp_path / "processes")
    for trial in study.claim_trials(Budget(5), registry, sampler):
        suggest_params(trial, space)
        if trial.number == 4:
            break  # it stays RUNNING
        for step in (1, 2):
            trial.report(trial.number + step / 10, step)
        state = states[trial.number]
        values = [trial.params["optim.lr"]] if state == TrialState.COMPLETE else None
        study.end_trial(trial, {"seeds": [{"objective": 0.5}], "reason": "none"}, state, values)
    registry.close()
    storage = cached_database(url)
    (only,) = storage.get_all_studies()
    found = storage.get_all_trials(storage.get_study_id_from_name(only.study_name))
    assert [t.state for t in found] == [*states, TrialState.RUNNING]
    assert all(space.used(t.params) == t.params for t in found)
    assert all(t.user_attrs == {"seeds": [{"objective": 0.5}], "reason": "none"} for t in found[:4])
    assert found[0].values == [found[0].params["optim.lr"]] and found[1].intermediate_values == {1: 1.1, 2: 1.2}
    with pytest.raises(UpdateFinishedTrialError):
        storage.set_trial_state_values(storage_id(found[0]), TrialState.FAIL)
