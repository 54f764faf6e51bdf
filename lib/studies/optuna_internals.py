"""Keep all uses of Optuna's private names in one place.

pyproject.toml limits Optuna's version because of them, and a test uses each of them.
"""

from collections.abc import Container
from copy import copy
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages._cached_storage import _CachedStorage
from optuna.storages.journal import BaseJournalBackend
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState

# The system attribute in which `optuna.Study.enqueue_trial` keeps the parameters of a trial.
ENQUEUED_PARAMS = "fixed_params"


def cached_database(url: str) -> BaseStorage:
    """Open a database with Optuna's cache, as `optuna.create_study` does, so that finished trials are read once."""
    return _CachedStorage(RDBStorage(url))


def journal_backend(storage: BaseStorage) -> BaseJournalBackend | None:
    """Return the backend that a journal storage writes to, or None for any other storage."""
    return storage._backend if isinstance(storage, JournalStorage) else None


def storage_id(trial: FrozenTrial | Trial) -> int:
    """Return the id of a trial in its storage."""
    return trial._trial_id


class FailuresAsPruned:
    """A study in which failed trials count as pruned before their first report, which TPE takes for the worst.

    Optuna's TPE does not see failed trials, and would try the same corner again.
    """

    def __init__(self, study: Study) -> None:
        self._study = study

    def __getattr__(self, name: str) -> Any:
        return getattr(self._study, name)

    def _get_trials(
        self, deepcopy: bool = True, states: Container[TrialState] | None = None, use_cache: bool = False
    ) -> list[FrozenTrial]:
        """Return the trials in these states, and the failed ones where pruned ones are asked for."""
        trials = self._study._get_trials(deepcopy, states, use_cache)
        if states is None or TrialState.PRUNED not in states:
            return trials
        failed = self._study._get_trials(deepcopy=False, states=(TrialState.FAIL,), use_cache=use_cache)
        return sorted([*trials, *map(_as_pruned, failed)], key=lambda trial: trial.number)


def _as_pruned(trial: FrozenTrial) -> FrozenTrial:
    pruned = copy(trial)
    pruned.state, pruned.intermediate_values = TrialState.PRUNED, {}
    return pruned


def suggest_value(trial: Trial, name: str, distribution: BaseDistribution) -> Any:
    """Suggest a value for a parameter from any kind of distribution.

    Optuna's public methods each accept one kind of distribution only.

    Args:
        trial: The running trial that gets the value.
        name: Name of the parameter.
        distribution: The distribution to suggest from.

    Returns:
        The suggested value; the trial keeps it.
    """
    return trial._suggest(name, distribution)
