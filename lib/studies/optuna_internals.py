"""Keep all uses of Optuna's private names in one place.

pyproject.toml limits Optuna's version because of them, and a test uses each of them.
"""

from abc import abstractmethod
from collections.abc import Callable, Collection, Container, Iterator, Mapping
from copy import copy
from functools import partial
from typing import Any, cast

from optuna.distributions import BaseDistribution
from optuna.samplers import GPSampler, NSGAIISampler, TPESampler
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages._cached_storage import _CachedStorage
from optuna.storages.journal import BaseJournalBackend
from optuna.study import Study, StudyDirection
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


class _FailuresShown:
    """A study that shows failed trials to a sampler that would not see them, and would try the same corner again."""

    def __init__(self, study: Study) -> None:
        self._study = study

    def __getattr__(self, name: str) -> Any:
        return getattr(self._study, name)

    def _get_trials(
        self, deepcopy: bool = True, states: Container[TrialState] | None = None, use_cache: bool = False
    ) -> list[FrozenTrial]:
        """Return the trials in these states and those that failed, if they are shown there, by number."""
        trials = self._study._get_trials(deepcopy, states, use_cache)
        failed = self._study._get_trials(deepcopy=False, states=(TrialState.FAIL,), use_cache=use_cache)
        return sorted([*trials, *self._shown(failed, trials, states)], key=lambda trial: trial.number)

    @abstractmethod
    def _shown(
        self, failed: list[FrozenTrial], trials: list[FrozenTrial], states: Container[TrialState] | None
    ) -> list[FrozenTrial]:
        """Return changed copies of the failed trials, or nothing where these states do not show them."""


class FailuresAsPruned(_FailuresShown):
    """A study in which failed trials count as pruned before their first report, which TPE takes for the worst."""

    def _shown(
        self, failed: list[FrozenTrial], trials: list[FrozenTrial], states: Container[TrialState] | None
    ) -> list[FrozenTrial]:
        if states is None or TrialState.PRUNED not in states:
            return []
        shown = [copy(trial) for trial in failed]
        for trial in shown:
            trial.state, trial.intermediate_values = TrialState.PRUNED, {}
        return shown


class FailuresAsWorst(_FailuresShown):
    """A study of one objective in which failed trials count as completed ones with the worst value of any."""

    def __init__(self, study: Study, parameters: Collection[str]) -> None:
        super().__init__(study)
        self._parameters = parameters

    def _shown(
        self, failed: list[FrozenTrial], trials: list[FrozenTrial], states: Container[TrialState] | None
    ) -> list[FrozenTrial]:
        values = [trial.value for trial in trials if trial.state == TrialState.COMPLETE and trial.value is not None]
        if not values:
            return []
        worst = min(values) if self._study.direction == StudyDirection.MAXIMIZE else max(values)
        shown = [copy(trial) for trial in failed if all(name in trial.params for name in self._parameters)]
        for trial in shown:
            trial.state, trial.values = TrialState.COMPLETE, [worst]
        return shown


class FailureAwareGPSampler(GPSampler):
    """A Gaussian process for which failed trials are the worst. Optuna's does not see them."""

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Suggest all parameters of a trial; `study` passes its trials."""
        return super().sample_relative(cast("Study", FailuresAsWorst(study, search_space)), trial, search_space)


class GroupwiseTPESampler(TPESampler):
    """TPE that suggests one group of parameters after another. Failed trials count as the worst."""

    @abstractmethod
    def used_groups(self, trial: FrozenTrial, found: Mapping[str, Any]) -> Iterator[dict[str, BaseDistribution]]:
        """Yield the distributions of each group that a trial uses; `found` holds the values of the groups before."""

    def _sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Suggest the groups in order. `sample_relative` shares the values of all with other processes."""
        found: dict[str, Any] = {}
        for group in self.used_groups(trial, found):
            found |= super()._sample_relative(cast("Study", FailuresAsPruned(study)), trial, group)
        return found


# Returns the parameters of a child from a study, distributions and a population.
Breed = Callable[[Study, dict[str, BaseDistribution], list[FrozenTrial]], dict[str, Any]]


def wrap_child_generation(sampler: NSGAIISampler, child: Callable[..., dict[str, Any]]) -> None:
    """Replace the way in which NSGA-II makes a child.

    Args:
        sampler: The sampler.
        child: Called with the sampler's own way, of type `Breed`, before the arguments of that.
    """
    sampler._child_generation_strategy = partial(child, sampler._child_generation_strategy)


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
