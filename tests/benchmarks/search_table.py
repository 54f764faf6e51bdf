"""A table of real trainings: every point of a small grid, every seed, every epoch, so that searches can be replayed.

A search then costs milliseconds, and five repetitions of many ways to search are the same trainings, looked up. The
corpus is real (CORPUS) or generated, the encoders are tiny; each training also scores posts that no search sees.
"""

import itertools
import json
import math
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from common import FIXED, prepare

from lib.corpus.splits import split_posts
from lib.files.atomic import write_text
from lib.search.experiment import Experiment, Run, Split
from lib.settings.hyperparameters import Hyperparameters
from lib.settings.load import read_settings
from lib.training.process import keep_freed_memory

Table = dict[tuple[Any, ...], list[dict[str, Any]]]
AGENT, SEEDS, EPOCHS = "criteria", 3, 6
BACKBONES = ["tiny-bert", "tiny-electra"]
# A parameter that is a range for the sampler has these values of it trained, and what lies between interpolated.
GRID: dict[str, list[Any]] = {
    "model.backbone": BACKBONES,
    "model.pooling": ["cls", "mean", "max"],
    "optim.lr": [3e-5, 7.2e-5, 1.7e-4, 4.2e-4, 1e-3],
    "optim.head_lr_factor": [1.0, 10.0],
    "optim.batch_size": [16, 32],
    "head.dropout": [0.0, 0.3],
}
RANGES: dict[str, dict[str, Any]] = {
    "optim.lr": {"low": 3e-5, "high": 1e-3},
    "optim.head_lr_factor": {"low": 1.0, "high": 10.0},
    "head.dropout": {"low": 0.0, "high": 0.3},
}
REST = FIXED | {"data.max_length": 64, "joint.backbone": BACKBONES[0]}
# Of the posts: one in four for the untouched test; of the others, what trains, validates, and is left out so that
# the table takes an hour.
TEST, PARTS = 0.25, [0.45, 0.25, 0.30]


def constraints() -> dict[str, dict[str, Any]]:
    """Return the constraints that leave of the search space what the grid has."""
    fixed = {
        name: {"low": value, "high": value} if isinstance(value, float) else {"choices": [value]}
        for name, value in REST.items()
    }
    whole = {name: {"low": 1, "high": 1} for name in ("optim.accumulation", "aug.ops_per_sample")}
    whole |= {"head.layers": {"low": 2, "high": 2}, "span.max_answer": {"low": 64, "high": 64}}
    lists = {"optim.ema_decay": [0.0], "data.overlap": [0.25], "aug.max_replace": [0.1]}
    searched = {name: RANGES.get(name, {"choices": values}) for name, values in GRID.items()}
    return fixed | whole | {name: {"choices": values} for name, values in lists.items()} | searched


def setup(corpus: str | None) -> None:
    """Make corpus and backbones in the working directory, which holds config/."""
    prepare(corpus, BACKBONES, constraints=constraints(), training={"threads": 1})


def points() -> list[dict[str, Any]]:
    """Return the grid."""
    return [dict(zip(GRID, values, strict=True)) for values in itertools.product(*GRID.values())]


def entry(table: Table, params: dict[str, Any], seed: int) -> dict[str, Any]:
    """Return the training of a seed at hyper-parameters.

    Between the grid's values of a range it is interpolated (linear in each range, logarithms where the space has
    them): a sampler that tries two points of a cell must not see the same numbers twice.
    """
    corners = [(weight, table[point][seed]) for point, weight in _corners(params)]
    epochs = max(len(each["history"]) for _, each in corners)
    history = [
        {"epoch": epoch + 1, **{name: _mean(corners, name, epoch) for name in ("f1_macro", "ece")}}
        for epoch in range(epochs)
    ]
    best = max(history, key=lambda told: told["f1_macro"])
    test = {name: sum(weight * each["test"][name] for weight, each in corners) for name in ("f1_macro", "ece")}
    return {
        "history": history,
        "best_epoch": best["epoch"],
        "stopped": "epochs",
        "scores": {name: best[name] for name in ("f1_macro", "ece")},
        "test": test,
        "tokens": corners[0][1]["tokens"],
    }


