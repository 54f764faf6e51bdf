import importlib.util
import runpy
import subprocess

from support.checkouts import ROOT


def test_the_conda_environment_is_made_from_the_pins() -> None:
    made = runpy.run_path(str(ROOT / "envs/make_environment.py"))["environment"]()
    assert (ROOT / "envs/environment.yaml").read_text() == made, "run python envs/make_environment.py"


def test_the_container_is_made_of_the_same_pins_and_python() -> None:
    container = (ROOT / "envs/Dockerfile").read_text()
    python = (ROOT / "envs/environment.yaml").read_text().split("python =")[1].split()[0]
    assert f"FROM python:{python}-slim" in container
    for install in (
        "-c envs/constraints.txt torch uv",
        "-c envs/constraints.txt -r pyproject.toml",
        "--no-deps -e .",
    ):
        assert install in container


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
