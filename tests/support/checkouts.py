"""Copies of the repository for tests and benchmarks that run the real graph."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
# Prints the resources and the shell command of each rule.
_LIST_RULES = """
import json
from pathlib import Path
from snakemake.api import SnakemakeApi
from snakemake.settings.types import ConfigSettings, OutputSettings, Quietness, ResourceSettings

with SnakemakeApi(OutputSettings(quiet={Quietness.ALL})) as api:
    snakefile, resources = Path("workflow/Snakefile"), ResourceSettings(cores=1)
    workflow = api.workflow(resource_settings=resources, config_settings=ConfigSettings(), snakefile=snakefile)
    rules = workflow._workflow.rules
    found = {rule.name: {"resources": list(rule.resources), "command": rule.shellcmd} for rule in rules}
print(json.dumps(found))
"""


def copy_repository(folder: Path, **overlays: Mapping[str, Any]) -> Path:
    """Copy what a pipeline needs into a folder, write each overlay as {name}.yaml, and return the folder."""
    for name in ("config", "envs", "lib", "rules", "workflow"):
        shutil.copytree(ROOT / name, folder / name)
    for name, overlay in overlays.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(dict(overlay)))
    return folder


def workflow_rules(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the rules of a repository as Snakemake reads them, each with its `resources` and its shell `command`."""
    environment = os.environ | {"PYTHONPATH": str(folder)}
    done = subprocess.run(
        [sys.executable, "-c", _LIST_RULES], cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    rules: dict[str, dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return rules
