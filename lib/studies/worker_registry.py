"""Who serves a study: each process has a lock that dies with it, so that others know whose trials are orphans."""

import os
import socket
import time
import uuid
from pathlib import Path
from threading import Event, Thread
from typing import Literal

from lib.files.locks import hold_lock, is_locked

State = Literal["alive", "left", "died"]
_BEAT, _SILENCE = 20.0, 90.0


class WorkerRegistry:
    """The processes that serve a study. folder: where their locks are, on a file system that all of them see."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.me = f"{socket.gethostname()} {os.getpid()} {uuid.uuid4().hex[:8]}"
        self._lock = hold_lock(self._path(self.me), f"the name {self.me}")
        # When the file of an owner elsewhere was last seen to change: its time, and this process' clock.
        self._seen: dict[str, tuple[float, float]] = {}
        self._stop = Event()
        Thread(target=self._beat, name="heartbeat", daemon=True).start()

    def state(self, owner: str) -> State:
        """Say whether a process runs, has left in good order, or died; the lock file of one that died is removed.

        On this machine the lock says so at once. That of another machine may not be seen here (some cluster file
        systems keep locks to themselves): there its file must also have been left alone for a while. That is counted
        by this process' own clock, so it does not matter how clocks are set.
        """
        if owner == self.me:
            return "left"  # it asks for another trial, so it does not work on one
        path = self._path(owner)
        try:
            if is_locked(path):
                return "alive"
            changed = path.stat().st_mtime
        except FileNotFoundError:
            return "left"
        if owner.split(maxsplit=1)[0] != socket.gethostname():
            before, since = self._seen.get(owner, (None, 0.0))
            if changed != before:
                self._seen[owner] = changed, time.monotonic()
                return "alive"
            if time.monotonic() - since < _SILENCE:
                return "alive"
        path.unlink(missing_ok=True)
        return "died"

    def close(self) -> None:
        """Leave."""
        self._stop.set()
        self._path(self.me).unlink(missing_ok=True)
        self._lock.close()

    def _path(self, owner: str) -> Path:
        return self._folder / f"{owner.replace(' ', '-')}.lock"

    def _beat(self) -> None:
        while not self._stop.wait(_BEAT):
            try:
                os.utime(self._path(self.me))
            except OSError:
                continue
