"""Write the environments from the pins: environment.yaml for `snakemake --sdm conda`, and the Dockerfile."""

from pathlib import Path

HERE = Path(__file__).parent
PYTHON = "3.11"
CONTAINER = r"""# made by envs/make_environment.py
# The environment of `make install`: docker build -f envs/Dockerfile -t clinical-transformer-search .
# Apptainer: apptainer build search.sif docker-daemon://clinical-transformer-search:latest
FROM python:PYTHON-slim
RUN apt-get update && apt-get install -y --no-install-recommends git make && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/search
COPY envs/constraints.txt envs/constraints.txt
COPY pyproject.toml README.md ./
RUN python -m pip install --no-cache-dir -c envs/constraints.txt torch uv \
    && uv pip install --system --no-cache -c envs/constraints.txt -r pyproject.toml
COPY . .
RUN uv pip install --system --no-cache --no-deps -e .
ENTRYPOINT ["snakemake"]
"""


def environment() -> str:
    """Return the environment file: Python from conda, everything else pinned from PyPI."""
    lines = (HERE / "constraints.txt").read_text(encoding="utf-8").splitlines()
    # Only a benchmark uses accelerate, and transformers would import it in every job.
    pins = [line for line in lines if "==" in line and not line.startswith("accelerate==")]
    head = ["# made by envs/make_environment.py from constraints.txt", "channels: [conda-forge, nodefaults]"]
    body = ["dependencies:", f"  - python ={PYTHON}", "  - pip", "  - pip:", *(f"      - {pin}" for pin in pins)]
    return "\n".join([*head, *body]) + "\n"


def container() -> str:
    """Return the Dockerfile, with the same Python as the environment."""
    return CONTAINER.replace("python:PYTHON-slim", f"python:{PYTHON}-slim")


if __name__ == "__main__":
    (HERE / "environment.yaml").write_text(environment(), encoding="utf-8")
    (HERE / "Dockerfile").write_text(container(), encoding="utf-8")
