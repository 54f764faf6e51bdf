"""Commands lease a pretended GPU."""

import os
from pathlib import Path

import pytest
from support.tiny import tiny_settings

from lib.cli import gpu_processes
from lib.devices import lease as leasing
from lib.errors import UserError


def test_a_gpu_is_leased_through_the_environment_and_not_for_a_cpu(monkeypatch, project: Path) -> None:
    monkeypatch.setattr(leasing.tempfile, "gettempdir", lambda: str(project))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,4")
    with monkeypatch.context() as patch, gpu_processes.leased_gpu(tiny_settings(training={"device": "cuda"})):
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "3"
        patch.setenv("CUDA_VISIBLE_DEVICES", "3,4")
        with gpu_processes.leased_gpu(tiny_settings(training={"device": "auto"})):
            assert os.environ["CUDA_VISIBLE_DEVICES"] == "4"
        patch.setenv("CUDA_VISIBLE_DEVICES", "4")
        with gpu_processes.leased_gpu(tiny_settings(training={"device": "auto"})):
            assert os.environ["CUDA_VISIBLE_DEVICES"] == "4", "it was given back"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,4")
    with gpu_processes.leased_gpu(tiny_settings()), gpu_processes.leased_gpu(tiny_settings(), wanted=False):
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "3,4", "a CPU trains, or the parent's GPU"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    several = tiny_settings(training={"device": "auto"}, trials_per_gpu=2)
    with (
        pytest.raises(UserError, match="trials_per_gpu is 2, but there is no GPU; use workers"),
        gpu_processes.leased_gpu(several),
    ):
        pass
