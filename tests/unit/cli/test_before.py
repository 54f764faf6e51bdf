"""Before and during a run: check, estimate, watch."""

import logging
import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import settings_with

from lib.cli import watch
from lib.cli.main import main
from lib.search.estimate import Pace, parts, stage_a_work
from lib.settings.config import StageASettings, WatchSettings
from lib.settings.load import read_settings


def test_check_looks_at_everything_at_once(project: Path, capsys) -> None:
    assert main(["check"]) == 0
    lines = capsys.readouterr().out.splitlines()
    names = ["data", "minilm", "optimizers", "lexicon", "storage", "device", "write", "disk"]
    assert [line.split()[1] for line in lines] == names and all(line.startswith("ok") for line in lines)

    overlay = '{"corpus": {"dir": "nowhere"}, "training": {"device": "cuda"}, "watch": {"disk_gb": 1e9},'
    overlay += (
        ' "storage": "postgresql://nobody@127.0.0.1:9/none", "constraints": {"aug.enabled": {"choices": [true]},'
    )
    overlay += ' "model.backbone": {"choices": ["roberta-base"]}}, "augmentation": {"lexicon": "nowhere"}}'
    assert main(["check", "--config", "config/config.yaml", "--json", overlay]) == 1
    out = capsys.readouterr()
    wrong = [line for line in out.out.splitlines() if line.startswith("FAIL")]
    told = "\n".join(wrong)
    for expected in ("nowhere/posts.csv", "hf download", "nowhere is no folder", "cannot be reached", "1e+09"):
        assert expected in told
    assert "must be mended" in out.err and "minilm" in out.out


def test_check_says_where_it_may_not_write(project: Path, capsys, monkeypatch) -> None:
    def refused(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("lib.cli.before.tempfile.TemporaryFile", refused)
    assert main(["check"]) == 1
    assert "results: cannot be written (Permission denied)" in capsys.readouterr().out


def test_stage_as_work_by_hand() -> None:
    one = StageASettings(trials=10, epochs=4, seeds=1, min_epochs=4)
    assert stage_a_work(one) == (10, 40)
    # Rungs: epoch 2, then the first seed's end. Of 11 trials 3 pass unjudged and half of the others: 7, then 5.
    two = StageASettings(trials=11, epochs=4, seeds=2, min_epochs=2, reduction=2)
    assert stage_a_work(two) == (11 + 5, 11 * 2 + 7 * 2 + 5 * 4)


def test_an_estimate_adds_up(copy_of_finished: Path) -> None:
    config = read_settings("results/settings.json").config
    stages = {p.stage: p for p in parts(config, Pace(1.0, 10.0, 20.0, 5.0, 100.0, 4.0))}
    c = config.stage_c
    folds = c.candidates * c.folds * c.repeats
    assert stages["Stage C"].hours * 3600 == pytest.approx(
        folds * (1 + 5) + folds * c.epochs * 20 + (folds + 2) * 5.5
    )
    b = config.stage_b
    same = config.model_copy(update={"stage_b": b.model_copy(update={"epochs": config.stage_a.epochs, "seeded": 3})})
    work = {p.stage: p.trainings for p in parts(same, Pace(1.0, 10.0, 20.0, 5.0, 100.0, 4.0))}
    assert work["Stage B"] == stages["Stage B"].trainings - 3, "three are kept from Stage A"
    assert list(stages) == ["Stage A", "Stage B", "Stage C", "baseline", "final model"]


def test_estimate_calibrates_and_shows_what_it_took(copy_of_finished: Path, capsys) -> None:
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


def test_watch_warns_of_what_is_beyond_the_limits(
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
        settings_with(agents=["criteria"], watch={"disk_gb": 1e9, "memory_gb": 1e-6, "seconds": 0.1})
        time.sleep(0.3)
        with caplog.at_level(logging.WARNING, "lib.watch"):
            assert main(["watch", "--once"]) == 0
    finally:
        job.kill()
        job.wait()
    out = capsys.readouterr()
    assert "GPU 1 12 %" in out.out and "12 trials over" in out.out
    warned = out.err.splitlines()
    assert [w.split()[1] for w in warned] == ["GPU", f"{warned[1].split()[1]}", "jobs"] and len(warned) == 3
    assert "GPU 1 is used 12 %, less than watch.gpu_percent = 90" in warned[0]
    assert len(caplog.records) == 3


def test_failures_are_warned_of() -> None:
    seen = watch.Seen(gpus=[], processes=0, memory_gb=1.0, disk_gb=100.0, over=100, failed=6, rate=1.0)
    assert "6 of 100 trials failed" in watch.warnings(seen, WatchSettings())[0]
    assert watch.warnings(watch.Seen([], 0, 1.0, 100.0, 100, 5, 1.0), WatchSettings()) == []
