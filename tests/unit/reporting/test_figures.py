"""The numbers behind the figures of the report."""

import re
from types import SimpleNamespace

import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState, create_trial
from support.evaluations import cross_validation, evaluation

from lib.metrics.objective import Objective
from lib.reporting import figures, svg
from lib.schemas.search import MethodEffect, TrialResult
from lib.settings.config import StageASettings


def seed_result(f1: float) -> dict[str, object]:
    figures = {"objective": f1, "calibration_error": 0.1}
    rest = {"seed": 0, "key": "", "best_epoch": 1, "epochs_run": 1, "stopped": "epochs"}
    return {**rest, **figures, "by_policy": {"none": figures}}


def trial(number: int, lr: float, kind: str, f1: float, state=TrialState.COMPLETE, steps=None):
    made = create_trial(
        params={"lr": lr, "kind": kind},
        distributions={"lr": FloatDistribution(1e-5, 1e-2, log=True), "kind": CategoricalDistribution(["a", "b"])},
        value=f1,
        state=state,
        intermediate_values=steps or {},
        user_attrs={"seeds": [seed_result(f1)]},
    )
    made.number = number
    return made


def test_importance_finds_the_parameter_that_matters() -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    rng = np.random.default_rng(0)
    trials = [
        trial(n, lr := float(10 ** rng.uniform(-5, -2)), str(rng.choice(["a", "b"])), -abs(np.log10(lr) + 3))
        for n in range(60)
    ]
    found = figures.estimate_importances(trials, 0)
    assert next(iter(found)) == "lr" and all(found["lr"][i] > 0.8 for i in (0, 1))
    assert figures.estimate_importances(trials[:5], 0) == {} and "<svg" in figures.plot_importances(found)


def test_rungs_count_trials_that_arrived_and_trials_that_continued() -> None:
    limits = StageASettings(trials=4, seeds=2, min_epochs=2, reduction=2)
    steps = [{1: 0.1, 2: 0.2}, {1: 0.1, 2: 0.3, 3: 0.4, 4: 0.4}, {1: 0.1, 2: 0.3, 3: 0.4, 4: 0.4}]
    states = [TrialState.PRUNED, TrialState.PRUNED, TrialState.COMPLETE]
    trials = [
        trial(n, 1e-3, "a", 0.4, state, step) for n, (state, step) in enumerate(zip(states, steps, strict=True))
    ]
    assert figures.rung_counts(trials, limits, epochs=4) == [("epoch 2", 3, 2), ("seed 1", 2, 1)]


def labels(drawing: str) -> str:
    """Return the texts of a figure, without line breaks."""
    return " ".join(re.findall(r"<text[^>]*>([^<]*)</text>", drawing))


@pytest.mark.parametrize(
    ("population", "where"), [("natural", "natural prevalence"), ("annotated", "annotated pairs")]
)
def test_every_figure_of_scores_names_the_population(population: str, where: str) -> None:
    objective = Objective(population=population)
    trials = [trial(n, 10.0 ** -(n + 2), "ab"[n], 0.1 * n) for n in range(2)]
    run = [{"epoch": 1, "loss": 0.5, "objective": 0.4}, {"epoch": 2, "loss": 0.4, "objective": 0.5}]
    effect = MethodEffect(method="synonym", trials=9, exposed=4, rho=0.1, low=-0.2, high=0.4)
    found = [
        TrialResult(
            number=0,
            state="COMPLETE",
            params={},
            objective=0.4,
            calibration_error=0.8,
            policy="none",
            seeds=[],
            rank=0,
        )
    ]
    for drawing in (
        figures.plot_history(trials, objective),
        figures.plot_parallel_coordinates(trials, ["lr", "kind"], objective),
        figures.plot_learning_curves({"fold": run}, objective),
        figures.plot_method_effects([effect], objective),
    ):
        assert f"F1-macro ({where})" in labels(drawing)
    front = labels(figures.plot_pareto_front(SimpleNamespace(trials=found), objective))
    assert f"F1-macro ({where})" in front and f"1 − Brier skill ({where})" in front
    models = labels(figures.plot_model_comparison(evaluation(population=population)))
    assert f"F1-macro ({where})" in models and f"ECE ({where})" in models
    folds = labels(figures.plot_folds(cross_validation(population=population)))
    assert f"F1-macro ({where})" in folds and f"by criterion ({where})" in folds


def test_a_criterion_without_a_positive_is_named_and_not_drawn_as_zero() -> None:
    """C has no positive; A and B have an F1 of 1."""
    drawing = figures.plot_folds(cross_validation())
    assert "no pair is positive: C" in labels(drawing)
    result = cross_validation()
    for criterion in result.ranking[0]["scores"]["per_criterion"].values():
        criterion["f1"] = 0.0
    drawn_zero = figures.plot_folds(result)
    bars = [drawing.count("clip-path") for drawing in (drawing, drawn_zero)]
    assert bars[0] == bars[1] - 1 and "no pair is positive" not in labels(drawn_zero)


@pytest.mark.parametrize("second", ["ensemble", "default transformer"])
def test_only_an_ensemble_has_the_colour_of_ensembles(second: str) -> None:
    drawing = figures.plot_model_comparison(evaluation(names=("chosen", second, "majority")))
    assert svg.ORANGE.lower() in drawing and (svg.GREEN.lower() in drawing) == (second == "ensemble")
