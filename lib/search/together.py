"""Many writes to a study's storage as one.

Optuna writes each of a trial's parameters by itself: sixty locks and disk writes, or sixty transactions, a trial.
"""

from contextlib import AbstractContextManager, nullcontext

from optuna.storages import BaseStorage, JournalStorage
from optuna.storages._cached_storage import _CachedStorage

from lib.search.journal import Journal


def together(storage: BaseStorage) -> AbstractContextManager[None]:
    """Write what a block writes in one go: all of it in a journal, the parameters in a database."""
    if isinstance(storage, JournalStorage) and isinstance(storage._backend, Journal):
        return storage._backend.together()
    if isinstance(storage, _CachedStorage):
        from lib.search.database import Database

        if isinstance(storage._backend, Database):
            return storage._backend.together()
    return nullcontext()
