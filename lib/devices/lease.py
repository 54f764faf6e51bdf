"""A GPU for each job of this machine: Snakemake counts devices, but does not say which one a job may use."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from lib.devices import nvidia_smi
from lib.errors import UserError
from lib.files.locks import try_lock

_POLL, _SAY = 1.0, 60.0


@dataclass(frozen=True)
class Lease:
    """A device of this process, until it ends."""

    device: str
    lock: IO[str]

    def release(self) -> None:
        """Give the device back."""
        self.lock.close()


def devices(environment: Mapping[str, str]) -> list[str]:
    """Name the GPUs that this process may use: those of CUDA_VISIBLE_DEVICES, else all that nvidia-smi lists."""
    outer = environment.get("CUDA_VISIBLE_DEVICES")
    if outer is not None:
        return [name.strip() for name in outer.split(",") if name.strip()]
    if not nvidia_smi.is_installed():
        return []
    try:
        return [index for (index,) in nvidia_smi.query("index")]
    except (OSError, subprocess.SubprocessError) as error:
        raise UserError(f"nvidia-smi does not list the GPUs ({error}); set training.device to 'cpu'") from None


def lease(names: Sequence[str], *, job: str = "", folder: Path | None = None) -> Lease:
    """Take one of the devices for as long as the lease lives, even if the process is killed; wait if none is free.

    job: the cluster's name for this job, which may number the devices it gives to each from 0. folder: of the locks;
    none: the system's for temporary files, so that all pipelines of a user share them.
    """
    if not names:
        raise UserError("no GPU may be used here: nvidia-smi lists none, or CUDA_VISIBLE_DEVICES is empty")
    place = folder or Path(tempfile.gettempdir()) / f"clinical-transformer-search-{Path.home().name}"
    said = -_SAY
    while True:
        for name in names:
            lock = try_lock(place / f"gpu-{job}{'-' if job else ''}{name.replace('/', '_')}.lock")
            if lock is not None:
                return Lease(name, lock)
        if time.monotonic() - said >= _SAY:
            said = time.monotonic()
            print(f"GPUs {', '.join(names)} are in use by other jobs; waiting", file=sys.stderr, flush=True)
        time.sleep(_POLL)
