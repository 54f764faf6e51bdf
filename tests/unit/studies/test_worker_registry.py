"""The registry knows which workers are alive, have left or have died."""

import os
import socket
from pathlib import Path

from lib.studies import worker_registry as owning
from lib.studies.worker_registry import WorkerRegistry


def test_a_worker_of_another_machine_counts_as_dead_after_silence(tmp_path: Path, monkeypatch) -> None:
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(socket, "gethostname", lambda: "elsewhere")
        other = WorkerRegistry(tmp_path)
    mine = WorkerRegistry(tmp_path)
    assert mine.state(other.name) == "alive"
    assert other._lock is not None
    other._lock.close()  # the other worker died, or its lock is not visible on this machine
    clock = 1000.0
    monkeypatch.setattr(owning.time, "monotonic", lambda: clock)
    assert mine.state(other.name) == "alive"
    clock += 60
    os.utime(other._path(other.name))  # a sign of life
    assert mine.state(other.name) == "alive"
    clock += 60
    assert mine.state(other.name) == "alive"
    clock += 60
    assert mine.state(other.name) == "died"
    assert mine.state("nowhere 1 x") == mine.state(mine.name) == "left"
