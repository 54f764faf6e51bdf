"""Gives up a trial that takes too long, even if its training hangs."""

import faulthandler
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread


class Watchdog:
    """Calls `late` from a thread of its own when a watched block takes longer than so many seconds.

    A block that keeps even other threads from running (C code that holds the interpreter's lock) ends the process
    after twice the time.
    """

    def __init__(self, seconds: float | None) -> None:
        """seconds: None never calls."""
        self._seconds = seconds

    @contextmanager
    def watch(self, late: Callable[[], None]) -> Iterator[None]:
        """Watch a block."""
        if self._seconds is None:
            yield
            return
        done = Event()
        thread = Thread(target=self._wait, args=(done, late), name="watchdog", daemon=True)
        faulthandler.dump_traceback_later(2 * self._seconds, exit=True)
        thread.start()
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()
            done.set()

    def _wait(self, done: Event, late: Callable[[], None]) -> None:
        if not done.wait(self._seconds):
            late()
