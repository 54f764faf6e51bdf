"""The line that a worker prints after each trial."""

import pytest
from optuna.distributions import CategoricalDistribution
from optuna.trial import TrialState, create_trial

from lib.metrics.objective import Objective
from lib.schemas.run import SeedResult
from lib.search.progress import Progress
from lib.studies.budget import Budget


def test_the_line_of_a_trial_names_both_numbers_and_the_population(capsys: pytest.CaptureFixture[str]) -> None:
    seed = SeedResult(
        seed=0,
        key="",
        objective=0.4,
        calibration_error=0.75,
        by_policy={"threshold": {"objective": 0.4, "calibration_error": 0.75}},
        best_epoch=1,
        epochs_run=2,
        stopped="epochs",
    )
    trial = create_trial(
        state=TrialState.COMPLETE,
        value=0.4,
        params={"model.backbone": "tiny-bert"},
        distributions={"model.backbone": CategoricalDistribution(["tiny-bert"])},
        user_attrs={"seeds": [seed.model_dump()]},
    )
    trial.number = 3
    Progress("stage_a criteria", Objective(), Budget(4), before=0).add(3, [trial])
    line = capsys.readouterr().err
    assert line.startswith(
        "stage_a criteria  1/4  trial 3 complete  natural prevalence: F1-macro 0.400, 1 − Brier skill 0.750"
    )


def test_the_line_of_a_trial_without_scores_says_what_the_best_one_is_best_at(
    capsys: pytest.CaptureFixture[str],
) -> None:
    distributions = {"model.backbone": CategoricalDistribution(["tiny-bert"])}
    trial = create_trial(state=TrialState.FAIL, params={"model.backbone": "tiny-bert"}, distributions=distributions)
    trial.number = 1
    Progress("stage_a criteria", Objective(), Budget(4), before=0).add(1, [trial])
    assert "trial 1 fail  tiny-bert  F1-macro (natural prevalence) no completed trial" in capsys.readouterr().err
