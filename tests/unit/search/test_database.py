"""A database storage that reads and writes in one go says what Optuna's own says."""

from pathlib import Path

import optuna
import pytest
from conftest import tiny_settings
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import RDBStorage
from optuna.trial import TrialState
from sqlalchemy import event
from test_study import sampler, study_in

from lib.search.database import Database
from lib.search.owners import Owners
from lib.search.study import suggest

STATES = [TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL, TrialState.COMPLETE]


def url_of(folder: Path) -> str:
    return f"sqlite:///{folder / 'studies.db'}"


def test_it_reads_what_optunas_own_reads(tmp_path: Path) -> None:
    study = study_in(tmp_path, url_of(tmp_path))
    owners, space = Owners(tmp_path / "processes"), tiny_settings().space
    for trial in study.trials(5, owners, sampler):
        suggest(trial, space)
        if trial.number == 4:
            break  # it stays RUNNING
        for step in (1, 2):
            trial.report(trial.number + step / 10, step)
        state = STATES[trial.number]
        values = [trial.params["optim.lr"]] if state == TrialState.COMPLETE else None
        study.tell(trial, {"seeds": [{"f1_macro": 0.5}], "reason": "none"}, state, values)
    own, theirs = Database(url_of(tmp_path)), RDBStorage(url_of(tmp_path))
    (only,) = theirs.get_all_studies()
    wanted = theirs.get_all_trials(only._study_id)
    assert [t.state for t in wanted] == [*STATES, TrialState.RUNNING]
    assert own.get_all_trials(only._study_id) == wanted
    assert own.get_all_trials(only._study_id, states=(TrialState.PRUNED,)) == [wanted[1]]
    assert [own.get_trial(t._trial_id) for t in wanted] == wanted
    assert len(own.get_trial(wanted[0]._trial_id).params) == len(space.parameters)
    with pytest.raises(KeyError):
        own.get_trial(10**6)
    with pytest.raises(UpdateFinishedTrialError):
        own.set_trial_state_values(wanted[0]._trial_id, TrialState.FAIL)
    with pytest.raises(KeyError):
        own.set_trial_state_values(10**6, TrialState.FAIL)
    owners.close()


def test_what_is_held_is_written_before_the_trial_ends_or_not_at_all(tmp_path: Path) -> None:
    storage = Database(url_of(tmp_path))
    study = storage.create_new_study([optuna.study.StudyDirection.MAXIMIZE])
    trial = storage.create_new_trial(study)
    storage.set_trial_user_attr(trial, "reason", "old")
    statements: list[str] = []
    event.listen(storage.engine, "before_cursor_execute", lambda *words: statements.append(words[2]))
    with storage.together():
        storage.set_trial_user_attr(trial, "reason", "new")
        storage.set_trial_user_attr(trial, "seeds", [1])
        assert statements == []
        storage.set_trial_state_values(trial, TrialState.COMPLETE, [float("inf")])
    found = storage.get_trial(trial)
    assert (found.values, found.user_attrs) == ([float("inf")], {"reason": "new", "seeds": [1]})
    second = storage.create_new_trial(study)
    with pytest.raises(RuntimeError), storage.together():
        storage.set_trial_user_attr(second, "reason", "lost")
        raise RuntimeError
    assert storage.get_trial(second).user_attrs == {}
