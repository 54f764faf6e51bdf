"""Progress of a stage: a line a trial on the console."""

import sys
import time


class Progress:
    """Counts trials and says where the search stands."""

    def __init__(self, stage: str, agent: str, total: int) -> None:
        self._head = f"{stage} {agent}"
        self._total = total
        self._started = time.monotonic()
        self._here = 0

    def line(self, done: int, text: str, *, best: str, pruned: int = 0, failed: int = 0) -> None:
        """Say that one more trial is over. The ETA is from the trials of this process."""
        self._here += 1
        each = (time.monotonic() - self._started) / self._here
        left = round(each * max(0, self._total - done))
        print(
            f"{self._head}  {done}/{self._total}  {text}  best {best}  pruned {pruned}  failed {failed}"
            f"  {each:.1f} s/trial  ETA {left // 3600}:{left % 3600 // 60:02d}:{left % 60:02d}",
            file=sys.stderr,
            flush=True,
        )
