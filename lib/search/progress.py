"""Progress of a stage: a line a trial on the console."""

import sys
import time
from collections import Counter
from collections.abc import Iterable

from lib.search.documents import TrialResult


class Progress:
    """Counts trials as they end and says where the search stands."""

    def __init__(self, stage: str, agent: str, total: int, ended: Iterable[TrialResult]) -> None:
        self._head = f"{stage} {agent}"
        self._total = total
        self._started = time.monotonic()
        self._here = 0
        self._states: Counter[str] = Counter()
        self._best: TrialResult | None = None
        for result in ended:
            self._count(result)

    def add(self, result: TrialResult) -> None:
        """Count one more trial and say so. The ETA is from the trials of this process."""
        self._count(result)
        self._here += 1
        done = self._states.total()
        each = (time.monotonic() - self._started) / self._here
        left = round(each * max(0, self._total - done))
        scores = "" if result.f1_macro is None else f" F1 {result.f1_macro:.3f} ECE {result.ece:.3f}"
        best = f"F1 {self._best.f1_macro:.3f} (trial {self._best.number})" if self._best else "none yet"
        print(
            f"{self._head}  {done}/{self._total}  trial {result.number} {result.state.lower()}{scores}"
            f" {result.params['model.backbone']}  best {best}"
            f"  pruned {self._states['PRUNED']}  failed {self._states['FAIL']}"
            f"  {each:.1f} s/trial  ETA {left // 3600}:{left % 3600 // 60:02d}:{left % 60:02d}",
            file=sys.stderr,
            flush=True,
        )

    def _count(self, result: TrialResult) -> None:
        self._states[result.state] += 1
        better = self._best is None or (result.f1_macro or 0.0) > (self._best.f1_macro or 0.0)
        if result.state == "COMPLETE" and better:
            self._best = result
