"""Keep all uses of Optuna's private names in one place.

pyproject.toml limits Optuna's version because of them, and a test uses each of them.
"""

from typing import Any

from optuna.distributions import BaseDistribution
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages._cached_storage import _CachedStorage
from optuna.storages.journal import BaseJournalBackend
from optuna.trial import FrozenTrial, Trial

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
