"""Let many processes work on one Optuna study with an exact budget; trials of dead processes are taken over."""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from typing import Any, Literal

import optuna
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, Trial, TrialState, create_trial

from lib.errors import UserError
from lib.files.locks import wait_for_lock
from lib.settings.hyperparameters import is_used
from lib.settings.space import Space
from lib.studies.batched_writes import batched_writes
from lib.studies.budget import WORK, Budget, ended_work
from lib.studies.location import StudyLocation, select_finished
from lib.studies.optuna_internals import ENQUEUED_PARAMS, storage_id, suggest_value
from lib.studies.samplers import distributions
from lib.studies.worker_registry import WorkerRegistry

Direction = Literal["minimize", "maximize"]
_IDENTITY, _OWNER, _DEATHS = "identity", "owner", "deaths"
# A trial whose process has died this often is probably the cause.
MAX_DEATHS = 3
_POLL = 1.0


@dataclass(frozen=True)
class NextAction:
    """What a process does next.

    Attributes:
        action: "run" means to run the trial. "wait" means that trials of other processes still run and may have to be
            taken over. "stop" means that the budget is spent.
        trial_id: The trial's id in the storage, for "run".
        number: The trial's number in the study, for "run".
    """

    action: Literal["run", "wait", "stop"]
    trial_id: int = -1
    number: int = -1


class SharedStudy:
    """The study of one stage, opened by one process."""

    def __init__(
        self,
        location: StudyLocation,
        *,
        directions: Sequence[Direction],
        pruner: BasePruner,
        identity: dict[str, Any],
    ) -> None:
        """Open the study, or create it.

        Args:
            location: The place where the study is kept.
            directions: Whether to minimise or maximise, for each objective.
            pruner: Decides whether a trial that reports a value continues.
            identity: All settings that must not change within a study.

        Raises:
            UserError: The study was begun with another identity; a line names each difference.
        """
        self.location, self._pruner = location, pruner
        # The trial that this process works on, and its name.
        self._claimed: tuple[Trial, str] | None = None
        self._storage = location.storage()
        with self._exclusive():
            study = optuna.create_study(
                study_name=location.name, storage=self._storage, directions=directions, load_if_exists=True
            )
            before = study.user_attrs.get(_IDENTITY)
            if before is None:
                study.set_user_attr(_IDENTITY, identity)
        self._id = self._storage.get_study_id_from_name(location.name)
        if before is not None and before != identity:
            raise UserError(
                [
                    *(f"{location}: {line}" for line in _differences(before, identity)),
                    f"{location}: its trials cannot be mixed with new ones; restore the old setting, or move it away",
                ]
            )

    def finished_trials(self) -> list[FrozenTrial]:
        """Return the trials that have ended (completed, pruned or failed), by number."""
        return select_finished(self._trials())

    def claim_trials(
        self,
        budget: Budget,
        registry: WorkerRegistry,
        sampler: Callable[[int], BaseSampler],
        enqueued: Sequence[dict[str, Any]] = (),
    ) -> Iterator[Trial]:
        """Yield trials for this process until the study has spent its budget.

        Trials of dead processes come first. While other processes run the last trials, this one waits, and takes
        their trials over if the processes die.

        Args:
            budget: Of the whole study, all processes together.
            registry: The processes that work on the study.
            sampler: Returns the sampler for a trial number. A resumed study then suggests the same values as an
                uninterrupted one.
            enqueued: Parameters of trials that come before those of the sampler. Those that no trial has had yet are
                next, also in a study that was begun with others.

        Yields:
            A running trial that this process owns; end it with `end_trial`.
        """
        while (upcoming := self._next(budget, registry, enqueued)).action != "stop":
            if upcoming.action == "wait":
                time.sleep(_POLL)
                continue
            # A new study object for each trial, because it caches what it has read of the other trials.
            study = optuna.Study(
                self.location.name, self._storage, sampler=sampler(upcoming.number), pruner=self._pruner
            )
            trial = Trial(study, upcoming.trial_id)
            self._claimed = trial, registry.name
            yield trial

    def leave(self) -> None:
        """Record until when this process worked on its trial, if it ends before the trial does.

        If this fails, the work does not count.
        """
        if self._claimed is None:
            return
        trial, name = self._claimed
        with suppress(Exception):  # such as a full disk or a lost server, which must not hide why the process ends
            found = self._storage.get_trial(storage_id(trial))
            if not found.state.is_finished() and found.system_attrs.get(_OWNER) == name:
                _end_work(self._storage, trial, time.time())

    def end_trial(
        self, trial: Trial, attributes: Mapping[str, Any], state: TrialState, values: Sequence[float] | None = None
    ) -> None:
        """Record how a trial ended.

        Args:
            trial: A trial that `claim_trials` yielded.
            attributes: User attributes to keep with the trial.
            state: COMPLETE, PRUNED or FAIL.
            values: The objectives; None unless the trial is complete.
        """
        with batched_writes(self._storage):
            for name, value in attributes.items():
                trial.set_user_attr(name, value)
            _end_work(self._storage, trial, time.time())
            trial.study.tell(trial, list(values) if values is not None else None, state)
        self._claimed = None

    def _next(self, budget: Budget, registry: WorkerRegistry, enqueued: Sequence[dict[str, Any]]) -> NextAction:
        with self._exclusive():
            return self._claim(budget, registry, enqueued)

    def _claim(self, budget: Budget, registry: WorkerRegistry, enqueued: Sequence[dict[str, Any]]) -> NextAction:
        """Claim a trial while no other process claims one; a running trial without an owner is then an orphan."""
        trials, now = self._trials(), time.time()
        running = [trial for trial in trials if trial.state == TrialState.RUNNING]
        for trial in running:
            owner, attributes = trial.system_attrs.get(_OWNER, ""), trial.system_attrs
            until = registry.last_sign_of_life(owner)
            state = registry.state(owner)
            if state == "alive":
                continue
            deaths = attributes.get(_DEATHS, 0) + (state == "died")
            if deaths >= MAX_DEATHS:
                fail_trial(self._storage, trial, f"its process died {deaths} times", until)
                return self._claim(budget, registry, enqueued)
            trial_id = storage_id(trial)
            with batched_writes(self._storage):
                self._storage.set_trial_system_attr(trial_id, _DEATHS, deaths)
                self._storage.set_trial_system_attr(trial_id, _OWNER, registry.name)
                self._storage.set_trial_system_attr(trial_id, WORK, [*ended_work(attributes, until), (now, None)])
            return NextAction("run", trial_id, trial.number)
        if budget.is_spent(trials, now):
            return NextAction("wait" if running else "stop")
        first: dict[str, Any] = {_OWNER: registry.name, WORK: [(now, None)]}
        if (params := _next_enqueued(trials, enqueued)) is not None:
            first[ENQUEUED_PARAMS] = params
        template = create_trial(state=TrialState.RUNNING, system_attrs=first)
        return NextAction("run", self._storage.create_new_trial(self._id, template), len(trials))

    def _exclusive(self) -> AbstractContextManager[None]:
        return wait_for_lock(self.location.file("claims.lock"))

    def _trials(self) -> list[FrozenTrial]:
        return self._storage.get_all_trials(self._id, deepcopy=False)


