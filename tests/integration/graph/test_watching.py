"""The commands `estimate` and `watch`."""

import logging
import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import torch
from support.tiny import TINY, change_settings

from lib.cli.main import main


def test_estimate_calibrates_and_shows_the_measured_hours(copy_of_finished: Path, capsys) -> None:
    folder = Path("results/criteria/benchmarks/stage_a")
    folder.mkdir(parents=True)
    (folder / "worker-0.tsv").write_text("s\tmax_rss\n36\t1\n")
    assert main(["estimate", "criteria", "--seconds", "1"]) == 0
    out = capsys.readouterr().out
    row = next(line for line in out.splitlines() if line.startswith("Stage A")).split()
    assert row[-1] == "0.010" and int(row[2]) > 8
    assert "MB for backbones" in out
    Path("results/backbones/tiny-bert/backbone.json").unlink()
    assert main(["estimate", "criteria"]) == 1 and "cores 2 prepared" in capsys.readouterr().err


def test_estimate_computes_with_the_threads_of_a_job(copy_of_finished: Path, monkeypatch) -> None:
    threads = []
    monkeypatch.setattr(
        "lib.search.estimate._measure_configuration", lambda *_: threads.append(torch.get_num_threads()) or 1 / 0
    )
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert main(["estimate", "criteria"]) == 1
    finally:
        torch.set_num_threads(before)
    assert threads == [1]


def test_watch_warns_when_a_limit_is_exceeded(
    copy_of_finished: Path, tmp_path: Path, monkeypatch, capsys, caplog
) -> None:
    smi = tmp_path / "bin/nvidia-smi"
    smi.parent.mkdir()
    smi.write_text("#!/bin/sh\necho '0, 97, 30000, 81559'; echo '1, 12, 100, 81559'\n")
    smi.chmod(smi.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{smi.parent}{os.pathsep}{os.environ['PATH']}")
    code = "import sys, time; time.sleep(60)"
    job = subprocess.Popen([sys.executable, "-c", code, "-m", "lib", "stage-a-worker"])
    try:
        change_settings(agents=["criteria"], watch={"disk_gb": 1e9, "memory_gb": 1e-6, "seconds": 0.1})
        time.sleep(0.3)
        with caplog.at_level(logging.WARNING, "lib.watch"):
            assert main(["watch", "--once"]) == 0
    finally:
        job.kill()
        job.wait()
    out = capsys.readouterr()
    ended = sum(TINY[stage]["trials"] for stage in ("stage_a", "stage_b"))
    assert "GPU 1 12 %" in out.out and f"{ended} trials ended" in out.out
    warned = out.err.splitlines()
    assert [w.split()[1] for w in warned] == ["GPU", f"{warned[1].split()[1]}", "jobs"] and len(warned) == 3
    assert "GPU 1 is used 12 %, less than watch.gpu_percent = 90" in warned[0]
    assert len(caplog.records) == 3