def _mean(corners: list[tuple[float, dict[str, Any]]], name: str, epoch: int) -> float:
    """Return a score after an epoch; a training that had stopped keeps its last one."""
    return float(
        sum(weight * each["history"][min(epoch, len(each["history"]) - 1)][name] for weight, each in corners)
    )


def _corners(params: dict[str, Any]) -> list[tuple[tuple[Any, ...], float]]:
    """Return the grid's points around hyper-parameters, and their weights."""
    sides = [_sides(name, params[name], values) for name, values in GRID.items()]
    found = [
        (tuple(value for value, _ in choice), math.prod(weight for _, weight in choice))
        for choice in itertools.product(*sides)
    ]
    return [(point, weight) for point, weight in found if weight > 0]


def _sides(name: str, value: Any, values: list[Any]) -> list[tuple[Any, float]]:
    if name not in RANGES:
        return [(value, 1.0)]
    scale = float if name == "head.dropout" else math.log
    above = next((i for i, v in enumerate(values[1:-1], 1) if v >= value), len(values) - 1)
    low, high = values[above - 1], values[above]
    share = (scale(value) - scale(low)) / (scale(high) - scale(low))
    return [(low, 1 - share), (high, share)]


def split(experiment: Experiment, seed: int) -> Split:
    """Return what a seed trains on, stops on, and the test, which all seeds share."""
    rows, texts = experiment.development.annotations, experiment.development.texts
    test = split_posts(rows, texts, [1 - TEST, TEST], 0)
    rest = {post_id: text for post_id, text in texts.items() if test[post_id] == 0}
    part = split_posts(rows, rest, PARTS, seed + 1)
    of = np.array([3 if test[post_id] else part[post_id] for post_id in experiment.examples.post_id])
    return Split(f"table-{seed}", *(np.flatnonzero(of == value) for value in (0, 1, 3)))


_EXPERIMENT: list[Experiment] = []


def _trained(point: dict[str, Any]) -> list[dict[str, Any]]:
    if not _EXPERIMENT:
        keep_freed_memory()
        _EXPERIMENT.append(Experiment(read_settings("results/settings.json"), AGENT, Path("results")))
    experiment, params = _EXPERIMENT[0], REST | point
    entries = []
    for seed in range(SEEDS):
        where = split(experiment, seed)
        run = experiment.run(params, where, epochs=EPOCHS)
        features = experiment.features(Hyperparameters.of(params))
        tokens = int(features.lengths[features.windows(where.train)].sum())
        entries.append(_seed(run, tokens))
    return entries


def _seed(run: Run, tokens: int) -> dict[str, Any]:
    assert run.held_out is not None
    return {
        "history": run.history,
        "best_epoch": run.best_epoch,
        "stopped": run.stopped,
        "scores": {name: run.scores[name] for name in ("f1_macro", "ece")},
        "test": {name: run.held_out[name] for name in ("f1_macro", "ece")},
        "tokens": tokens,
        "seconds": run.performance["seconds"],
    }


def make(processes: int) -> None:
    """Train the whole grid, or what is missing of it, into table.json."""
    if Path("table.json").exists():
        return
    grid, table = points(), []
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        for number, (point, entries) in enumerate(zip(grid, pool.map(_trained, grid), strict=True), 1):
            table.append([list(point.values()), entries])
            print(f"\r{number}/{len(grid)} points of the grid", end="", flush=True)
    print()
    write_text(Path("table.json"), json.dumps(table))


def read() -> Table:
    """Return the table: a list over seeds, by point of the grid."""
    return {tuple(point): entries for point, entries in json.loads(Path("table.json").read_text())}
