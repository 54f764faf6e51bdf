"""Asking nvidia-smi about the GPUs of this machine."""

import shutil
import subprocess

_PROGRAM = "nvidia-smi"


def is_installed() -> bool:
    """Whether there is an nvidia-smi."""
    return shutil.which(_PROGRAM) is not None


def query(*fields: str) -> list[list[str]]:
    """Return the fields of each GPU, without units. Raises OSError or SubprocessError if it gives no answer."""
    command = [*_command(*fields)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return [[cell.strip() for cell in row.split(",")] for row in done.stdout.splitlines() if row.strip()]


def stream(field: str, gpu: str) -> "subprocess.Popen[str]":
    """Let nvidia-smi write a line a second; if this process is killed, it ends at its next line.

    Args:
        field: What each line says.
        gpu: The GPU's UUID.

    Raises:
        OSError: There is no nvidia-smi.
    """
    command = [*_command(field), "-i", gpu, "-lms", "1000"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def _command(*fields: str) -> list[str]:
    return [_PROGRAM, f"--query-gpu={','.join(fields)}", "--format=csv,noheader,nounits"]
