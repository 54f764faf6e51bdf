"""Optuna's database storage, made for many processes: a trial's parameters are written and read in one go.

Optuna makes an object of each parameter of each trial (SQLAlchemy's ORM), and a transaction to write it. With fifty
parameters and eight processes that read each other's trials, this is most of what a database storage costs.
"""

import copy
import json
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from typing import Any, cast

from optuna.distributions import (
    BaseDistribution,
    check_distribution_compatibility,
    distribution_to_json,
    json_to_distribution,
)
from optuna.storages import RDBStorage
from optuna.storages._rdb import models
from optuna.storages._rdb.storage import _create_scoped_session
from optuna.trial import FrozenTrial, TrialState, create_trial
from sqlalchemy import ColumnElement, CursorResult, Table, and_, func, or_, select
from sqlalchemy.orm import Session

_STUDIES, _TRIALS, _PARAMS, _VALUES, _STEPS, _USER, _SYSTEM = (
    model.__table__
    for model in (
        models.StudyModel,
        models.TrialModel,
        models.TrialParamModel,
        models.TrialValueModel,
        models.TrialIntermediateValueModel,
        models.TrialUserAttributeModel,
        models.TrialSystemAttributeModel,
    )
)
# So many ids are put into a query.
_MANY = 500
# A study has as many distributions as parameters, however many trials.
_distribution = cache(json_to_distribution)


