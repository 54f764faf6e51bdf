"""Shared fixtures: a small generated corpus, settings at a tiny budget, and one run through all commands."""

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest
import yaml

os.environ.setdefault("HF_HUB_OFFLINE", "1")

from checkouts import ROOT

from lib.cli.main import main
from lib.settings.config import Config
from lib.settings.load import Settings, load_settings, merge, read_settings, read_yaml, save_settings

if TYPE_CHECKING:
    from lib.search.experiment import Experiment

# Machines are slow at times; a test that times itself fails for no reason.
hypothesis.settings.register_profile(
    "steady", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow], print_blob=True
)
hypothesis.settings.load_profile("steady")
TINY = {
    "constraints": {
        "model.backbone": {"choices": ["tiny-bert"]},
        "joint.backbone": {"choices": ["tiny-bert"]},
        "data.max_length": {"choices": [64]},
        "model.pooling": {"choices": ["cls", "mean", "max", "attention"]},
        "optim.batch_size": {"choices": [16, 32]},
        "optim.lr": {"low": 4e-4, "high": 1e-3},
    },
    "generator": {"posts": 60},
    "training": {"device": "cpu", "precision": "fp32", "threads": 1},
    "stage_a": {"trials": 8, "epochs": 3, "seeds": 2, "startup_trials": 3, "min_epochs": 1, "reduction": 2},
    "stage_b": {"trials": 4, "epochs": 2, "seeds": 1, "population": 2, "seeded": 2},
    "stage_c": {"candidates": 2, "folds": 2, "repeats": 1, "epochs": 2, "ensemble": 2},
    "baseline": {"epochs": 1, "seeds": 2},
}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-docs", action="store_true", help="write what tests measure into docs/")


def tiny_settings(**more: object) -> Settings:
    """The embedded configuration at a tiny budget; run in a folder that holds config/."""
    return load_settings(merge(merge(read_yaml("config/config.yaml"), TINY), more))


def params(**more: object) -> dict[str, object]:
    """A point of the tiny space: first choices and lower bounds, but for what is named."""
    space = tiny_settings().space.parameters
    return {name: getattr(p, "choices", [getattr(p, "low", None)])[0] for name, p in space.items()} | more


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project folder with the shipped config/, as the working directory."""
    shutil.copytree(ROOT / "config", tmp_path / "config")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which every command has run, in the order of the graph. Copy it before changing it."""
    folder = tmp_path_factory.mktemp("finished")
    shutil.copytree(ROOT / "config", folder / "config")
    (folder / "config/tiny.yaml").write_text(yaml.safe_dump(TINY))
    before = Path.cwd()
    os.chdir(folder)
    try:
        for command in commands():
            assert main(command.split()) == 0, command
    finally:
        os.chdir(before)
    return folder


def commands() -> list[str]:
    """The commands of the graph for the criteria agent, in order, at the tiny budget."""
    return [
        "settings --config config/config.yaml --config config/tiny.yaml",
        "generate-corpus --output results/generated",
        "corpus --input results/generated",
        "backbone tiny-bert",
        *agent_commands("criteria"),
    ]


def agent_commands(agent: str) -> list[str]:
    """An agent's own commands, in order."""
    folds = [f"stage-c-fold {agent} --candidate {c} --fold {f}" for c in range(2) for f in range(2)]
    return [
        f"tfidf {agent}",
        worker("a", agent) + f" --log results/{agent}/logs/stage_a.log",
        f"stage-a {agent}",
        worker("b", agent),
        f"stage-b {agent}",
        f"stage-c-candidates {agent}",
        *folds,
        f"stage-c-baseline {agent}",
        f"stage-c {agent}",
        f"baseline {agent}",
        f"final {agent}",
        f"provenance {agent}",
    ]


def worker(stage: str, agent: str = "criteria") -> str:
    """The command that does a stage's trials."""
    return f"stage-{stage}-worker {agent} --output results/{agent}/stage_{stage}/worker-0.json"


@pytest.fixture
def copy_of_finished(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of `finished` that a test may change, as the working directory."""
    folder = tmp_path / "copy"
    shutil.copytree(finished, folder)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def experiment(copy_of_finished: Path) -> "Experiment":
    """The criteria agent's, after a small search."""
    from lib.search.experiment import Experiment

    return Experiment(read_settings("results/settings.json"), "criteria", Path("results"))


FAULTS: list[tuple[str, str]] = []


@pytest.fixture
def fault():
    """Notes what a fault ended in, for the table after the tests."""
    return lambda what, ended: FAULTS.append((what, ended))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if FAULTS:
        terminalreporter.section("faults")
        width = max(len(what) for what, _ in FAULTS)
        for what, ended in FAULTS:
            terminalreporter.write_line(f"{what:{width}s}  {ended}")


def settings_with(**more: object) -> None:
    """Change keys of the configuration in results/settings.json of the working directory."""
    settings = read_settings("results/settings.json")
    config = merge(settings.config.model_dump(mode="json"), more)
    changed = settings.model_copy(update={"config": Config.model_validate_json(json.dumps(config))})
    save_settings(changed, "results/settings.json")
