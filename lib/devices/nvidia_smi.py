"""Queries to nvidia-smi about the GPUs of this machine."""

import shutil
import subprocess

_PROGRAM = "nvidia-smi"


def is_installed() -> bool:
    """Return whether nvidia-smi is installed."""
    return shutil.which(_PROGRAM) is not None


def query(*fields: str) -> list[list[str]]:
    """Return the values of `fields` (as in nvidia-smi --query-gpu) for each GPU, without units.

    Raises:
        OSError: nvidia-smi cannot be started.
        subprocess.SubprocessError: It fails, or takes longer than a minute.
    """
    command = [*_command(*fields)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return [[cell.strip() for cell in row.split(",")] for row in done.stdout.splitlines() if row.strip()]


def stream(field: str, gpu: str) -> "subprocess.Popen[str]":
    """Start an nvidia-smi that writes a field of a GPU once a second.

    If this process is killed, nvidia-smi ends when it writes its next line.

    Args:
        field: A field as in nvidia-smi --query-gpu.
        gpu: UUID of the GPU.

    Returns:
        The process, which writes one value a line to its standard output.

    Raises:
        OSError: nvidia-smi cannot be started.
    """
    command = [*_command(field), "-i", gpu, "-lms", "1000"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def _command(*fields: str) -> list[str]:
    return [_PROGRAM, f"--query-gpu={','.join(fields)}", "--format=csv,noheader,nounits"]
