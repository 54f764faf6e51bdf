"""A rule runs one command, and the profiles give resources to every rule that trains."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.checkouts import ROOT, copy_repository, workflow_rules

from lib.cli.main import GROUPS

Rules = Mapping[str, Mapping[str, Any]]


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Rules:
    return workflow_rules(copy_repository(tmp_path_factory.mktemp("rules") / "repository"))


def test_a_rule_runs_one_command(rules: Rules) -> None:
    commands = {command.name for group in GROUPS.values() for command in group}
    shells = [rule["command"] for rule in rules.values() if rule["command"]]
    assert len(shells) > 10
    for shell in shells:
        called = re.findall(r"python -m lib ([a-z-]+)", shell)
        assert len(called) == 1 and called[0] in commands, shell


@pytest.mark.parametrize("profile", ["slurm", "kubernetes"])
def test_every_rule_that_trains_has_memory_time_and_a_partition(profile: str, rules: Rules) -> None:
    path: Path = ROOT / "workflow/profiles" / profile / "config.yaml"
    given = yaml.safe_load(path.read_text())["set-resources"]
    training = {name for name, rule in rules.items() if "gpu" in rule["resources"]}
    assert training <= given.keys() and len(training) >= 5
    for name in training:
        assert "attempt" in given[name]["mem_mb"] and "attempt" in given[name]["runtime"]
        assert profile != "slurm" or given[name]["slurm_partition"] == "'gpu'"
