"""Optuna studies that many processes serve and any of them may leave: a budget of the study, orphans taken over."""

import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import optuna
from optuna.pruners import BasePruner, NopPruner
from optuna.samplers import BaseSampler
from optuna.storages import BaseStorage, JournalStorage
from optuna.storages._cached_storage import _CachedStorage
from optuna.study._tell import _tell_with_warning
from optuna.trial import FrozenTrial, Trial, TrialState, create_trial

from lib.errors import UserError
from lib.files.locks import waiting_for
from lib.search.journal import Journal
from lib.search.owners import Owners
from lib.search.together import together
from lib.settings.space import Choices, FloatRange, Space

Direction = Literal["minimize", "maximize"]
OVER = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
_IDENTITY, _OWNER, _DEATHS, _FIXED = "identity", "owner", "deaths", "fixed_params"
# A trial whose process died so often is likely to be why.
MOST_DEATHS = 3
_POLL = 1.0


@dataclass(frozen=True)
class Place:
    """Where a study is kept. folder: of its locks, and of its journal where there is no url."""

    name: str
    folder: Path
    url: str | None

    @property
    def journal(self) -> Path:
        """The journal's file."""
        return self.folder / f"{self.name.replace('/', '-')}.journal"

    def __str__(self) -> str:
        return str(self.journal) if self.url is None else f"study '{self.name}' in {_without_password(self.url)}"

    def storage(self) -> BaseStorage:
        """Open the storage."""
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        if self.url is None:
            return JournalStorage(Journal(self.journal))
        if self.url.startswith("grpc://"):
            host, _, port = self.url.removeprefix("grpc://").partition(":")
            with warnings.catch_warnings(action="ignore", category=optuna.exceptions.ExperimentalWarning):
                return optuna.storages.GrpcStorageProxy(host=host, port=int(port or 13000))
        from lib.search.database import Database  # SQLAlchemy takes half a second, and a journal does without

        try:
            return _CachedStorage(Database(self.url))
        except Exception as error:  # of any driver, at the start
            raise UserError(f"storage: {_without_password(self.url)}: {str(error).splitlines()[0]}") from None


