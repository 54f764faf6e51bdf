"""Progress of a stage: a line a trial on the console."""

import sys
import time
from collections import Counter
from collections.abc import Sequence

from optuna.trial import FrozenTrial, TrialState


class Progress:
    """Says where a search stands, trial by trial, whoever of several processes did them."""

    def __init__(self, stage: str, agent: str, total: int, before: int) -> None:
        """total: the budget. before: trials that are over already."""
        self._head, self._total, self._before = f"{stage} {agent}", total, before
        self._started = time.monotonic()

    def add(self, trial: FrozenTrial, over: Sequence[FrozenTrial]) -> None:
        """Say how one more trial of this process ended. over: all that are over."""
        # The ETA is from what all processes did since this one began.
        each = (time.monotonic() - self._started) / max(1, len(over) - self._before)
        left = round(each * max(0, self._total - len(over)))
        states = Counter(t.state for t in over)
        scores = "".join(
            f" {name} {value:.3f}" for name, value in zip(("F1", "ECE"), trial.values or (), strict=False)
        )
        print(
            f"{self._head}  {len(over)}/{self._total}  trial {trial.number} {trial.state.name.lower()}{scores}"
            f" {trial.params['model.backbone']}  {best(over)}"
            f"  pruned {states[TrialState.PRUNED]}  failed {states[TrialState.FAIL]}"
            f"  {each:.1f} s/trial  ETA {clock(left)}",
            file=sys.stderr,
            flush=True,
        )


def best(over: Sequence[FrozenTrial]) -> str:
    """Say which completed trial has the best F1."""
    complete = [(t.values[0], -t.number) for t in over if t.state == TrialState.COMPLETE]
    return f"best F1 {max(complete)[0]:.3f} (trial {-max(complete)[1]})" if complete else "best none yet"


def clock(seconds: float) -> str:
    """Format a duration as h:mm:ss."""
    whole = round(seconds)
    return f"{whole // 3600}:{whole % 3600 // 60:02d}:{whole % 60:02d}"
