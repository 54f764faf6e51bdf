"""Advisory locks that the system releases when the process ends, even on kill -9."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from lib.errors import UserError


def try_lock(path: str | Path) -> IO[str] | None:
    """Take an exclusive lock without waiting, and write this process's id into its file.

    Returns:
        The open lock file, which holds the lock until it is closed; None if another process holds the lock.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("a+", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    file.seek(0)
    file.truncate()
    file.write(str(os.getpid()))
    file.flush()
    return file


def hold_lock(path: str | Path, what: str) -> IO[str]:
    """Take an exclusive lock, or fail at once if another process holds it.

    Args:
        path: The lock file. It is created if it does not exist.
        what: What the lock protects, for the error message.

    Returns:
        The open lock file, which holds the lock until it is closed.

    Raises:
        UserError: Another process holds the lock; the line names its process id.
    """
    file = try_lock(path)
    if file is None:
        owner = Path(path).read_text(encoding="utf-8").strip() or "unknown"
        raise UserError(f"{path}: {what} is in use by process {owner}; wait until it ends or stop it, then run again")
    return file


def is_locked(path: str | Path) -> bool:
    """Return whether a process holds a lock.

    Raises:
        FileNotFoundError: The lock file does not exist.
    """
    with Path(path).open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


@contextmanager
def wait_for_lock(path: str | Path) -> Iterator[None]:
    """Wait for an exclusive lock and hold it within the block.

    Keep the block short, because other processes wait for it.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
