"""The line that `status` prints for a study."""

from datetime import datetime, timedelta

from optuna.trial import TrialState, create_trial

from lib.metrics.objective import Objective
from lib.search.status import study_line
from lib.studies.budget import Budget


def test_status_shows_counts_best_rate_and_time_left() -> None:
    start = datetime(2026, 1, 1)
    trials = []
    for number in range(6):
        state = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.COMPLETE, TrialState.FAIL)[number % 4]
        made = create_trial(state=state, value=number / 10 if state == TrialState.COMPLETE else None)
        made.number, made.datetime_complete = number, start + timedelta(minutes=6 * number)
        trials.append(made)
    running = create_trial(state=TrialState.RUNNING)
    line = study_line([*trials, running], Budget(16), (start + timedelta(minutes=30)).timestamp(), Objective())
    assert line == (
        "6/16  complete 3  pruned 2  failed 1  running 1"
        "  F1-macro (natural prevalence) best 0.400 (trial 4)  10 trials/h  ETA 1:00:00  failure rate 16.7%"
    )
    assert "trials/h" not in study_line([running], Budget(16), start.timestamp(), Objective())
