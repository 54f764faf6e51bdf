"""Register the processes that work on a study; each holds a lock, so that others notice when it dies."""

import os
import socket
import time
import uuid
from pathlib import Path
from threading import Event, Thread
from typing import Literal

from lib.files.locks import hold_lock, is_locked

State = Literal["alive", "left", "died"]
# Seconds between two heartbeats, and without one until a process on another machine counts as dead.
_BEAT, _SILENCE = 20.0, 90.0


def latest_sign_of_life(folder: Path) -> float:
    """Return when any process of a study was last known to be alive, in seconds since the epoch; 0 if all left.

    Args:
        folder: The folder of the locks.
    """
    return max((sign for path in folder.glob("*.lock") if (sign := _modified(path)) is not None), default=0.0)


def _modified(path: Path) -> float | None:
    """Return when a file was last modified; None if it is gone."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return None


class WorkerRegistry:
    """The processes that work on a study."""

    def __init__(self, folder: Path) -> None:
        """Register this process and start its heartbeat.

        Args:
            folder: Folder of the locks, on a file system that all processes see.
        """
        self._folder = folder
        self.name = f"{socket.gethostname()} {os.getpid()} {uuid.uuid4().hex[:8]}"
        self._lock = hold_lock(self._path(self.name), f"the name {self.name}")
        # For each worker on another machine: the modification time of its lock file, and this process' clock then.
        self._seen: dict[str, tuple[float, float]] = {}
        self._stop = Event()
        Thread(target=self._beat, name="heartbeat", daemon=True).start()

    def state(self, worker: str) -> State:
        """Return whether a process is alive, has left in good order, or has died.

        On this machine the lock alone decides. Some cluster file systems do not show the locks of other machines, so
        a process there counts as dead only if its lock file also has not changed for `_SILENCE` seconds. This
        process' own clock measures that time, so the clocks of the machines may differ. The lock file of a dead
        process is removed.
        """
        if worker == self.name:
            return "left"  # this process asks for another trial, so it works on none
        path = self._path(worker)
        try:
            if is_locked(path):
                return "alive"
            changed = path.stat().st_mtime
        except FileNotFoundError:
            return "left"
        if worker.split(maxsplit=1)[0] != socket.gethostname():
            before, since = self._seen.get(worker, (None, 0.0))
            if changed != before:
                self._seen[worker] = changed, time.monotonic()
                return "alive"
            if time.monotonic() - since < _SILENCE:
                return "alive"
        path.unlink(missing_ok=True)
        return "died"

    def last_sign_of_life(self, worker: str) -> float | None:
        """Return when a process that has not left was last known to be alive, in seconds since the epoch."""
        return _modified(self._path(worker))

    def close(self) -> None:
        """Remove this process from the registry and stop its heartbeat."""
        self._stop.set()
        self._path(self.name).unlink(missing_ok=True)
        self._lock.close()

    def _path(self, worker: str) -> Path:
        return self._folder / f"{worker.replace(' ', '-')}.lock"

    def _beat(self) -> None:
        while not self._stop.wait(_BEAT):
            try:
                os.utime(self._path(self.name))
            except OSError:
                continue
