"""The names of the metrics that MLflow shows."""

from pathlib import Path

import pytest
from support.evaluations import agent_scores, cross_validation
from support.tiny import empty_provenance

from lib.metrics.objective import Objective
from lib.schemas.evaluation import FoldResult
from lib.tracking import records


@pytest.mark.parametrize(
    ("population", "places"), [("natural", ["natural", "annotated"]), ("annotated", ["annotated"])]
)
def test_the_scores_of_a_fold_name_their_population(population: str, places: list[str], tmp_path: Path) -> None:
    scores = {"objective": 0.4, "calibration_error": 0.8, **agent_scores("criteria", [True] * 6, population)}
    fold = FoldResult(
        provenance=empty_provenance(),
        agent="criteria",
        candidate=0,
        fold=1,
        split="fold-1-of-2-repeat-1",
        params={},
        sizes={},
        epochs=1,
        scores=scores,
        examples=[],
        logits={},
        performance={},
    )
    fold.write(tmp_path / "stage_c" / "0-1.json")
    named = records.objective_tags(Objective(population=population))
    (child,) = records._folds(tmp_path, cross_validation(), "criteria", named).children
    expected = [f"{place}/{name}" for place in places for name in ("f1_macro", "ece", "accuracy")]
    assert [name for name, _, _ in child.points] == ["objective", "calibration_error", *expected]
    assert child.tags["objective"] == Objective(population=population).name


def test_the_tags_of_a_run_say_what_its_objectives_are() -> None:
    assert records.objective_tags(Objective()) == {
        "objective": "F1-macro (natural prevalence)",
        "calibration_error": "1 − Brier skill (natural prevalence)",
    }
