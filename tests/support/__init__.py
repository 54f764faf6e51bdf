"""Helpers that several tests use, next to the fixtures of conftest.py."""

from collections.abc import Callable
from pathlib import Path

# The type of the fixture `make_once`: from a name and a function that fills a folder to that folder.
MakeOnce = Callable[[str, Callable[[Path], None]], Path]
