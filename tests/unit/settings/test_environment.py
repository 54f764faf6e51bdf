import runpy

from conftest import ROOT


def test_the_conda_environment_is_made_from_the_pins() -> None:
    made = runpy.run_path(str(ROOT / "envs/make_environment.py"))["environment"]()
    assert (ROOT / "envs/environment.yaml").read_text() == made, "run python envs/make_environment.py"
