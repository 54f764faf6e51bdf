"""Every benchmark imports its modules and explains its options."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.checkouts import ROOT

PARTS = {"common.py", "search_table.py"}  # imported by the programs
PROGRAMS = [path for path in sorted((ROOT / "benchmarks").glob("*.py")) if path.name not in PARTS]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)
def test_a_benchmark_explains_its_options(program: Path) -> None:
    environment = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}
    done = subprocess.run(
        [sys.executable, program, "--help"], env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0 and "options:" in done.stdout, done.stderr
