"""Recipes are first trials where they lie in the space."""

from pathlib import Path

import pytest
import yaml
from support.studies import study_in
from support.tiny import TINY

from lib.agents import agent_space
from lib.errors import UserError
from lib.search.recipes import recipe_trials
from lib.search.strategies import stage_a_strategy
from lib.settings.default_params import default_params
from lib.settings.load import Settings, load_settings, merge, read_yaml
from lib.studies.budget import Budget
from lib.studies.pruners import min_trials_at_rung
from lib.studies.sobol import sobol_design
from lib.studies.study import suggest_params
from lib.studies.worker_registry import WorkerRegistry


def production(**more: object) -> Settings:
    raw = merge(read_yaml("config/config.yaml"), read_yaml("config/supermax.yaml"))
    return load_settings(merge(raw, {"stage_a": TINY["stage_a"], **more}))


def test_the_trainers_defaults_are_the_first_trial_and_other_recipes_come_early(tmp_path: Path) -> None:
    settings = production(stage_a={"startup_trials": 10})
    strategy = stage_a_strategy(settings, "criteria")
    study, registry = study_in(tmp_path), WorkerRegistry(tmp_path / "processes")
    trial = next(study.claim_trials(Budget(1), registry, strategy.sampler, strategy.enqueued))
    first = suggest_params(trial, strategy.space)
    registry.close()
    default = default_params(settings)
    assert first == {name: default[name] for name in first} and first["optim.lr"] == 5e-5
    rates = [trial["optim.lr"] for trial in strategy.enqueued]
    assert len(rates) == 10 + len(settings.recipes)
    early = slice(start := 1 + min_trials_at_rung(settings.config.stage_a.reduction), start + 5)
    assert [settings.recipes[name].params["optim.lr"] for name in list(settings.recipes)[1:]] == rates[early]
    backbones = {trial["model.backbone"] for trial in strategy.enqueued[early]}
    assert len(backbones) > 1, "other recipes have backbones of the design"


def test_recipes_outside_of_the_space_are_left_out() -> None:
    settings = production(constraints={"optim.lr": {"low": 6e-5}, "model.pooling": {"choices": ["mean", "max"]}})
    space = agent_space(settings.space, "criteria")
    ((name, only),) = recipe_trials(settings, space, sobol_design(space, 4, 0)).items()
    assert name == "electra" and only["optim.lr"] == 1e-4 and only["optim.layer_decay"] == 0.8
    assert "model.pooling" not in only, "the default is cls, so the sampler suggests another"
    first = stage_a_strategy(settings, "criteria").enqueued[0]
    assert first["optim.lr"] != 1e-4, "another recipe is not the very first trial, which no rung stops"
    assert stage_a_strategy(production(recipes=None), "criteria").enqueued[0]["optim.lr"] != 5e-5


def test_a_wrong_recipe_is_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "recipes.yaml"
    names = {"optim.name": "adam_w", "optim.rl": 1e-4, "model.backbone": "mental-brt", "null_policy.name": "none"}
    file.write_text(yaml.safe_dump({"mine": {"source": "me", "params": names}}))
    with pytest.raises(UserError) as error:
        production(recipes=str(file))
    backbone, policy, optimizer, unknown = error.value.lines
    assert policy.startswith(f"{file}: mine: null_policy.name: is decided after training")
    assert backbone == f"{file}: mine: model.backbone: backbone 'mental-brt' is unknown; did you mean 'mental-bert'?"
    assert optimizer.startswith(f"{file}: mine: optim.name: 'adam_w' is not possible")
    assert unknown.startswith(f"{file}: mine: optim.rl: unknown parameter; did you mean 'optim.lr'?")
