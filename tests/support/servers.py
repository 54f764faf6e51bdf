"""Database servers that tests and benchmarks start, if they are installed."""

import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def postgres_programs() -> Path | None:
    """Return the folder of PostgreSQL's programs, which Debian keeps out of PATH, or None if it is not installed."""
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).parent
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return folders[-1] if folders else None


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """Run a PostgreSQL server with its default settings in a new folder, and yield its URL."""
    programs = postgres_programs()
    assert programs is not None
    folder.mkdir(parents=True)
    as_postgres: list[str] = []
    if os.getuid() == 0:  # PostgreSQL refuses to run as root
        as_postgres = ["runuser", "-u", "postgres", "--"]
        os.chown(folder, pwd.getpwnam("postgres").pw_uid, -1)
        for parent in folder.parents:
            if parent != Path("/") and parent.owner() == "root":
                parent.chmod(parent.stat().st_mode | 0o011)

    def run(program: str, *words: str) -> None:
        command = [*as_postgres, str(programs / program), "-D", str(folder / "data"), *words]
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)

    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    run("initdb", "-U", "me", "--auth=trust")
    run("pg_ctl", "-w", "-l", str(folder / "log"), "-o", f"-p {port} -k {folder}", "start")
    try:
        yield f"postgresql://me@localhost:{port}/postgres"
    finally:
        run("pg_ctl", "-w", "-m", "immediate", "stop")
