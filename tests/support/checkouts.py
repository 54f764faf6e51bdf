"""Copies of the repository for tests and benchmarks that run the real graph."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]


def copy_repository(folder: Path, **overlays: Mapping[str, Any]) -> Path:
    """Copy what a pipeline needs into a folder, write each overlay as {name}.yaml, and return the folder."""
    for name in ("config", "envs", "lib", "rules", "workflow"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name, overlay in overlays.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(dict(overlay)))
    return folder
