"""Advisory locks that the system releases with the process, even on kill -9."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from lib.errors import UserError


def try_lock(path: str | Path) -> IO[str] | None:
    """Take an exclusive lock for as long as the returned file lives; None if another process holds it."""
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
    """Take an exclusive lock for as long as the returned file lives, or refuse by name.

    Raises UserError if another process holds it; the line names its process id.
    """
    file = try_lock(path)
    if file is None:
        owner = Path(path).read_text(encoding="utf-8").strip() or "unknown"
        raise UserError(f"{path}: {what} is in use by process {owner}; wait until it ends or stop it, then run again")
    return file


def is_locked(path: str | Path) -> bool:
    """Whether a process holds a lock. Raises FileNotFoundError if there is no such lock."""
    with Path(path).open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


@contextmanager
def wait_for_lock(path: str | Path) -> Iterator[None]:
    """Hold an exclusive lock within the block; wait for it first. For short work: others wait as well."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
