"""Print the progress of a stage, one line per trial."""

import sys
import time
from collections import Counter
from collections.abc import Sequence

from optuna.trial import FrozenTrial, TrialState

from lib.metrics.objective import Objective
from lib.search.study_results import trial_result
from lib.studies.budget import Budget


class Progress:
    """Prints where a stage stands after each trial; the counts include the trials of all processes."""

    def __init__(self, head: str, objective: Objective, budget: Budget, before: int) -> None:
        """Start the clock.

        Args:
            head: Stage and agent, printed first.
            objective: Names the two numbers of a trial.
            budget: Budget of the study.
            before: Trials that have ended already.
        """
        self._head, self._objective, self._budget, self._before = head, objective, budget, before
        self._started = time.monotonic()

    def add(self, number: int, finished: Sequence[FrozenTrial]) -> None:
        """Print how a trial of this process ended.

        Args:
            number: Number of the trial.
            finished: All trials that have ended, this one included.
        """
        trial = next(t for t in finished if t.number == number)
        result, states = trial_result(trial), Counter(t.state for t in finished)
        # The ETA uses the trials of all processes since this one began.
        each = (time.monotonic() - self._started) / max(1, len(finished) - self._before)
        scores, best = "", format_best_trial(finished)
        if result.objective is None:
            best = f"{self._objective.name} {best}"
        else:
            scores = "  " + self._objective.describe(f"{result.objective:.3f}", f"{result.calibration_error:.3f}")
        now = time.time()
        print(
            f"{self._head}  {len(finished)}/{self._budget.trials}{self._budget.describe(finished, now)}"
            f"  trial {number} {result.state.lower()}{scores}"
            f"  {result.params['model.backbone']}  {best}"
            f"  pruned {states[TrialState.PRUNED]}  failed {states[TrialState.FAIL]}"
            f"  {each:.1f} s/trial  ETA {format_duration(self._budget.remaining_seconds(finished, each, now))}",
            file=sys.stderr,
            flush=True,
        )


def format_best_trial(finished: Sequence[FrozenTrial]) -> str:
    """Return a phrase with the best objective of the completed trials and the trial's number."""
    complete = [(t.values[0], -t.number) for t in finished if t.state == TrialState.COMPLETE]
    return f"best {max(complete)[0]:.3f} (trial {-max(complete)[1]})" if complete else "no completed trial yet"


def format_duration(seconds: float) -> str:
    """Format a duration as h:mm:ss."""
    whole = round(seconds)
    return f"{whole // 3600}:{whole % 3600 // 60:02d}:{whole % 60:02d}"
