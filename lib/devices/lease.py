"""Leases that give each job of this machine a GPU of its own.

Snakemake counts the GPUs of its jobs, but does not say which one a job may use.
"""

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

_POLL_SECONDS, _MESSAGE_SECONDS = 1.0, 60.0


@dataclass(frozen=True)
class Lease:
    """A GPU that this process holds until it releases it or ends."""

    device: str
    lock: IO[str]

    def release(self) -> None:
        """Release the GPU for other jobs."""
        self.lock.close()


def visible_gpus(environment: Mapping[str, str]) -> list[str]:
    """Return the names of the GPUs that this process may use.

    These are the GPUs of CUDA_VISIBLE_DEVICES in `environment`, or else all that nvidia-smi lists.

    Raises:
        UserError: nvidia-smi is installed, but does not list the GPUs.
    """
    outer = environment.get("CUDA_VISIBLE_DEVICES")
    if outer is not None:
        return [name.strip() for name in outer.split(",") if name.strip()]
    if not nvidia_smi.is_installed():
        return []
    try:
        return [index for (index,) in nvidia_smi.query("index")]
    except (OSError, subprocess.SubprocessError) as error:
        raise UserError(f"nvidia-smi does not list the GPUs ({error}); set training.device to 'cpu'") from None


def lease_gpu(names: Sequence[str], *, job: str = "", folder: Path | None = None) -> Lease:
    """Take one of the GPUs, and wait while none is free. The system releases it if the process is killed.

    Args:
        names: The GPUs to choose from, as `visible_gpus` returns them.
        job: The cluster's name for this job, or ''. A cluster may number the GPUs of each job from 0, so jobs of
            different names do not share locks.
        folder: Folder of the locks. None takes one in the system's folder for temporary files, which all pipelines of
            a user share.

    Returns:
        The lease of one GPU.

    Raises:
        UserError: `names` is empty.
    """
    if not names:
        raise UserError("no GPU can be used, because nvidia-smi lists none or CUDA_VISIBLE_DEVICES is empty")
    place = folder or Path(tempfile.gettempdir()) / f"clinical-transformer-search-{Path.home().name}"
    reported = -_MESSAGE_SECONDS
    while True:
        for name in names:
            lock = try_lock(place / f"gpu-{job}{'-' if job else ''}{name.replace('/', '_')}.lock")
            if lock is not None:
                return Lease(name, lock)
        if time.monotonic() - reported >= _MESSAGE_SECONDS:
            reported = time.monotonic()
            print(f"GPUs {', '.join(names)} are in use by other jobs; waiting", file=sys.stderr, flush=True)
        time.sleep(_POLL_SECONDS)
