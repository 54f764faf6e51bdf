"""Say when a study has spent its budget of trials, hours or GPU hours. All of it follows from the study's trials."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from optuna.trial import FrozenTrial

# The system attribute with the beginnings and ends of the work on a trial, in seconds since the epoch, because
# processes may be in different time zones. The last end is None while a process works on it.
WORK = "work"


@dataclass(frozen=True)
class Budget:
    """What a study may spend; whichever ends first ends it. It belongs to the study, not to a worker.

    Attributes:
        trials: Number of trials.
        hours: Hours in which at least one trial of the study ran; None for no limit.
        gpu_hours: Hours of all trials together, divided by the number that share a GPU; None for no limit.
        trials_per_gpu: Number of trials that share a GPU.
    """

    trials: int
    hours: float | None = None
    gpu_hours: float | None = None
    trials_per_gpu: int = 1

    def is_spent(self, trials: Sequence[FrozenTrial], now: float) -> bool:
        """Return whether no further trial may begin.

        Args:
            trials: All trials of the study, in any state.
            now: The time in seconds since the epoch, up to which running trials count.
        """
        return (
            len(trials) >= self.trials
            or (self.hours is not None and used_hours(trials, now) >= self.hours)
            or (self.gpu_hours is not None and self._used_gpu_hours(trials, now) >= self.gpu_hours)
        )

    def remaining_seconds(self, finished: Sequence[FrozenTrial], each: float, now: float) -> float:
        """Return the time until the budget is spent, if the further trials are like the finished ones.

        Args:
            finished: The trials that have ended, at least one.
            each: Seconds from the end of a trial to that of the next, all processes together.
            now: The time in seconds since the epoch.
        """
        left = [each * (self.trials - len(finished))]
        if self.hours is not None:
            left.append(3600 * (self.hours - used_hours(finished, now)))
        if self.gpu_hours is not None and (used := self._used_gpu_hours(finished, now)) > 0:
            # So many further trials, of which several may run at once.
            left.append(each * len(finished) * (self.gpu_hours / used - 1))
        return max(0.0, min(left))

    def _used_gpu_hours(self, trials: Sequence[FrozenTrial], now: float) -> float:
        return sum(end - begin for begin, end in _spans(trials, now)) / 3600 / self.trials_per_gpu

    def describe(self, trials: Sequence[FrozenTrial], now: float) -> str:
        """Return how much of the hours is spent, as a phrase after the number of trials; '' without a limit."""
        parts = []
        if self.hours is not None:
            parts.append(f"{used_hours(trials, now):.2f}/{self.hours:g} h")
        if self.gpu_hours is not None:
            parts.append(f"{self._used_gpu_hours(trials, now):.2f}/{self.gpu_hours:g} GPU h")
        return "".join(f"  {part}" for part in parts)


def used_hours(trials: Sequence[FrozenTrial], now: float) -> float:
    """Return the hours in which at least one trial ran.

    Times without a process that works on a trial, such as between a kill and a restart, do not count.

    Args:
        trials: All trials of the study, in any state.
        now: The time in seconds since the epoch, up to which running trials count.
    """
    used, until = 0.0, float("-inf")
    for begin, end in sorted(_spans(trials, now)):
        used += max(0.0, end - max(begin, until))
        until = max(until, end)
    return used / 3600


def ended_work(attributes: Mapping[str, Any], until: float | None) -> list[tuple[float, float]]:
    """Return the beginnings and ends of the work on a trial.

    Args:
        attributes: The trial's system attributes.
        until: End of the work that still goes on; None if it is unknown, so that this work does not count.
    """
    spans = [(begin, until if end is None else end) for begin, end in attributes.get(WORK, [])]
    # The clock may have been set back.
    return [(begin, max(begin, end)) for begin, end in spans if end is not None]


def _spans(trials: Sequence[FrozenTrial], now: float) -> list[tuple[float, float]]:
    """Return the beginnings and ends of the work on all trials."""
    return [span for trial in trials for span in ended_work(trial.system_attrs, now)]
