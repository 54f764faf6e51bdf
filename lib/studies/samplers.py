"""Optuna's samplers with a search space that is known from the start.

Optuna infers it from all earlier trials, again for each new sampler: with a thousand trials of fifty parameters this
took longer than everything else together. Here it is known, and never changes.
"""

from collections.abc import Callable

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import GPSampler, NSGAIISampler, TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial

from lib.settings.space import Space

# Completed trials that a Gaussian process needs; most trials are pruned, so startup_trials would be too many.
_GP_STARTUP = 6
_DISTRIBUTIONS: dict[str, Callable[..., BaseDistribution]] = {
    "categorical": CategoricalDistribution,
    "float": FloatDistribution,
    "int": IntDistribution,
}


class _StaticSpace:
    """A sampler that knows its space."""

    _space: dict[str, BaseDistribution]

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Return the parameters that vary, in Optuna's order."""
        return {name: self._space[name] for name in sorted(self._space) if not self._space[name].single()}


class TpeSampler(_StaticSpace, TPESampler):
    """Multivariate TPE, of one objective or several."""

    def __init__(self, space: Space, *, seed: int, startup: int) -> None:
        """startup: finished trials before it learns from them; what is not fixed is random until then."""
        # A trial that runs elsewhere counts as a bad one meanwhile (constant liar), so that two do not try the same.
        super().__init__(seed=seed, multivariate=True, constant_liar=True, n_startup_trials=startup)
        self._space = distributions(space)


class GpSampler(_StaticSpace, GPSampler):
    """A Gaussian process over completed trials, log expected improvement (Jones et al., 1998), of one objective.

    It takes what other processes try into account. Its time grows with the cube of the completed trials.
    """

    def __init__(self, space: Space, *, seed: int) -> None:
        """Until a few trials have completed, what is not fixed is random."""
        super().__init__(seed=seed, n_startup_trials=_GP_STARTUP, warn_independent_sampling=False)
        self._space = distributions(space)


class NsgaIISampler(_StaticSpace, NSGAIISampler):
    """NSGA-II (Deb et al., 2002)."""

    def __init__(self, space: Space, *, seed: int, population: int) -> None:
        super().__init__(seed=seed, population_size=population)
        self._space = distributions(space)


def distributions(space: Space) -> dict[str, BaseDistribution]:
    """Return Optuna's distribution of each parameter, in the order of the space."""
    return {
        name: _DISTRIBUTIONS[parameter.type](**parameter.model_dump(exclude={"type"}))
        for name, parameter in space.parameters.items()
    }
