"""Many writes to a study's storage as one.

Optuna writes each of a trial's parameters by itself: sixty locks and disk writes, or sixty transactions, a trial.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from optuna.distributions import BaseDistribution, check_distribution_compatibility, distribution_to_json
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages._cached_storage import _CachedStorage
from optuna.storages._rdb import models
from optuna.storages._rdb.storage import _create_scoped_session

from lib.search.journal import Journal


def together(storage: BaseStorage) -> AbstractContextManager[None]:
    """Write what a block writes in one go: all of it in a journal, the parameters in a database."""
    if isinstance(storage, JournalStorage) and isinstance(storage._backend, Journal):
        return storage._backend.together()
    if isinstance(storage, _CachedStorage):
        return _parameters_together(storage._backend)
    return nullcontext()


@contextmanager
def _parameters_together(storage: RDBStorage) -> Iterator[None]:
    held: list[tuple[int, str, float, BaseDistribution]] = []

    def hold(
        trial: int, name: str, value: float, distribution: BaseDistribution, known: BaseDistribution | None
    ) -> None:
        if known is not None:
            check_distribution_compatibility(known, distribution)
        held.append((trial, name, value, distribution))

    storage._set_trial_param = hold  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        del storage._set_trial_param
    if not held:
        return
    rows: list[dict[str, Any]] = [
        {
            "trial_id": trial,
            "param_name": name,
            "param_value": value,
            "distribution_json": distribution_to_json(distribution),
        }
        for trial, name, value, distribution in held
    ]
    with _create_scoped_session(storage.scoped_session) as session:
        session.bulk_insert_mappings(models.TrialParamModel, rows)
