"""Combine many writes to a journal into one.

Optuna writes each parameter of a trial separately, which costs about sixty locks and disk writes per trial.
"""

from contextlib import AbstractContextManager, nullcontext

from optuna.storages import BaseStorage

from lib.studies.journal import Journal
from lib.studies.optuna_internals import journal_backend


def batched_writes(storage: BaseStorage) -> AbstractContextManager[None]:
    """Return a context that appends everything written in its block to the journal at once.

    Storages other than a journal write as they always do.
    """
    backend = journal_backend(storage)
    return backend.batched() if isinstance(backend, Journal) else nullcontext()
