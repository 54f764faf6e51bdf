"""What Stage B takes over from Stage A."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import optuna

from lib.search.strategies import SearchStrategy, stage_b_strategy
from lib.settings.load import read_settings
from lib.studies.study import suggest_params

RATES = [9e-4, 8e-4, 7e-4, 6e-4]


def test_stage_b_begins_with_completed_trials_and_learns_from_them_at_once(copy_of_prepared: Path) -> None:
    settings = read_settings("results/settings.json")
    limits = settings.config.stage_b.model_copy(update={"warm_start": 3, "sampler": "tpe"})
    settings = settings.model_copy(update={"config": settings.config.model_copy(update={"stage_b": limits})})
    states = ["COMPLETE", "PRUNED", "COMPLETE", "FAIL"]
    first: Any = SimpleNamespace(
        trials=[
            SimpleNamespace(state=state, params={"optim.lr": rate}) for rate, state in zip(RATES, states, strict=True)
        ]
    )
    strategy = stage_b_strategy(settings, "criteria", first)
    assert [params["optim.lr"] for params in strategy.enqueued] == RATES[::2], "a pruned one lacks seeds"
    assert third_trial(strategy, [1.0, 0.0]) != third_trial(strategy, [0.0, 1.0]), "it depends on which was better"


def third_trial(strategy: SearchStrategy, scores: list[float]) -> dict[str, Any]:
    """Return what is suggested after two enqueued trials with these scores."""
    study = optuna.create_study(directions=list(strategy.directions))
    for params in strategy.enqueued:
        study.enqueue_trial(params)
    for number, score in enumerate([*scores, 0.0]):
        study.sampler = strategy.sampler(number)
        trial = study.ask()
        suggested = suggest_params(trial, strategy.space)
        study.tell(trial, [score, 1.0 - score])
    return suggested
