"""Locate a study, and read its trials without changing it."""

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import optuna
from optuna.pruners import NopPruner
from optuna.storages import BaseStorage, JournalStorage
from optuna.trial import FrozenTrial, TrialState

from lib.errors import UserError
from lib.studies.journal import Journal
from lib.studies.optuna_internals import cached_database

_FINISHED_STATES = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)


@dataclass(frozen=True)
class StudyLocation:
    """Where a study is kept.

    Attributes:
        name: The study's name in the storage.
        folder: Folder of the locks, and of the journal if there is no URL.
        url: An Optuna storage URL or grpc://host:port; None for a journal file.
    """

    name: str
    folder: Path
    url: str | None

    @property
    def journal(self) -> Path:
        """Path of the journal file."""
        return self.file("journal")

    @property
    def processes(self) -> Path:
        """Folder of the locks of the processes that work on the study."""
        return self.folder / "processes"

    def file(self, extension: str) -> Path:
        """Return the path of a file of this study."""
        return self.folder / f"{self.name.replace('/', '-')}.{extension}"

    def __str__(self) -> str:
        return str(self.journal) if self.url is None else f"study '{self.name}' in {_without_password(self.url)}"

    def storage(self) -> BaseStorage:
        """Open the storage.

        Raises:
            UserError: The database cannot be opened.
        """
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        if self.url is None:
            return JournalStorage(Journal(self.journal))
        if self.url.startswith("grpc://"):
            host, _, port = self.url.removeprefix("grpc://").partition(":")
            with warnings.catch_warnings(action="ignore", category=optuna.exceptions.ExperimentalWarning):
                return optuna.storages.GrpcStorageProxy(host=host, port=int(port or 13000))
        try:
            return cached_database(self.url)
        except Exception as error:  # each database driver raises its own
            raise UserError(f"storage: {_without_password(self.url)}: {str(error).splitlines()[0]}") from None


def load_trials(location: StudyLocation) -> list[FrozenTrial] | None:
    """Return a study's trials, or None if there is no such study; no study is created."""
    if location.url is None and not location.journal.exists():
        return None
    try:
        study = optuna.load_study(
            study_name=location.name,
            storage=location.storage(),
            sampler=optuna.samplers.RandomSampler(),
            pruner=NopPruner(),
        )
    except KeyError:
        return None
    return study.get_trials(deepcopy=False)


def load_finished_trials(location: StudyLocation) -> list[FrozenTrial]:
    """Return a study's finished trials; none if there is no such study."""
    return select_finished(load_trials(location) or [])


def select_finished(trials: Iterable[FrozenTrial]) -> list[FrozenTrial]:
    """Return the trials that have completed, failed or been pruned."""
    return [trial for trial in trials if trial.state in _FINISHED_STATES]


def _without_password(url: str) -> str:
    head, at, rest = url.rpartition("@")
    return f"{head.rpartition(':')[0]}:…@{rest}" if at and head.count(":") > 1 else url
