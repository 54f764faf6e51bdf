"""Stop a trial that takes too long, even if its training hangs."""

import faulthandler
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread


class Watchdog:
    """Calls a function in a separate thread when a watched block takes too long.

    C code that holds the interpreter's lock keeps that thread from running. The process therefore ends after twice
    the time in any case.
    """

    def __init__(self, seconds: float | None) -> None:
        """Set the limit.

        Args:
            seconds: Time that a block may take; None for no limit.
        """
        self._seconds = seconds

    @contextmanager
    def watch(self, late: Callable[[], None]) -> Iterator[None]:
        """Watch the block, and call `late` once if it takes too long."""
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
