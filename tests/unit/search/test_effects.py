"""The effect of each augmentation method on the objective of trials."""

import pytest
from support.augmented import augmenting_params, experiment

from lib.augmentation.methods import METHODS
from lib.metrics.objective import Objective
from lib.reporting.augmentation_report import describe_augmentation
from lib.schemas.run import SeedResult
from lib.schemas.search import MethodEffect, TrialResult
from lib.search.effects import method_effects

pytestmark = pytest.mark.usefixtures("zebra_augmentation")


@pytest.mark.slow
def test_stage_a_estimates_each_methods_effect_and_the_page_shows_it() -> None:
    made = experiment("criteria")
    trials = [
        TrialResult(
            number=i,
            state="COMPLETE" if i % 2 else "PRUNED",
            params=augmenting_params("criteria", **{"aug.strategy": "custom"})
            | {f"aug.weight_{name}": float(name == "ocr") * i / 20 + 0.1 for name in METHODS},
            objective=0.4 + i / 50,
            calibration_error=0.1,
            seeds=[
                SeedResult(
                    seed=0,
                    key="",
                    objective=0.4 + i / 50,
                    calibration_error=0.1,
                    best_epoch=1,
                    epochs_run=1,
                    stopped="epochs",
                )
            ],
        )
        for i in range(20)
    ]
    effects = {effect.method: effect for effect in method_effects(trials, 0)}
    assert effects["ocr"].rho == pytest.approx(1) and effects["keyboard"].rho == pytest.approx(-1)
    assert effects["ocr"].low is not None and effects["ocr"].low > 0.9 and effects["ocr"].exposed == 20
    assert all(effect.rho is None for effect in method_effects(trials[:3], 0)), "too few to say"
    page = describe_augmentation(
        made.builder.bank,
        [*effects.values(), MethodEffect(method="x", trials=1, exposed=0, rho=None, low=None, high=None)],
        {"ocr": 7},
        Objective(),
    )
    assert "F1-macro (natural prevalence)" in page
    assert "| ocr | +1.00 | +1.00 to +1.00 | 20 of 20 | 7 |" in page and "1.0 MiB on disk" in page
