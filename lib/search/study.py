"""Optuna studies that survive: one journal per stage, a budget of the study, interrupted trials continued."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import optuna
from optuna.samplers import BaseSampler
from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, Trial, TrialState

from lib.errors import UserError
from lib.settings.space import Choices, FloatRange, Space

Direction = Literal["minimize", "maximize"]
_IDENTITY = "identity"
_OVER = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
logger = logging.getLogger(__name__)


def open_study(
    *,
    name: str,
    folder: Path,
    url: str | None,
    directions: Sequence[Direction],
    pruner: Any,
    identity: dict[str, Any],
) -> optuna.Study:
    """Open or create a study. The caller holds its lock.

    identity: what must not change within a study; a difference is refused by name.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    path = folder / f"{name.replace('/', '-')}.journal"
    storage: BaseStorage
    if url is None:
        folder.mkdir(parents=True, exist_ok=True)
        cut_torn_tail(path)
        storage = JournalStorage(JournalFileBackend(str(path)))
    else:
        storage = optuna.storages.get_storage(url)
    study = optuna.create_study(
        study_name=name, storage=storage, directions=directions, pruner=pruner, load_if_exists=True
    )
    before = study.user_attrs.get(_IDENTITY)
    if before is None:
        study.set_user_attr(_IDENTITY, identity)
    elif before != identity:
        place = path if url is None else f"study '{name}' in {url}"
        raise UserError(
            [
                *(f"{place}: {line}" for line in _differences(before, identity)),
                f"{place}: its trials cannot be mixed with new ones; restore the old setting, or move it away",
            ]
        )
    return study


def cut_torn_tail(path: Path) -> None:
    """Drop a last line that a crash left unfinished; Optuna could not read past it."""
    if not path.exists():
        return
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        logger.warning("%s: dropped an unfinished last line of %d bytes", path, len(content) - whole)
        with path.open("r+b") as file:
            file.truncate(whole)


def trials(
    study: optuna.Study,
    budget: int,
    sampler: Callable[[int], BaseSampler],
    enqueued: list[dict[str, Any]] | None = None,
) -> Iterator[Trial]:
    """Yield trials until `budget` of them are over, the interrupted one first.

    sampler: makes the sampler for a trial number, so that a resumed study suggests what an unbroken one would.
    enqueued: parameters of the first trials.
    """
    while True:
        frozen = study.get_trials(deepcopy=False)
        interrupted = next((t for t in frozen if t.state == TrialState.RUNNING), None)
        begun = [t for t in frozen if t.state in _OVER]
        if interrupted is not None:
            study.sampler = sampler(interrupted.number)
            yield Trial(study, interrupted._trial_id)
            continue
        if len(begun) >= budget:
            return
        waiting = any(t.state == TrialState.WAITING for t in frozen)
        if enqueued and len(begun) < len(enqueued) and not waiting:
            study.enqueue_trial(enqueued[len(begun)])
        study.sampler = sampler(len(begun))
        yield study.ask()


def suggest(trial: Trial, space: Space) -> dict[str, Any]:
    """Suggest every parameter of the space."""
    params: dict[str, Any] = {}
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


def over(study: optuna.Study) -> list[FrozenTrial]:
    """Return the trials that are over, in order."""
    return [t for t in study.get_trials(deepcopy=False) if t.state in _OVER]


def _differences(before: Mapping[str, Any], after: Mapping[str, Any], prefix: str = "") -> list[str]:
    lines = []
    for key in sorted(before.keys() | after.keys()):
        old, new = before.get(key), after.get(key)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            lines += _differences(old, new, f"{prefix}{key}: ")
        elif old != new:
            lines.append(f"{prefix}{key} was {old!r} when the study began and is now {new!r}")
    return lines
