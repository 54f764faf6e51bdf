"""Describe the states of the trials of every study, its best trial so far, its throughput and the time left."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from optuna.trial import FrozenTrial, TrialState

from lib.metrics.objective import Objective
from lib.schemas.evaluation import StageCResult
from lib.search.progress import format_best_trial, format_duration
from lib.search.study_results import stage_budget, study_location
from lib.settings.load import Settings
from lib.settings.outer_folds import outer_fold, search_folders
from lib.studies.budget import Budget
from lib.studies.location import load_trials, select_finished
from lib.studies.worker_registry import latest_sign_of_life

# Throughput is measured over this many last trials.
_LAST = 50


def describe_progress(settings: Settings, results: Path) -> str:
    """Return a line for each stage of each agent.

    Args:
        settings: Agents and budgets of the stages.
        results: Folder of all results.

    Returns:
        The lines, joined by line breaks.
    """
    folders = search_folders(settings.config, results)
    return "\n".join(line for folder in folders for line in _search_lines(settings, folder))


def _search_lines(settings: Settings, results: Path) -> Iterator[str]:
    """Yield the lines of the main search, or of that of an outer fold."""
    config, objective = settings.config, Objective.of(settings.config.objective)
    outer = "" if outer_fold(results) is None else f"  {results.name}"
    for agent in config.agents:
        for stage in ("stage_a", "stage_b"):
            location, budget = study_location(settings, results, agent, stage), stage_budget(config, stage)
            # Trials of dead processes do not run.
            trials, now = load_trials(location), latest_sign_of_life(location.processes)
            line = study_line(trials, budget, now, objective) if trials else "not begun"
            yield f"{agent:10s} {stage}{outer}  {line}"
        limits = config.stage_c
        folds = limits.candidates * limits.folds * limits.repeats
        done = len(list((results / agent / "stage_c").glob("[0-9]*-[0-9]*.json")))
        ready = "" if not (results / agent / StageCResult.FILE).exists() else "  finished"
        yield f"{agent:10s} stage_c{outer}  {done}/{folds} folds{ready}"


def study_line(trials: Sequence[FrozenTrial], budget: Budget, now: float, objective: Objective) -> str:
    """Return a line with counts, the best trial, trials per hour, time left and the failure rate.

    Args:
        trials: All trials of the study, in any state.
        budget: Budget of the study.
        now: When a process was last known to be alive, in seconds since the epoch; while trials run, throughput is
            measured up to it.
        objective: Names the score of the best trial.

    Returns:
        The line; throughput is left out before two trials have ended, and the ETA once the budget is spent.
    """
    states = Counter(trial.state for trial in trials)
    finished = select_finished(trials)
    spent = budget.is_spent(finished, now)
    line = (
        f"{len(finished)}/{budget.trials}{budget.describe(trials, now)}"
        f"  complete {states[TrialState.COMPLETE]}  pruned {states[TrialState.PRUNED]}"
        f"  failed {states[TrialState.FAIL]}  running {states[TrialState.RUNNING]}"
        f"  {objective.name} {format_best_trial(finished)}"
    )
    # A rate needs at least two ends at different times.
    ends = sorted(t.datetime_complete.timestamp() for t in finished if t.datetime_complete is not None)[-_LAST:]
    if len(ends) >= 2 and ends[-1] > ends[0]:
        until = max(now, ends[-1]) if not spent and states[TrialState.RUNNING] else ends[-1]
        rate = (len(ends) - 1) / max(1e-9, until - ends[0])
        line += f"  {3600 * rate:.0f} trials/h"
        if not spent:
            line += f"  ETA {format_duration(budget.remaining_seconds(finished, 1 / rate, now))}"
    return line + (f"  failure rate {states[TrialState.FAIL] / len(finished):.1%}" if finished else "")
