"""Keep Optuna's journal file usable when processes are killed. Locks end with them, and torn lines are dropped."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from optuna.storages.journal import JournalFileBackend

from lib.errors import UserError
from lib.files.locks import wait_for_lock


class Journal(JournalFileBackend):
    """A journal in one file that many processes share.

    It replaces two weak points of Optuna's own journal. Optuna's lock is a file that a killed process leaves behind.
    Optuna's reader fails on a line that a crash cut off as soon as another line follows it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock_path = path.with_suffix(".lock")
        self._pending: list[dict[str, Any]] | None = None
        path.parent.mkdir(parents=True, exist_ok=True)
        super().__init__(str(path))

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Append all records or none of them, and flush them to the disk (fsync)."""
        if self._pending is not None:
            self._pending += logs
            return
        lines = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs).encode()
        with wait_for_lock(self._lock_path), self._path.open("r+b") as file:
            end = end_of_last_line(file)
            file.truncate(end)
            file.seek(end)
            try:
                file.write(lines)
                file.flush()
                os.fsync(file.fileno())
            except OSError:  # a full disk
                os.ftruncate(file.fileno(), end)
                raise

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:  # type: ignore[override]
        """Yield the records, starting at a given number.

        Raises:
            UserError: A record cannot be read.
        """
        try:
            yield from super().read_logs(log_number_from)
        except ValueError as error:
            raise UserError(
                f"{self._path}: a line is damaged ({error}); restore the file, or move it away; the study then"
                " starts again and reuses finished trainings"
            ) from None

    @contextmanager
    def batched(self) -> Iterator[None]:
        """Collect everything that the block writes, and append it at once when the block ends without an error."""
        self._pending = []
        try:
            yield
            pending = self._pending
        finally:
            self._pending = None
        if pending:
            self.append_logs(pending)


def end_of_last_line(file: BinaryIO) -> int:
    """Return the position, in bytes, after the last complete line."""
    end = file.seek(0, os.SEEK_END)
    block, position = 4096, end
    while position > 0:
        start = max(0, position - block)
        file.seek(start)
        found = file.read(position - start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        position = start
    return 0
