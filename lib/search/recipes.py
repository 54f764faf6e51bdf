"""Make first trials of Stage A from recipes of the literature."""

from collections.abc import Mapping, Sequence
from typing import Any

from lib.settings.default_params import default_params
from lib.settings.load import Settings
from lib.settings.space import BACKBONES, Space


def recipe_trials(settings: Settings, space: Space, design: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the hyper-parameters of each recipe that lies in the space.

    Args:
        settings: Give the recipes, and the default transformer that completes them.
        space: The agent's search space.
        design: The start-up design, whose backbones the recipes after the first one take in turn.

    Returns:
        A configuration for each of them by name, in order. What it leaves open, because the default lies outside of
        the space, is for the sampler to suggest.
    """
    default, found = default_params(settings), {}
    for number, (recipe_name, recipe) in enumerate(settings.recipes.items()):
        named = {name: value for name, value in recipe.params.items() if name in space.parameters}
        if not all(space.parameters[name].contains(value) for name, value in named.items()):
            continue
        point = design[number % len(design)] if design and number else {}
        backbones = {name: value for name, value in point.items() if name in BACKBONES}
        params = space.adapted({**default, **backbones, **named})
        found[recipe_name] = {name: value for name, value in params.items() if space.parameters[name].contains(value)}
    return found
