"""Optuna's samplers with a search space that is known from the start.

Optuna infers the space from all earlier trials, again for each new sampler. With a thousand trials of fifty
parameters this took longer than everything else together. Here the space is known and never changes.
"""

from collections.abc import Callable
from typing import Any, cast

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import GPSampler, NSGAIISampler, TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial

from lib.settings.space import Space
from lib.studies.optuna_internals import FailuresAsPruned

# Completed trials that a Gaussian process needs. Most trials are pruned, so startup_trials would be too many.
_GP_STARTUP = 6
_DISTRIBUTIONS: dict[str, Callable[..., BaseDistribution]] = {
    "categorical": CategoricalDistribution,
    "float": FloatDistribution,
    "int": IntDistribution,
}


class _StaticSpace:
    """Mixin for a sampler that is given its search space."""

    _space: dict[str, BaseDistribution]

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Return the distributions of the parameters that vary, in Optuna's (alphabetical) order.

        Args:
            study: Not used; Optuna passes it.
            trial: Not used; Optuna passes it.

        Returns:
            Distributions by parameter name.
        """
        return {name: self._space[name] for name in sorted(self._space) if not self._space[name].single()}


class StaticSpaceTPESampler(_StaticSpace, TPESampler):
    """Multivariate TPE (Bergstra et al., 2011; Falkner et al., 2018) for one or more objectives."""

    def __init__(self, space: Space, *, seed: int, n_startup_trials: int) -> None:
        """Create the sampler.

        Args:
            space: All parameters.
            seed: Seed of the suggestions.
            n_startup_trials: Finished trials before it learns; until then, parameters that are not fixed are random.
        """
        # The constant liar counts a running trial as a bad one, so that two workers do not try the same point.
        super().__init__(seed=seed, multivariate=True, constant_liar=True, n_startup_trials=n_startup_trials)
        self._space = distributions(space)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Suggest parameters. A failed trial counts as the worst, so that its neighbourhood is avoided.

        Args:
            study: The study.
            trial: The trial that gets the parameters.
            search_space: The distributions of the parameters.

        Returns:
            The values by parameter name.
        """
        return super().sample_relative(cast("Study", FailuresAsPruned(study)), trial, search_space)


class StaticSpaceGPSampler(_StaticSpace, GPSampler):
    """A Gaussian process over completed trials for one objective, with log expected improvement (Jones et al., 1998).

    It takes the running trials of other processes into account. Its time grows with the cube of the completed trials.
    """

    def __init__(self, space: Space, *, seed: int) -> None:
        """Create the sampler.

        Until a few trials have completed, parameters that are not fixed are random.

        Args:
            space: All parameters.
            seed: Seed of the suggestions.
        """
        super().__init__(seed=seed, n_startup_trials=_GP_STARTUP, warn_independent_sampling=False)
        self._space = distributions(space)


class StaticSpaceNSGAIISampler(_StaticSpace, NSGAIISampler):
    """NSGA-II (Deb et al., 2002)."""

    def __init__(self, space: Space, *, seed: int, population_size: int) -> None:
        """Create the sampler.

        Args:
            space: All parameters.
            seed: Seed of the suggestions.
            population_size: Trials of a generation.
        """
        super().__init__(seed=seed, population_size=population_size)
        self._space = distributions(space)


def distributions(space: Space) -> dict[str, BaseDistribution]:
    """Return Optuna's distribution for each parameter, in the order of the space."""
    return {
        name: _DISTRIBUTIONS[parameter.type](**parameter.model_dump(exclude={"type"}))
        for name, parameter in space.parameters.items()
    }
