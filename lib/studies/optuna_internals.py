"""The private names of Optuna that this package uses, all in one place.

pyproject.toml bounds Optuna's version for their sake, and a test calls each of them.
"""

from typing import Any

from optuna.distributions import BaseDistribution
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages._cached_storage import _CachedStorage
from optuna.storages.journal import BaseJournalBackend
from optuna.trial import FrozenTrial, Trial


def cached_database(url: str) -> BaseStorage:
    """Open a database as `optuna.create_study` does: finished trials are read once."""
    return _CachedStorage(RDBStorage(url))


def journal_backend(storage: BaseStorage) -> BaseJournalBackend | None:
    """Return what a journal storage writes to; None for any other storage."""
    return storage._backend if isinstance(storage, JournalStorage) else None


def storage_id(trial: FrozenTrial | Trial) -> int:
    """Return the id under which a storage knows a trial."""
    return trial._trial_id


def suggest_value(trial: Trial, name: str, distribution: BaseDistribution) -> Any:
    """Suggest a value from a distribution, as the public methods do for each kind of it."""
    return trial._suggest(name, distribution)
