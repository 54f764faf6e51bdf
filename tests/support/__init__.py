"""What several tests use, beside the fixtures of conftest.py."""

from collections.abc import Callable
from pathlib import Path

# The fixture `once`: makes a folder of a name by a function, once for all processes of a test run.
MakeOnce = Callable[[str, Callable[[Path], None]], Path]
