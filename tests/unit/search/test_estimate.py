"""Estimates of the work and hours of each stage."""

from pathlib import Path

import pytest

from lib.search.estimate import MachineTimings, estimate_stages, stage_a_work
from lib.settings.config import StageASettings
from lib.settings.load import read_settings


def test_the_work_of_stage_a_by_hand() -> None:
    one = StageASettings(trials=10, seeds=1, min_epochs=4)
    assert stage_a_work(one, 4) == (10, 40, 10)
    # The rungs are epoch 2 and the end of the first seed. The first 3 of 11 trials pass a rung without a comparison,
    # and half of the others pass it, so that 7 and then 5 trials continue.
    two = StageASettings(trials=11, seeds=2, min_epochs=2, reduction=2)
    assert stage_a_work(two, 4) == (11 + 5, 11 * 2 + 7 * 2 + 5 * 4, 5)


def test_an_estimate_adds_up(copy_of_prepared: Path) -> None:
    config = read_settings("results/settings.json").config
    stages = {p.stage: p for p in estimate_stages(config, MachineTimings(1.0, 10.0, 20.0, 5.0, 100.0, 4.0))}
    c = config.stage_c
    folds = c.candidates * c.folds * c.repeats
    assert stages["Stage C"].hours * 3600 == pytest.approx(
        folds * (1 + 5) + folds * config.training.epochs * 20 + (folds + 2) * 5.5
    )
    b = config.stage_b
    cold = config.model_copy(update={"stage_b": b.model_copy(update={"warm_start": 0})})
    work = {p.stage: p.trainings for p in estimate_stages(cold, MachineTimings(1.0, 10.0, 20.0, 5.0, 100.0, 4.0))}
    assert work["Stage B"] == stages["Stage B"].trainings + b.warm_start, "the others are kept from Stage A"
    # About 5 of 20 trials of Stage A are completed, and only those are handed over. Their fourth seed is trained.
    a = config.stage_a.model_copy(update={"trials": 20, "seeds": 3})
    b = b.model_copy(update={"trials": 25, "seeds": 4, "warm_start": 20, "racing": False})
    few = config.model_copy(update={"stage_a": a, "stage_b": b})
    completed = int(stage_a_work(a, config.training.epochs)[2])
    work = {p.stage: p.trainings for p in estimate_stages(few, MachineTimings(1.0, 10.0, 20.0, 5.0, 100.0, 4.0))}
    assert 3 <= completed <= 8 and work["Stage B"] == (25 - completed) * 4 + completed
    assert list(stages) == ["Stage A", "Stage B", "Stage C", "baseline", "final model"]


def test_outer_folds_cost_as_many_searches(copy_of_prepared: Path) -> None:
    config = read_settings("results/settings.json").config
    timings = MachineTimings(1.0, 10.0, 20.0, 5.0, 100.0, 4.0)
    main = estimate_stages(config, timings)
    *same, outer = estimate_stages(config.model_copy(update={"outer_folds": 5}), timings)
    assert same == main and outer.stage == "outer folds"
    assert outer.trainings == 5 * sum(each.trainings for each in main)
    assert outer.hours == pytest.approx(4 * sum(each.hours for each in main)), "of four in five posts"
    limited = config.model_copy(
        update={"outer_folds": 5, "stage_a": config.stage_a.model_copy(update={"hours": 1e-4})}
    )
    *some, outer = estimate_stages(limited, timings)
    assert outer.hours == pytest.approx(5 * some[0].hours + 4 * sum(each.hours for each in some[1:]))