class Database(RDBStorage):
    """A storage of any URL that SQLAlchemy reads."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        # What a block of `together` has set so far: rows of parameters and of attributes; None outside of one.
        self._held: tuple[list[dict[str, Any]], list[dict[str, Any]]] | None = None
        # Parameters of trials that are not over. They are set in one go, so that what was read of them once is all.
        self._params: dict[int, list[Any]] = {}

    @contextmanager
    def together(self) -> Iterator[None]:
        """Hold back the parameters and user attributes that are set within the block, and write them in one go.

        They are written before, and with, the end of the trial.
        """
        self._held = [], []
        try:
            yield
            with _create_scoped_session(self.scoped_session) as session:
                self._write(session)
        finally:
            self._held = None

    def _write(self, session: Session) -> None:
        params, attributes = self._held or ([], [])
        if params:
            session.execute(_PARAMS.insert(), params)
        for row in attributes:
            session.execute(_USER.delete().where(_USER.c.trial_id == row["trial_id"], _USER.c.key == row["key"]))
        if attributes:
            session.execute(_USER.insert(), attributes)
        if self._held is not None:
            self._held = [], []

    def _create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> FrozenTrial:
        if template_trial is None or template_trial != _begun(template_trial):
            return super()._create_new_trial(study_id, template_trial)
        start = template_trial.datetime_start or datetime.now()
        row = {"study_id": study_id, "state": TrialState.RUNNING, "datetime_start": _utc(start)}
        with _create_scoped_session(self.scoped_session) as session:
            # Who else makes a trial waits here, so that no number comes twice.
            session.execute(select(_STUDIES.c.study_id).where(_STUDIES.c.study_id == study_id).with_for_update())
            number = session.scalar(select(func.count()).where(_TRIALS.c.study_id == study_id))
            made = session.execute(_TRIALS.insert().values(number=number, **row))
            (trial_id,) = cast("CursorResult[Any]", made).inserted_primary_key or (None,)
            attributes = [
                {"trial_id": trial_id, "key": key, "value_json": json.dumps(value)}
                for key, value in template_trial.system_attrs.items()
            ]
            if attributes:
                session.execute(_SYSTEM.insert(), attributes)
        frozen = copy.deepcopy(template_trial)
        frozen.number, frozen._trial_id, frozen.datetime_start = cast(int, number), cast(int, trial_id), start
        return frozen

    def _set_trial_param(
        self,
        trial_id: int,
        param_name: str,
        param_value_internal: float,
        distribution: BaseDistribution,
        previous_distribution: BaseDistribution | None,
    ) -> None:
        if self._held is None:
            super()._set_trial_param(trial_id, param_name, param_value_internal, distribution, previous_distribution)
            return
        if previous_distribution is not None:
            check_distribution_compatibility(previous_distribution, distribution)
        text = distribution_to_json(distribution)
        row = {"param_name": param_name, "param_value": param_value_internal, "distribution_json": text}
        self._held[0].append({"trial_id": trial_id, **row})

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Set an attribute of a trial."""
        if self._held is None:
            super().set_trial_user_attr(trial_id, key, value)
        else:
            self._held[1].append({"trial_id": trial_id, "key": key, "value_json": json.dumps(value)})

    def set_trial_state_values(self, trial_id: int, state: TrialState, values: Sequence[float] | None = None) -> bool:
        """Change a trial's state. Raises UpdateFinishedTrialError if it is over."""
        if not state.is_finished():
            return super().set_trial_state_values(trial_id, state, values)
        end = {"state": state, "datetime_complete": _utc(datetime.now())}
        running = _TRIALS.c.state.in_([TrialState.RUNNING, TrialState.WAITING])
        with _create_scoped_session(self.scoped_session) as session:
            changed = session.execute(_TRIALS.update().where(_TRIALS.c.trial_id == trial_id, running).values(end))
            if cast("CursorResult[Any]", changed).rowcount == 0:
                self.check_trial_is_updatable(trial_id, self.get_trial(trial_id).state)
            self._write(session)
            if values is not None:
                stored = [models.TrialValueModel.value_to_stored_repr(value) for value in values]
                rows = [
                    {"trial_id": trial_id, "objective": objective, "value": value, "value_type": kind}
                    for objective, (value, kind) in enumerate(stored)
                ]
                session.execute(_VALUES.insert(), rows)
        return True

    def get_trial(self, trial_id: int) -> FrozenTrial:
        """Return a trial. Raises KeyError if there is none."""
        found = self._read(_TRIALS.c.trial_id == trial_id)
        if not found:
            raise KeyError(models.NOT_FOUND_MSG)
        return found[0]

    def _get_trials(
        self,
        study_id: int,
        states: Container[TrialState] | None,
        included_trial_ids: set[int],
        trial_id_greater_than: int,
    ) -> list[FrozenTrial]:
        wanted = _TRIALS.c.trial_id > trial_id_greater_than
        if included_trial_ids:
            wanted = or_(wanted, _TRIALS.c.trial_id.in_(included_trial_ids))
        wanted = and_(_TRIALS.c.study_id == study_id, wanted)
        if states is not None:
            wanted = and_(wanted, _TRIALS.c.state.in_([state for state in TrialState if state in states]))
        return self._read(wanted)

    def _read(self, wanted: ColumnElement[bool]) -> list[FrozenTrial]:
        with _create_scoped_session(self.scoped_session) as session:

            def rows(table: Table, *columns: str, of: ColumnElement[bool] = wanted) -> dict[int, list[Any]]:
                query = select(table.c.trial_id, *(table.c[name] for name in columns))
                query = query.join(_TRIALS, _TRIALS.c.trial_id == table.c.trial_id).where(of)
                found = defaultdict(list)
                for trial_id, *row in session.execute(query.order_by(*table.primary_key)):
                    found[trial_id].append(row)
                return found

            columns = ("trial_id", "number", "state", "datetime_start", "datetime_complete")
            heads = session.execute(select(*(_TRIALS.c[name] for name in columns)).where(wanted)).all()
            params, values = defaultdict[int, list[Any]](list, self._params), {}
            if unread := {head[0] for head in heads} - self._params.keys():
                new = _TRIALS.c.trial_id.in_(unread) if len(unread) < _MANY else wanted
                params.update(rows(_PARAMS, "param_name", "param_value", "distribution_json", of=new))
            if any(head[2].is_finished() for head in heads):
                values = rows(_VALUES, "objective", "value", "value_type")
            steps = rows(_STEPS, "step", "intermediate_value", "intermediate_value_type")
            user, system = (rows(table, "key", "value_json") for table in (_USER, _SYSTEM))
        for trial_id, _, state, *_ in heads:
            self._params.pop(trial_id, None)
            if params[trial_id] and not state.is_finished():
                self._params[trial_id] = params[trial_id]
        step_value = models.TrialIntermediateValueModel.stored_repr_to_intermediate_value
        return [
            FrozenTrial(
                number=number,
                state=state,
                value=None,
                values=_values(values[trial_id]) if trial_id in values else None,
                datetime_start=_local(start),
                datetime_complete=_local(end),
                params={name: _distribution(text).to_external_repr(value) for name, value, text in params[trial_id]},
                distributions={name: _distribution(text) for name, _, text in params[trial_id]},
                user_attrs={key: json.loads(text) for key, text in user[trial_id]},
                system_attrs={key: json.loads(text) for key, text in system[trial_id]},
                intermediate_values={step: step_value(value, kind) for step, value, kind in steps[trial_id]},
                trial_id=trial_id,
            )
            for trial_id, number, state, start, end in sorted(heads)
        ]


def _values(rows: Iterable[Any]) -> list[float]:
    return [models.TrialValueModel.stored_repr_to_value(value, kind) for _, value, kind in sorted(rows)]


def _begun(trial: FrozenTrial) -> FrozenTrial:
    """Return a running trial that has nothing but this one's system attributes."""
    empty = create_trial(state=TrialState.RUNNING, system_attrs=trial.system_attrs)
    empty.number, empty._trial_id, empty.datetime_start = trial.number, trial._trial_id, trial.datetime_start
    return empty


def _utc(local: datetime) -> datetime:
    """Return what `_local` made local."""
    return local.astimezone(UTC).replace(tzinfo=None)


def _local(utc: datetime | None) -> datetime | None:
    """Return local time without a zone, as Optuna's trials have it."""
    return None if utc is None else utc.replace(tzinfo=UTC).astimezone().replace(tzinfo=None)