class Study:
    """One stage's study."""

    def __init__(
        self, place: Place, *, directions: Sequence[Direction], pruner: BasePruner, identity: dict[str, Any]
    ) -> None:
        """Open or create it. identity: what must not change within a study; a difference is refused by name."""
        self.place, self._pruner = place, pruner
        self._storage = place.storage()
        with self._alone():
            study = optuna.create_study(
                study_name=place.name, storage=self._storage, directions=directions, load_if_exists=True
            )
            before = study.user_attrs.get(_IDENTITY)
            if before is None:
                study.set_user_attr(_IDENTITY, identity)
        self._id = study._study_id
        if before is not None and before != identity:
            raise UserError(
                [
                    *(f"{place}: {line}" for line in _differences(before, identity)),
                    f"{place}: its trials cannot be mixed with new ones; restore the old setting, or move it away",
                ]
            )

    def over(self) -> list[FrozenTrial]:
        """Return the trials that are over, in order."""
        return [trial for trial in self._all() if trial.state in OVER]

    def trials(
        self,
        budget: int,
        owners: Owners,
        sampler: Callable[[int], BaseSampler],
        fixed: Sequence[dict[str, Any]] = (),
    ) -> Iterator[Trial]:
        """Yield trials until `budget` of them are over, those whose process died first.

        It ends when all are over: it waits for trials of other processes, and takes them over if these die.
        sampler: makes the sampler for a trial number, so that a resumed study suggests what an unbroken one would.
        fixed: parameters of the first trials.
        """
        while True:
            with self._alone():
                found = self._claim(budget, owners, fixed)
            if found is None:
                return
            if found == "later":
                time.sleep(_POLL)
                continue
            trial, number = found
            # A new one for each trial: it remembers what it has seen of the others.
            study = optuna.Study(self.place.name, self._storage, sampler(number), self._pruner)
            yield Trial(study, trial)

    def tell(
        self, trial: Trial, attributes: Mapping[str, Any], state: TrialState, values: Sequence[float] | None = None
    ) -> None:
        """End a trial."""
        with together(self._storage):
            for name, value in attributes.items():
                trial.set_user_attr(name, value)
            # As study.tell, which reads the trial once more to return it.
            _tell_with_warning(trial.study, trial, list(values) if values is not None else None, state)

    def _claim(
        self, budget: int, owners: Owners, fixed: Sequence[dict[str, Any]]
    ) -> tuple[int, int] | Literal["later"] | None:
        """Return id and number of the trial to do next; "later" if there may be one, None if there will not.

        The caller is alone, so that every running trial has an owner, unless that died.
        """
        trials = self._all()
        running = [trial for trial in trials if trial.state == TrialState.RUNNING]
        for trial in running:
            state = owners.state(trial.system_attrs.get(_OWNER, ""))
            if state == "alive":
                continue
            deaths = trial.system_attrs.get(_DEATHS, 0) + (state == "died")
            if deaths >= MOST_DEATHS:
                fail(self._storage, trial, f"its process died {deaths} times")
                return self._claim(budget, owners, fixed)
            with together(self._storage):
                self._storage.set_trial_system_attr(trial._trial_id, _DEATHS, deaths)
                self._storage.set_trial_system_attr(trial._trial_id, _OWNER, owners.me)
            return trial._trial_id, trial.number
        if len(trials) >= budget:
            return "later" if running else None
        attributes: dict[str, Any] = {_OWNER: owners.me}
        if len(trials) < len(fixed):
            attributes[_FIXED] = fixed[len(trials)]
        template = create_trial(state=TrialState.RUNNING, system_attrs=attributes)
        return self._storage.create_new_trial(self._id, template), len(trials)

    def _alone(self) -> AbstractContextManager[None]:
        return waiting_for(self.place.folder / f"{self.place.name.replace('/', '-')}.claims.lock")

    def _all(self) -> list[FrozenTrial]:
        return self._storage.get_all_trials(self._id, deepcopy=False)


def suggest(trial: Trial, space: Space) -> dict[str, Any]:
    """Suggest every parameter of the space."""
    params: dict[str, Any] = {}
    with together(trial.storage):
        for name, parameter in space.parameters.items():
            if isinstance(parameter, Choices):
                params[name] = trial.suggest_categorical(name, parameter.choices)
            elif isinstance(parameter, FloatRange):
                params[name] = trial.suggest_float(
                    name, parameter.low, parameter.high, log=parameter.log, step=parameter.step
                )
            else:
                params[name] = trial.suggest_int(
                    name, parameter.low, parameter.high, log=parameter.log, step=parameter.step
                )
    return params


def fail(storage: BaseStorage, trial: FrozenTrial | Trial, reason: str) -> None:
    """End a trial as failed, for its process."""
    with together(storage):
        storage.set_trial_user_attr(trial._trial_id, "reason", reason)
        storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)


def known(place: Place) -> list[FrozenTrial] | None:
    """Return a study's trials; None if there is no such study. Creates nothing."""
    if place.url is None and not place.journal.exists():
        return None
    try:
        study = optuna.load_study(
            study_name=place.name,
            storage=place.storage(),
            sampler=optuna.samplers.RandomSampler(),
            pruner=NopPruner(),
        )
    except KeyError:
        return None
    return study.get_trials(deepcopy=False)


def _without_password(url: str) -> str:
    head, at, rest = url.rpartition("@")
    return f"{head.rpartition(':')[0]}:…@{rest}" if at and head.count(":") > 1 else url


def _differences(before: Mapping[str, Any], after: Mapping[str, Any], prefix: str = "") -> list[str]:
    lines = []
    for key in sorted(before.keys() | after.keys()):
        old, new = before.get(key), after.get(key)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            lines += _differences(old, new, f"{prefix}{key}: ")
        elif old != new:
            lines.append(f"{prefix}{key} was {old!r} when the study began and is now {new!r}")
    return lines
