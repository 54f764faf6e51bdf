"""Tiny backbones of any architecture, for tests of the models."""

from pathlib import Path

from lib.modeling.backbones import Backbones
from lib.settings.config import Architecture
from support.planted import fetch_tiny_backbone

TEXTS = ["The writer is tired nearly every day.", "I could not sleep at all last night, again."] * 20


def tiny_backbone(project: Path, architecture: Architecture) -> Backbones:
    """Fetch a tiny backbone under the name x."""
    fetch_tiny_backbone(project / "backbones/x", architecture, TEXTS)
    return Backbones(project / "backbones")
