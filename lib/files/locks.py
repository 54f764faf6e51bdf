"""One process at a time: advisory locks that the system releases with the process, even on kill -9."""

import fcntl
import os
from pathlib import Path
from typing import IO

from lib.errors import UserError


def hold(path: str | Path, what: str) -> IO[str]:
    """Take an exclusive lock for as long as the returned file lives, or refuse by name.

    Raises UserError if another process holds it; the line names its process id.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("a+", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.seek(0)
        owner = file.read().strip() or "unknown"
        file.close()
        raise UserError(
            f"{path}: {what} is in use by process {owner}; wait until it ends or stop it, then run again"
        ) from None
    file.seek(0)
    file.truncate()
    file.write(str(os.getpid()))
    file.flush()
    return file
