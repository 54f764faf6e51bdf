"""The command `watch`, which shows the resources of a running pipeline and warns at the configured limits."""

import logging
import shutil
import subprocess
import sys
import time
from argparse import ArgumentParser, Namespace
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from lib.cli.command import Command
from lib.errors import UserError
from lib.settings.config import WatchSettings
from lib.settings.load import Settings, read_settings

if TYPE_CHECKING:
    import psutil

_LOG = logging.getLogger("lib.watch")


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("--once", action="store_true", help="print the state once and exit")


@dataclass(frozen=True)
class Gpu:
    """The use of one GPU.

    Attributes:
        index: Number of the GPU.
        percent: Utilisation in %.
        used_mb: Used memory in MiB.
        total_mb: All memory in MiB.
    """

    index: int
    percent: float
    used_mb: float
    total_mb: float


@dataclass(frozen=True)
class PipelineState:
    """The state of this machine and of all studies at one time.

    Attributes:
        gpus: Use of each GPU.
        processes: Number of running jobs of the pipeline.
        memory_gb: Memory of these jobs in GiB.
        disk_gb: Free disk space in GiB.
        ended: Number of trials that have ended, in all studies.
        failed: Number of trials that failed.
        rate: Trials per hour, ended the last hour.
    """

    gpus: list[Gpu]
    processes: int
    memory_gb: float
    disk_gb: float
    ended: int
    failed: int
    rate: float


def watch(options: Namespace) -> None:
    """Print the state and any warnings every few seconds, until interrupted.

    Raises:
        UserError: The settings or the results folder are missing.
    """
    settings = read_settings(options.settings)
    if not options.results.is_dir():
        raise UserError(f"--results: {options.results} is not a folder; start a run first")
    limits = settings.config.watch
    while True:
        state = read_state(settings, options.results)
        print(format_state(state), flush=True)
        for problem in exceeded_limits(state, limits):
            _LOG.warning(problem)
            print(f"WARNING: {problem}", file=sys.stderr, flush=True)
        if options.once:
            return
        time.sleep(limits.seconds)


def read_state(settings: Settings, results: Path) -> PipelineState:
    """Return the current state of this machine and of all studies.

    Args:
        settings: Agents and storage of the studies.
        results: Folder of all results.

    Returns:
        The state.
    """
    import psutil
    from optuna.trial import TrialState

    from lib.search.study_results import study_location
    from lib.settings.outer_folds import search_folders
    from lib.studies.location import load_finished_trials

    jobs = [p for p in psutil.process_iter(["cmdline", "memory_info"]) if _is_job(p)]
    trials = [
        trial
        for folder in search_folders(settings.config, results)
        for agent in settings.config.agents
        for stage in ("stage_a", "stage_b")
        for trial in load_finished_trials(study_location(settings, folder, agent, stage))
        if trial.datetime_complete is not None
    ]
    now = datetime.now()
    recent = [
        t for t in trials if t.datetime_complete is not None and (now - t.datetime_complete).total_seconds() < 3600
    ]
    begun = min((t.datetime_start for t in recent if t.datetime_start is not None), default=now)
    hours = max((now - begun).total_seconds() / 3600, 1e-9)
    return PipelineState(
        gpus=gpu_usage(),
        processes=len(jobs),
        memory_gb=sum(p.info["memory_info"].rss for p in jobs if p.info["memory_info"]) / 2**30,
        disk_gb=shutil.disk_usage(results).free / 2**30,
        ended=len(trials),
        failed=sum(t.state == TrialState.FAIL for t in trials),
        rate=len(recent) / hours if recent else 0.0,
    )


def _is_job(process: "psutil.Process") -> bool:
    words = process.info["cmdline"] or []
    return any(a == "-m" and b == "lib" for a, b in pairwise(words)) and COMMAND.name not in words


def gpu_usage() -> list[Gpu]:
    """Return the use of each GPU; [] if nvidia-smi is missing or fails."""
    from lib.devices import nvidia_smi

    if not nvidia_smi.is_installed():
        return []
    try:
        rows = nvidia_smi.query("index", "utilization.gpu", "memory.used", "memory.total")
    except (OSError, subprocess.SubprocessError):
        return []
    return [Gpu(int(index), float(percent), float(used), float(whole)) for index, percent, used, whole in rows]


def format_state(state: PipelineState) -> str:
    """Return the state as one line."""
    each = "  ".join(
        f"GPU {g.index} {g.percent:.0f} % {g.used_mb / 1024:.1f}/{g.total_mb / 1024:.0f} GB" for g in state.gpus
    )
    failed = f"{state.failed / state.ended:.1%}" if state.ended else "–"
    return (
        f"{datetime.now():%H:%M:%S}  {each or 'no GPU'}  jobs {state.processes}  memory {state.memory_gb:.1f} GB"
        f"  disk {state.disk_gb:.0f} GB free  {state.ended} trials ended  {state.rate:.0f} trials/h  failed {failed}"
    )


def exceeded_limits(state: PipelineState, limits: WatchSettings) -> list[str]:
    """Return a warning for each limit of the configuration that is exceeded.

    Args:
        state: The current state.
        limits: Limits of utilisation, failures, disk and memory.

    Returns:
        One line per problem; low GPU utilisation counts only while jobs run.
    """
    found = []
    if state.processes:
        found += [
            f"GPU {g.index} is used {g.percent:.0f} %, less than watch.gpu_percent = {limits.gpu_percent:g};"
            " raise trials_per_gpu, or look at the data/step ratio in the report"
            for g in state.gpus
            if g.percent < limits.gpu_percent
        ]
    if state.ended and 100 * state.failed / state.ended > limits.failure_percent:
        found.append(
            f"{state.failed} of {state.ended} trials failed, more than watch.failure_percent ="
            f" {limits.failure_percent:g} %; 'python -m lib status' and the report say why"
        )
    if state.disk_gb < limits.disk_gb:
        found.append(f"{state.disk_gb:.1f} GB of disk are free, less than watch.disk_gb = {limits.disk_gb:g}")
    if state.memory_gb > limits.memory_gb:
        found.append(f"jobs use {state.memory_gb:.1f} GB of memory, more than watch.memory_gb = {limits.memory_gb:g}")
    return found


COMMAND = Command(
    "watch",
    "Show the resources of a running pipeline, and warn at the limits.",
    watch,
    add_arguments,
)
