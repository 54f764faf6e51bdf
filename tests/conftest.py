"""Share a small generated corpus, settings at a tiny budget, and one run through all commands."""

import fcntl
import gc
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.setdefault("HF_HUB_OFFLINE", "1")
# Test processes run in parallel, so each gets one thread. torch reads this variable when it is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Many tests start processes. Without cached bytecode each start takes ten seconds longer.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

import hypothesis
import pytest
import yaml
from support import MakeOnce
from support.checkouts import ROOT
from support.tiny import TINY, agent_commands, preparation_commands

from lib.cli.main import main
from lib.devices.garbage import collect_garbage_less_often
from lib.settings.load import read_settings

if TYPE_CHECKING:
    from lib.experiment.experiment import Experiment

sys.dont_write_bytecode = False
# On a slow machine, hypothesis' deadlines would make tests fail without a reason.
hypothesis.settings.register_profile(
    "steady", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow], print_blob=True
)
hypothesis.settings.load_profile("steady")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-docs", action="store_true", help="write what tests measure into docs/")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project folder with the shipped config/, as the working directory."""
    shutil.copytree(ROOT / "config", tmp_path / "config")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def make_once(tmp_path_factory: pytest.TempPathFactory) -> MakeOnce:
    """Return a function that fills a folder once for a test run. The first process fills it, and the others wait."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def get_folder(name: str, make: Callable[[Path], None]) -> Path:
        folder, done = shared / f"once-{name}", shared / f"once-{name}.done"
        with (shared / f"once-{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not done.exists():
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                make(folder)
                done.touch()
        return folder

    return get_folder


def run_commands(folder: Path, commands: list[str]) -> None:
    previous = Path.cwd()
    os.chdir(folder)
    try:
        for command in commands:
            assert main(command.split()) == 0, command
    finally:
        os.chdir(previous)


@pytest.fixture(scope="session")
def prepared(make_once: MakeOnce) -> Path:
    """A folder with the settings, corpus and backbone that a training needs. Copy it before changing it."""

    def make(folder: Path) -> None:
        shutil.copytree(ROOT / "config", folder / "config")
        (folder / "config/tiny.yaml").write_text(yaml.safe_dump(TINY))
        run_commands(folder, preparation_commands())

    return make_once("prepared", make)


@pytest.fixture(scope="session")
def finished(make_once: MakeOnce, prepared: Path) -> Path:
    """A folder in which every command has run, in the order of the graph. Copy it before changing it."""

    def make(folder: Path) -> None:
        shutil.copytree(prepared, folder, dirs_exist_ok=True)
        run_commands(folder, agent_commands("criteria"))

    return make_once("finished", make)


@pytest.fixture
def copy_of_prepared(prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of `prepared` that a test may change, as the working directory."""
    folder = tmp_path / "copy"
    shutil.copytree(prepared, folder)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def copy_of_finished(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of `finished` that a test may change, as the working directory."""
    folder = tmp_path / "copy"
    shutil.copytree(finished, folder)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def experiment(copy_of_prepared: Path) -> "Experiment":
    """The experiment of the criteria agent, before any search."""
    from lib.experiment.experiment import Experiment

    return Experiment(read_settings("results/settings.json"), "criteria", Path("results"))


@pytest.fixture
def zebra_augmentation(monkeypatch: pytest.MonkeyPatch, copy_of_prepared: Path) -> None:
    """Replace every augmentation method by a cheap one (see support.augmented)."""
    from support.augmented import zebra

    from lib.augmentation import build_bank

    monkeypatch.setattr(build_bank, "make_augmenter", zebra)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker("no_cover")  # tracing adds two fifths to their time, and other tests run the same lines


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[object], request: pytest.FixtureRequest) -> object:
    """Let what a module without coverage prepares for its tests go untraced too."""
    controller = getattr(request.config.pluginmanager.getplugin("_cov"), "cov_controller", None)
    if controller is None or fixturedef.scope != "module" or request.node.get_closest_marker("no_cover") is None:
        return (yield)
    controller.pause()
    try:
        return (yield)
    finally:
        controller.resume()


MODULES_FROZEN = pytest.StashKey[int]()


def pytest_collection_finish(session: pytest.Session) -> None:
    collect_garbage_less_often()
    freeze_imports(session.config)


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    freeze_imports(item.config)


def freeze_imports(config: pytest.Config) -> None:
    """Exclude all objects from garbage collection if many modules were imported since the last time.

    Each training collects garbage, as in a process of the pipeline, and should not visit what was imported.
    """
    if len(sys.modules) > config.stash.get(MODULES_FROZEN, 0) + 200:
        config.stash[MODULES_FROZEN] = len(sys.modules)
        gc.collect()
        gc.freeze()


FAULTS: list[tuple[str, str]] = []


@pytest.fixture
def record_fault() -> Callable[[str, str], None]:
    """Return a function that records a fault and its outcome for the table after the tests."""
    return lambda name, outcome: FAULTS.append((name, outcome))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if FAULTS:
        terminalreporter.section("faults")
        width = max(len(name) for name, _ in FAULTS)
        for name, outcome in FAULTS:
            terminalreporter.write_line(f"{name:{width}s}  {outcome}")
