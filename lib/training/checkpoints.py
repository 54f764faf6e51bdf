"""What a killed training needs to go on as if nothing had been."""

import zipfile
from pathlib import Path
from typing import Any

import torch

from lib.files.atomic import replacing


def save(path: Path, state: dict[str, Any]) -> None:
    """Write the state after an epoch, with the GPU's random numbers; on a CPU every step has its own seed."""
    generator = torch.cuda.get_rng_state() if torch.cuda.is_available() else None
    with replacing(path) as temporary:
        torch.save({**state, "generator": generator}, temporary)


def is_intact(path: Path) -> bool:
    """Whether a checkpoint is whole and every byte as it was written: torch.save makes archives with checksums."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except (zipfile.BadZipFile, EOFError, NotImplementedError):
        return False


def load(path: Path, device: torch.device) -> dict[str, Any]:
    """Return what was saved and set the GPU's random numbers to where they were."""
    state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    generator = state.pop("generator")
    if generator is not None and torch.cuda.is_available():
        torch.cuda.set_rng_state(generator.cpu())
    return state
