"""Optuna's samplers with a search space that is known from the start.

Optuna infers the space from all earlier trials, again for each new sampler. With a thousand trials of fifty
parameters this took longer than everything else together. Here the space is known and never changes.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import NSGAIISampler
from optuna.study import Study
from optuna.trial import FrozenTrial

from lib.settings.hyperparameters import is_used
from lib.settings.space import Parameter, Space
from lib.studies.optuna_internals import (
    ENQUEUED_PARAMS,
    Breed,
    FailureAwareGPSampler,
    GroupwiseTPESampler,
    wrap_child_generation,
)

# Completed trials that a Gaussian process needs. Most trials are pruned, so startup_trials would be too many.
_GP_STARTUP = 6
# Parents that crossover needs.
_PARENTS = 2
_DISTRIBUTIONS: dict[str, Callable[..., BaseDistribution]] = {
    "categorical": CategoricalDistribution,
    "float": FloatDistribution,
    "int": IntDistribution,
}


class _StaticSpace:
    """Mixin for a sampler that is given its search space."""

    _space: Space

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Return the distributions of the parameters that vary, in Optuna's (alphabetical) order.

        Args:
            study: Not used; Optuna passes it.
            trial: Not used; Optuna passes it.

        Returns:
            Distributions by parameter name.
        """
        return _varying(self._space.parameters)

    def _groups(self) -> list[dict[str, BaseDistribution]]:
        """Return the distributions that vary, in groups of parameters that trials use together."""
        return [group for parameters in self._space.groups() if (group := _varying(parameters))]

    def _fixed(self) -> dict[str, Any]:
        """Return the values of the parameters that do not vary."""
        return {name: p.bounds[0] for name, p in self._space.parameters.items() if not p.varies}


class StaticSpaceTPESampler(_StaticSpace, GroupwiseTPESampler):
    """Multivariate TPE (Bergstra et al., 2011; Falkner et al., 2018) for one or more objectives.

    Parameters that only some trials use are suggested after those that decide it, and learned from the trials that
    used them. A failed trial counts as the worst, so that its neighbourhood is avoided.
    """

    def __init__(self, space: Space, *, seed: int, n_startup_trials: int) -> None:
        """Create the sampler.

        Args:
            space: All parameters.
            seed: Seed of the suggestions.
            n_startup_trials: Finished trials before it learns; until then, parameters that are not fixed are random.
        """
        # The constant liar counts a running trial as a bad one, so that two workers do not try the same point.
        super().__init__(seed=seed, multivariate=True, constant_liar=True, n_startup_trials=n_startup_trials)
        self._space = space

    def used_groups(self, trial: FrozenTrial, found: Mapping[str, Any]) -> Iterator[dict[str, BaseDistribution]]:
        """Yield the groups of parameters that a trial uses.

        Args:
            trial: The trial that gets the parameters.
            found: The values suggested so far, to which the caller adds those of a group before it asks for the next.

        Yields:
            The distributions of a group.
        """
        fixed = self._fixed() | trial.system_attrs.get(ENQUEUED_PARAMS, {})
        for group in self._groups():
            if is_used(next(iter(group)), {**found, **fixed}):
                yield group


class StaticSpaceGPSampler(_StaticSpace, FailureAwareGPSampler):
    """A Gaussian process over completed trials for one objective, with log expected improvement (Jones et al., 1998).

    It takes the running trials of other processes into account, and failed trials for the worst. Its time grows with
    the cube of these trials.
    Parameters that only some trials use are random.
    """

    def __init__(self, space: Space, *, seed: int) -> None:
        """Create the sampler.

        Until a few trials have completed, parameters that are not fixed are random.

        Args:
            space: All parameters.
            seed: Seed of the suggestions.
        """
        super().__init__(seed=seed, n_startup_trials=_GP_STARTUP, warn_independent_sampling=False)
        self._space = Space(parameters=space.groups()[0])


class StaticSpaceNSGAIISampler(_StaticSpace, NSGAIISampler):
    """NSGA-II (Deb et al., 2002).

    Parameters that only some trials use are inherited from parents that used them.
    """

    def __init__(self, space: Space, *, seed: int, population_size: int) -> None:
        """Create the sampler.

        Args:
            space: All parameters.
            seed: Seed of the suggestions.
            population_size: Trials of a generation.
        """
        self._space = space
        mutation = 1 / max(1, len(_varying(space.parameters)))
        super().__init__(seed=seed, population_size=population_size, mutation_prob=mutation)
        wrap_child_generation(self, self._child)

    def _child(
        self, breed: Breed, study: Study, search_space: dict[str, BaseDistribution], parents: list[FrozenTrial]
    ) -> dict[str, Any]:
        """Breed each group of parameters from the parents that used it."""
        child, fixed = dict[str, Any](), self._fixed()
        for group in self._groups():
            own = [parent for parent in parents if group.keys() <= parent.params.keys()]
            if len(own) >= _PARENTS and is_used(next(iter(group)), {**child, **fixed}):
                child |= breed(study, group, own)
        return child


def _varying(parameters: Mapping[str, Parameter]) -> dict[str, BaseDistribution]:
    varying = distributions({name: p for name, p in parameters.items() if p.varies})
    return {name: varying[name] for name in sorted(varying)}


def distributions(parameters: Mapping[str, Parameter]) -> dict[str, BaseDistribution]:
    """Return Optuna's distribution for each parameter, in the same order."""
    return {
        name: _DISTRIBUTIONS[parameter.type](**parameter.model_dump(exclude={"type"}))
        for name, parameter in parameters.items()
    }
