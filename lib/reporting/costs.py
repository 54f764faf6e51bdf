"""The costs of a search in hours, energy and money."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lib.settings.config import CostSettings

# Names of the benchmark files of each stage. A name with '/' at its end is a folder; 'shared/' serves all agents.
STAGES = {
    "corpus, backbones, TF-IDF, bank": ("shared/", "tfidf", "augmentation_bank"),
    "Stage A": ("stage_a", "stage_a/"),
    "Stage B": ("stage_b", "stage_b/", "stage_c_candidates"),
    "Stage C": ("stage_c", "stage_c/", "stage_c_baseline"),
    "baseline": ("baseline",),
    "final model": ("final",),
}
# Stages whose jobs hold a GPU if there is one.
_ON_GPU = {"Stage A", "Stage B", "Stage C", "baseline", "final model"}


@dataclass(frozen=True)
class Cost:
    """The costs of a stage.

    Attributes:
        stage: Its name.
        jobs: Number of jobs.
        hours: Hours, summed over jobs.
        gpu_hours: Hours with a GPU, summed over jobs.
        memory_mb: Peak memory of the largest job, in MB.
        kwh: Energy, in kWh.
        money: Energy and rent of GPUs, in the currency of the rates.
    """

    stage: str
    jobs: int
    hours: float
    gpu_hours: float
    memory_mb: float
    kwh: float
    money: float


def read_costs(folder: Path, rates: CostSettings, *, gpu: bool, outer: Sequence[Path] = ()) -> list[Cost]:
    """Return the costs of each stage from Snakemake's benchmark files.

    Args:
        folder: The agent's folder of results; the jobs of the folder around it serve all agents.
        rates: Power and prices.
        gpu: Whether the jobs that train had a GPU.
        outer: The agent's folders in the outer folds.

    Returns:
        The costs of each stage that has any finished job, in the order of STAGES, and those of the outer folds.
    """
    found = []
    files = {**_files(folder.parent / "benchmarks", "shared/"), **_files(folder / "benchmarks")}
    for stage, names in STAGES.items():
        own = [p for n, p in files.items() if n in names or any(n.startswith(e) for e in names if e.endswith("/"))]
        rows = [row for path in own for row in _rows(path)]
        if rows:
            seconds = sum(float(row["s"]) for row in rows)
            found.append(
                cost_of(
                    stage,
                    len(rows),
                    seconds / 3600,
                    rates,
                    gpu=gpu and stage in _ON_GPU,
                    memory=max((_number(row.get("max_rss")) for row in rows), default=0.0),
                )
            )
    each = [read_costs(fold, rates, gpu=gpu) for fold in outer if (fold / "benchmarks").exists()]
    if each:
        found.append(replace(total_cost([part for parts in each for part in parts]), stage="outer folds"))
    return found


def cost_of(stage: str, jobs: int, hours: float, rates: CostSettings, *, gpu: bool, memory: float = 0.0) -> Cost:
    """Return the costs of jobs.

    Args:
        stage: Name of their stage.
        jobs: Number of jobs.
        hours: Hours, summed over jobs.
        rates: Power and prices.
        gpu: Whether each job had a GPU.
        memory: Peak memory of the largest job, in MB.

    Returns:
        The costs, with energy and money at the given rates.
    """
    gpu_hours = hours if gpu else 0.0
    kwh = (gpu_hours * rates.gpu_watts + hours * rates.machine_watts) / 1000
    money = kwh * rates.per_kwh + gpu_hours * rates.per_gpu_hour
    return Cost(stage, jobs, hours, gpu_hours, memory, kwh, money)


def total_cost(parts: list[Cost]) -> Cost:
    """Return the sum over stages; its memory is that of the largest job."""
    sums = {name: sum(getattr(part, name) for part in parts) for name in ("hours", "gpu_hours", "kwh", "money")}
    return Cost("all", sum(p.jobs for p in parts), memory_mb=max((p.memory_mb for p in parts), default=0.0), **sums)


def _files(folder: Path, prefix: str = "") -> dict[str, Path]:
    """Return the benchmark files below a folder by name, without their extension."""
    found = sorted(folder.rglob("*.tsv"))
    return {prefix + str(path.relative_to(folder).with_suffix("")): path for path in found}


def _rows(path: Path) -> list[Mapping[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def _number(text: str | None) -> float:
    try:
        return float(text or 0)
    except ValueError:  # Snakemake writes '-' or NA if a job was too short to be measured
        return 0.0
