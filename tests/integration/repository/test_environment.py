import importlib.util
import runpy
import subprocess
from pathlib import Path

from support.checkouts import ROOT


def environment_python() -> str:
    """Return the Python version of the conda environment."""
    return (ROOT / "envs/environment.yaml").read_text().split("python =")[1].split()[0]


def test_the_conda_environment_is_made_from_the_pins() -> None:
    made = runpy.run_path(str(ROOT / "envs/make_environment.py"))["environment"]()
    assert (ROOT / "envs/environment.yaml").read_text() == made, "run python envs/make_environment.py"


def test_the_container_installs_the_same_pins_on_the_same_python(tmp_path: Path) -> None:
    """Its RUN lines are run with programs that only record how they are called."""
    container = (ROOT / "envs/Dockerfile").read_text().replace("\\\n", " ").splitlines()
    instructions = [line.split(maxsplit=1) for line in container if line and not line.startswith("#")]
    assert dict(instructions)["FROM"] == f"python:{environment_python()}-slim"
    called = tmp_path / "called"
    for name in ("apt-get", "rm", "python", "uv"):
        (tmp_path / name).write_text(f'#!/bin/sh\necho {name} "$@" >> {called}\n')
        (tmp_path / name).chmod(0o755)
    for what, command in instructions:
        if what == "RUN":
            subprocess.run(["/bin/sh", "-ec", command], env={"PATH": str(tmp_path)}, check=True)
    pip, source, package = [line for line in called.read_text().splitlines() if " pip install " in line]
    assert pip.startswith("python -m") and pip.endswith("-c envs/constraints.txt torch uv")
    assert source.startswith("uv") and source.endswith("-c envs/constraints.txt -r pyproject.toml")
    assert package.startswith("uv") and package.endswith("--no-deps -e .")


def test_no_job_imports_accelerate() -> None:
    """transformers imports it, and with it boto3, wherever it is installed."""
    assert importlib.util.find_spec("accelerate") is None, "make install"


def test_make_installs_the_pins() -> None:
    command = ["make", "--dry-run", "--always-make", "install"]
    shown = subprocess.check_output(command, cwd=ROOT, text=True)
    assert (
        "-c envs/constraints.txt torch uv" in shown
        and "-c envs/constraints.txt --group dev -r pyproject.toml" in shown
    )
