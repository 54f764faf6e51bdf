"""The two numbers that a search maximises and minimises, and their names."""

import numpy as np
import pytest

from lib.metrics.classification import binary_scores
from lib.metrics.objective import Objective


def scores_of(probability: np.ndarray, label: np.ndarray) -> dict:
    scores = binary_scores(probability, probability > 0.2, label, ["A"] * len(label), np.ones(len(label)))
    return {**scores, "population": "natural"}


def test_by_default_a_model_that_knows_nothing_is_not_the_better_calibrated_one() -> None:
    rng = np.random.default_rng(0)
    logit = rng.normal(-6, 2.5, 20_000)
    known = 1 / (1 + np.exp(-logit))
    label = (rng.random(len(known)) < known).astype(np.int64)
    ignorant = np.full(len(known), label.mean())
    error = {
        name: [Objective(calibration=name).values(scores_of(p, label))[1] for p in (known, ignorant)]
        for name in ("brier_skill", "classwise_ece", "ece")
    }
    assert error["classwise_ece"][0] > error["classwise_ece"][1] == pytest.approx(0, abs=1e-9)
    assert error["brier_skill"][0] < 0.8 and error["brier_skill"][1] == pytest.approx(1)
    assert Objective().values(scores_of(known, label))[1] == error["brier_skill"][0]


def test_without_a_positive_there_is_no_skill() -> None:
    scores = scores_of(np.array([0.1, 0.3]), np.array([0, 0]))
    assert scores["brier_skill"] is None and Objective().values(scores) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("population", "named", "both"),
    [
        ("natural", "natural prevalence: F1-macro", "at natural prevalence"),
        ("annotated", "annotated pairs: F1-macro", "on annotated pairs"),
    ],
)
def test_both_numbers_stand_under_the_name_of_their_population(population: str, named: str, both: str) -> None:
    objective = Objective(population=population)
    assert objective.describe("0.400", "0.750") == f"{named} 0.400, 1 − Brier skill 0.750"
    assert objective.both_names == f"F1-macro and 1 − Brier skill {both}"
