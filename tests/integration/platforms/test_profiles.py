"""The profiles give resources to every rule that trains."""

import re
from pathlib import Path

import pytest
import yaml
from support.checkouts import ROOT


def training_rules() -> set[str]:
    """Return the names of the rules that request a GPU."""
    text = "\n".join(path.read_text() for path in (ROOT / "rules").glob("*.smk"))
    bodies = re.findall(r"^rule (\w+):(.*?)(?=^rule |\Z)", text, re.DOTALL | re.MULTILINE)
    return {name for name, body in bodies if "gpu=gpus_per_job()" in body}


@pytest.mark.parametrize("profile", ["slurm", "kubernetes"])
def test_every_rule_that_trains_has_memory_time_and_a_partition(profile: str) -> None:
    path: Path = ROOT / "workflow/profiles" / profile / "config.yaml"
    given = yaml.safe_load(path.read_text())["set-resources"]
    assert training_rules() <= given.keys() and len(training_rules()) >= 5
    for name in training_rules():
        assert "attempt" in given[name]["mem_mb"] and "attempt" in given[name]["runtime"]
        assert profile != "slurm" or given[name]["slurm_partition"] == "'gpu'"
