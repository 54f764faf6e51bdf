"""Write envs/environment.yaml, the conda environment for `snakemake --sdm conda`, from the pins."""

import re
from pathlib import Path

HERE = Path(__file__).parent


def environment() -> str:
    """Return the environment file: the Dockerfile's Python from conda, everything else pinned from PyPI."""
    (python,) = re.findall(r"^FROM python:([0-9.]+)-slim$", (HERE / "Dockerfile").read_text(encoding="utf-8"), re.M)
    lines = (HERE / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if "==" in line]
    head = ["# made by envs/make_environment.py from constraints.txt", "channels: [conda-forge, nodefaults]"]
    body = ["dependencies:", f"  - python ={python}", "  - pip", "  - pip:", *(f"      - {pin}" for pin in pins)]
    return "\n".join([*head, *body]) + "\n"


if __name__ == "__main__":
    (HERE / "environment.yaml").write_text(environment(), encoding="utf-8")
