"""What a killed training needs to go on as if nothing had been."""

from pathlib import Path
from typing import Any

import torch

from lib.files.atomic import replacing


def save(path: Path, state: dict[str, Any]) -> None:
    """Write the state after an epoch, with torch's random numbers."""
    path.parent.mkdir(parents=True, exist_ok=True)
    generators = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        generators["cuda"] = torch.cuda.get_rng_state()
    with replacing(path) as temporary:
        torch.save({**state, "generators": generators}, temporary)


def load(path: Path, device: torch.device) -> dict[str, Any]:
    """Return what was saved and set torch's random numbers to where they were."""
    state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    generators = state.pop("generators")
    torch.set_rng_state(generators["cpu"].cpu())
    if "cuda" in generators and torch.cuda.is_available():
        torch.cuda.set_rng_state(generators["cuda"].cpu())
    return state