def _next_enqueued(trials: Sequence[FrozenTrial], enqueued: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the first enqueued parameters that no trial was given, or None."""
    # As text, because a storage returns tuples as lists.
    given = {json.dumps(trial.system_attrs.get(ENQUEUED_PARAMS), sort_keys=True) for trial in trials}
    return next((params for params in enqueued if json.dumps(params, sort_keys=True) not in given), None)


def suggest_params(trial: Trial, space: Space) -> dict[str, Any]:
    """Suggest every parameter that the trial uses.

    Optuna asks a sampler for parameters only when one is not fixed. A trial with fixed parameters would then get no
    generation, and NSGA-II would never breed from it. So the sampler is asked for every trial.

    Args:
        trial: The running trial that gets the values.
        space: All parameters.

    Returns:
        The trial's values by parameter name.
    """
    with batched_writes(trial.storage):
        _ = trial.relative_params
        params: dict[str, Any] = {}
        for group in space.groups():
            for name, distribution in distributions(group).items():
                if is_used(name, params):
                    params[name] = suggest_value(trial, name, distribution)
        return params


def fail_trial(storage: BaseStorage, trial: FrozenTrial | Trial, reason: str, until: float | None) -> None:
    """Record a trial as failed, on behalf of its process.

    Args:
        storage: Storage of the trial's study.
        trial: A running trial.
        reason: Why it failed; kept as the user attribute 'reason'.
        until: End of the work on it, in seconds since the epoch; None if it is unknown.
    """
    with batched_writes(storage):
        _end_work(storage, trial, until)
        storage.set_trial_user_attr(storage_id(trial), "reason", reason)
        storage.set_trial_state_values(storage_id(trial), TrialState.FAIL)


def _end_work(storage: BaseStorage, trial: FrozenTrial | Trial, until: float | None) -> None:
    """Record that nobody works on a running trial any more; without a known end the last work does not count."""
    attributes = storage.get_trial_system_attrs(storage_id(trial))
    storage.set_trial_system_attr(storage_id(trial), WORK, ended_work(attributes, until))


def _differences(before: Mapping[str, Any], after: Mapping[str, Any], prefix: str = "") -> list[str]:
    lines = []
    for key in sorted(before.keys() | after.keys()):
        old, new = before.get(key), after.get(key)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            lines += _differences(old, new, f"{prefix}{key}: ")
        elif old != new:
            lines.append(f"{prefix}{key} was {old!r} when the study began and is now {new!r}")
    return lines
