"""Checkpoints, from which a killed training continues with the same results."""

import zipfile
from pathlib import Path
from typing import Any

import torch

from lib.files.atomic import replacing


def save(path: Path, state: dict[str, Any]) -> None:
    """Write the state after an epoch atomically.

    The state of the GPU's generator is saved too. A CPU needs none, since there every step has its own seed.

    Args:
        path: The file.
        state: Tensors and plain values by name, as `torch.load` reads them with `weights_only`.
    """
    generator = torch.cuda.get_rng_state() if torch.cuda.is_available() else None
    with replacing(path) as temporary:
        torch.save({**state, "generator": generator}, temporary)


def is_intact(path: Path) -> bool:
    """Return whether a checkpoint is complete and undamaged, by the checksums of the ZIP archive of torch.save."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except (zipfile.BadZipFile, EOFError, NotImplementedError):
        return False


def load(path: Path, device: torch.device) -> dict[str, Any]:
    """Read a checkpoint, and set the GPU's generator to its saved state.

    Args:
        path: The file.
        device: The device for the tensors.

    Returns:
        The state that `save` was given.
    """
    state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    generator = state.pop("generator")
    if generator is not None and torch.cuda.is_available():
        torch.cuda.set_rng_state(generator.cpu())
    return state
