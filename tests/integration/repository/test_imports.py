"""Commands that train nothing do not import packages that take seconds to load."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.checkouts import ROOT

HIDDEN = """
import sys
from importlib.machinery import PathFinder

class Finder(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        heavy = ("pandas", "sklearn", "torch", "transformers")
        return None if name.partition(".")[0] in heavy else PathFinder.find_spec(name, path, target)

sys.meta_path = [Finder if finder is PathFinder else finder for finder in sys.meta_path]
from lib.cli.main import main
sys.exit(main(sys.argv[1:]))
"""

SCHEMAS = """
import sys
from importlib import import_module
from pkgutil import iter_modules

import lib.schemas

modules = [import_module(f"lib.schemas.{module.name}") for module in iter_modules(lib.schemas.__path__)]
print(len(modules), *{"optuna", "pandas", "sklearn", "torch", "transformers"} & sys.modules.keys())
"""


@pytest.mark.parametrize("command", ["stage-a", "stage-b", "stage-c-candidates", "status"])
def test_collecting_needs_no_torch(command: str, copy_of_finished: Path) -> None:
    words = [command] if command == "status" else [command, "criteria"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", HIDDEN, *words], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]


def test_documents_are_read_without_torch_optuna_and_pandas() -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", SCHEMAS], env=environment, capture_output=True, text=True, check=True
    )
    number, *loaded = done.stdout.split()
    assert int(number) >= 7 and loaded == []
