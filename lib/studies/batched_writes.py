"""Many writes to a journal as one.

Optuna writes each of a trial's parameters by itself: sixty locks and disk writes a trial.
"""

from contextlib import AbstractContextManager, nullcontext

from optuna.storages import BaseStorage

from lib.studies.journal import Journal
from lib.studies.optuna_internals import journal_backend


def batched_writes(storage: BaseStorage) -> AbstractContextManager[None]:
    """Append what a block writes to a journal in one go; any other storage writes as it always does."""
    backend = journal_backend(storage)
    return backend.batched() if isinstance(backend, Journal) else nullcontext()
