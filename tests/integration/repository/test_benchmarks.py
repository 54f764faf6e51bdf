"""Every benchmark imports its modules and explains its options, and the searches run on a made-up table."""

import itertools
import json
import os
import random
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from support.checkouts import ROOT

BENCHMARKS = ROOT / "benchmarks"
IMPORTED = {"common.py", "rivals.py", "table.py", "variants.py"}  # imported by the programs
PROGRAMS = [path for path in sorted(BENCHMARKS.rglob("*.py")) if path.name not in IMPORTED]


def run_program(program: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}:{BENCHMARKS}"}
    command = [sys.executable, str(program), *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)
def test_a_benchmark_explains_its_options(
    program: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)
    monkeypatch.setattr(sys, "argv", [str(program), "--help"])
    with pytest.raises(SystemExit, match="0"):
        runpy.run_path(str(program), run_name="__main__")
    assert "options:" in capsys.readouterr().out


def made_up_training(rng: random.Random) -> dict[str, object]:
    def figures() -> dict[str, float]:
        return {"objective": rng.uniform(0.4, 0.9), "calibration_error": rng.uniform(0.01, 0.2)}

    history = []
    for epoch in range(1, 13):
        by_policy = {"none": figures(), "threshold": figures()}
        best = max(by_policy.values(), key=lambda each: each["objective"])
        history.append({"epoch": epoch, **best, "by_policy": by_policy})
    test = {policy: figures() for policy in ("none", "threshold")}
    return {"history": history, "stopped": "epochs", "test": test, "tokens": 1000, "seconds": 1.0}


def test_searches_run_on_a_table_of_trainings(tmp_path: Path) -> None:
    rates, warmups = [3e-5, 7.2e-5, 1.7e-4, 4.2e-4, 1e-3], [0.0, 0.2]
    grid = itertools.product(
        ["tiny-roberta", "tiny-distilbert"], ["mean", "attention"], ["adamw", "lamb"], rates, warmups
    )
    rng = random.Random(0)
    table = [[point, [made_up_training(rng) for _ in range(3)]] for point in grid]
    (tmp_path / "second").mkdir()
    (tmp_path / "second" / "table.json").write_text(json.dumps(table))
    done = run_program(
        BENCHMARKS / "search/comparison.py",
        *("--folder", str(tmp_path), "--landscape", "second", "--repetitions", "2", "--trials", "8"),
        *("--variants", "c", "stage A", "rungs: knowing", "nsga2 racing", "--picture", str(tmp_path / "search.svg")),
    )
    assert done.returncode == 0, done.stderr
    rows = [line.split(" | ") for line in done.stdout.splitlines() if line.startswith("| ")]
    trials = {row[0].removeprefix("| ").strip(): int(row[1]) for row in rows if row[1].isdigit()}
    # (a) trains each trial in full, so its budget suffices for exactly this number; pruning makes room for more.
    assert trials["(a) TPE, no pruning, all seeds"] == 8 < trials["Stage A"]
    assert trials["NSGA-II, racing"] >= 8
    assert (tmp_path / "search.svg").read_text().startswith("<?xml")
