"""Lease a GPU for a job, and start further processes that share it."""

import os
import signal
import subprocess
import sys
import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

from lib.devices.lease import lease_gpu, visible_gpus
from lib.errors import UserError
from lib.settings.load import Settings

# Seconds that a process has to end in good order after SIGTERM.
_GRACE = 15.0


@contextmanager
def leased_gpu(settings: Settings, *, wanted: bool = True) -> Iterator[None]:
    """Lease a GPU for this process, before torch looks for one, and hold it within the block.

    CUDA_VISIBLE_DEVICES is set to the leased GPU.

    Args:
        settings: Gives the training device; nothing is leased for a CPU.
        wanted: False if this process uses the GPU of its parent; nothing is leased then.

    Yields:
        Nothing.

    Raises:
        UserError: trials_per_gpu is above 1, but there is no GPU.
    """
    if not wanted:
        yield
        return
    device = settings.config.training.device
    names = [] if device == "cpu" else visible_gpus(os.environ)
    if device == "cpu" or (device == "auto" and not names):
        if settings.config.trials_per_gpu > 1:
            raise UserError(f"trials_per_gpu is {settings.config.trials_per_gpu}, but there is no GPU; use workers")
        yield
        return
    taken = lease_gpu(names, job=os.environ.get("SLURM_JOB_ID", ""))
    os.environ["CUDA_VISIBLE_DEVICES"] = taken.device
    try:
        yield
    finally:
        taken.release()


class WorkerSubprocesses:
    """Further worker processes on the same GPU, which end when this process ends or is killed."""

    def __init__(self, options: Namespace, number: int) -> None:
        """Start the processes.

        Args:
            options: Arguments of this worker, passed on to the others.
            number: Processes that share the GPU, this one included.
        """
        self._outputs = [options.output.with_suffix(f".{i}") for i in range(1, number)]
        command = [sys.executable, "-m", "lib", options.command, options.agent, "--subprocess"]
        command += ["--settings", str(options.settings), "--results", str(options.results)]
        self._processes = [
            subprocess.Popen(
                [*command, "--output", str(output), *(["--log", f"{options.log}.{i}"] if options.log else [])],
                stdin=subprocess.PIPE,
            )
            for i, output in enumerate(self._outputs, start=1)
        ]

    def wait_for_reports(self) -> list[Path]:
        """Wait for all processes and return the paths of their reports.

        Raises:
            UserError: A process failed.
        """
        codes = [process.wait() for process in self._processes]
        if any(codes):
            raise UserError("a process that shares the GPU failed, see above; run the same command to continue")
        return self._outputs


def end_with_parent() -> None:
    """End this process when its parent ends, which closes the pipe on standard input."""

    def wait() -> None:
        sys.stdin.read()
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(_GRACE)
        os._exit(1)

    Thread(target=wait, name="parent", daemon=True).start()
