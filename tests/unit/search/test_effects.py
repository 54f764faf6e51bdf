"""The effect of each augmentation method on the objective of trials."""

import numpy as np
import pytest
from scipy import stats
from support.augmented import augmenting_params, experiment

from lib.augmentation.methods import METHODS
from lib.metrics.objective import Objective
from lib.reporting.augmentation_report import describe_augmentation
from lib.schemas.run import SeedResult
from lib.schemas.search import MethodEffect, TrialResult
from lib.search.effects import _spearman, method_effects

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
            policy="threshold",
            seeds=[
                SeedResult(
                    seed=0,
                    key="",
                    objective=0.4 + i / 50,
                    calibration_error=0.1,
                    by_policy={},
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


def test_the_interval_of_an_effect_is_that_of_scipys_correlations() -> None:
    often, f1 = np.array([0, 0, 1, 2, 2, 3, 4, 5.0]), np.array([0.1, 0.2, 0.2, 0.4, 0.3, 0.4, 0.4, 0.6])
    rho, low, high = _spearman(often, f1, np.random.default_rng(1))
    rng = np.random.default_rng(1)
    samples = []
    for _ in range(1000):
        drawn = rng.integers(8, size=8)
        if np.ptp(often[drawn]) > 0 and np.ptp(f1[drawn]) > 0:
            samples.append(stats.spearmanr(often[drawn], f1[drawn]).statistic)
    assert (low, high) == pytest.approx(tuple(np.percentile(samples, [2.5, 97.5])))
    assert rho == pytest.approx(stats.spearmanr(often, f1).statistic)
