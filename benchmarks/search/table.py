"""Compute a table of real trainings for every point and seed of a small grid, on which searches can be replayed.

All repetitions of all searches look up the same trainings, so a trial takes milliseconds. The corpus is a real one or
generated, and the encoders are tiny. The trainings choose their best epoch by the configured objective, at natural
prevalence. Each of them also scores test posts that no search sees.
"""

import gzip
import itertools
import json
import math
import random
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from common import ANNOTATED_ONLY, FIXED, benchmark_experiment, prepare_project, write_benchmark_settings

from lib.corpus.stratify import split_posts
from lib.experiment.experiment import Experiment
from lib.experiment.splits import Split
from lib.experiment.validation_sample import weighted_validation_sample
from lib.files.atomic import write_text
from lib.files.hashing import derive_seed
from lib.schemas.run import Run
from lib.settings.hyperparameters import NULL_POLICY, Hyperparameters, NullPolicy
from lib.tasks.label import LabelTask
from lib.training.epoch_sampler import EpochSampler

AGENT, SEEDS = "criteria", 3
# A quarter of the posts is the test part, which all trainings score. The other posts are split into three parts. One
# is for validation, one of the other two is for training, and one is left out so that the trainings are short.
TEST, PARTS, VALIDATION = 0.25, [0.45, 0.25, 0.30], 1


@dataclass(frozen=True)
class Landscape:
    """A grid of configurations and the way they are trained.

    Attributes:
        grid: The values of each searched parameter.
        ranges: The parameters for which a sampler may draw values between those of the grid.
        rest: The other parameters that differ from `FIXED`.
        epochs: The number of epochs.
        train: The place in `PARTS` of the posts to train on.
    """

    grid: dict[str, list[Any]]
    ranges: tuple[str, ...]
    rest: dict[str, Any]
    epochs: int
    train: int

    def points(self) -> list[dict[str, Any]]:
        """Return all points of the grid."""
        return [dict(zip(self.grid, values, strict=True)) for values in itertools.product(*self.grid.values())]


COMMON: dict[str, Any] = {"data.max_length": 64, "data.unannotated": 1.25}
# Tables of trainings on shared/data/goemotions-like posts.
TABLES = Path(__file__).parent / "tables"
# The null policies that a training tries; for labels the other two make the same decisions.
POLICIES: tuple[NullPolicy, ...] = ("none", "threshold")
LANDSCAPES = {
    "first": Landscape(
        grid={
            "model.backbone": ["tiny-bert", "tiny-electra"],
            "model.pooling": ["cls", "mean", "max"],
            "optim.lr": [3e-5, 7.2e-5, 1.7e-4, 4.2e-4, 1e-3],
            "optim.head_lr_factor": [1.0, 10.0],
            "optim.batch_size": [32, 64],
            "head.dropout": [0.0, 0.3],
        },
        ranges=("optim.lr", "optim.head_lr_factor", "head.dropout"),
        rest=COMMON,
        epochs=6,
        train=0,
    ),
    # Choices made on the first table are checked on this one, with other encoders, parameters, posts and epochs.
    "second": Landscape(
        grid={
            "model.backbone": ["tiny-roberta", "tiny-distilbert"],
            "model.pooling": ["mean", "attention"],
            "optim.name": ["adamw", "lamb"],
            "optim.lr": [3e-5, 7.2e-5, 1.7e-4, 4.2e-4, 1e-3],
            "schedule.warmup": [0.0, 0.2],
        },
        ranges=("optim.lr", "schedule.warmup"),
        rest=COMMON | {"optim.head_lr_factor": 3.0},
        epochs=12,
        train=2,
    ),
}


@dataclass(frozen=True)
class TabularBenchmark:
    """The trainings of a landscape.

    Attributes:
        landscape: The landscape.
        trainings: For each point of the grid, as a tuple of values, one training per seed.
    """

    landscape: Landscape
    trainings: dict[tuple[Any, ...], list[dict[str, Any]]]


def grid_constraints(landscape: Landscape) -> dict[str, dict[str, Any]]:
    """Return the constraints that restrict the search space to the grid and its ranges."""
    fixed = {
        name: {"low": value, "high": value} if isinstance(value, float) else {"choices": [value]}
        for name, value in _fixed_params(landscape).items()
    }
    whole = {name: {"low": 1, "high": 1} for name in ("optim.accumulation", "aug.ops_per_sample")}
    whole |= {"head.layers": {"low": 2, "high": 2}, "span.max_answer": {"low": 64, "high": 64}}
    lists = {"optim.ema_decay": [0.0], "data.overlap": [0.25], "aug.max_replace": [0.1]}
    searched = {
        name: {"low": values[0], "high": values[-1]} if name in landscape.ranges else {"choices": values}
        for name, values in landscape.grid.items()
    }
    return fixed | whole | {name: {"choices": values} for name, values in lists.items()} | searched


def _fixed_params(landscape: Landscape) -> dict[str, Any]:
    fixed = FIXED | {"joint.backbone": landscape.grid["model.backbone"][0]} | landscape.rest
    return {name: value for name, value in fixed.items() if name != NULL_POLICY}


def configuration(landscape: Landscape) -> dict[str, Any]:
    """Return the entries of the configuration that set the search space and the budget of a trial."""
    budget = {"trials": 10**6, "seeds": SEEDS}
    return ANNOTATED_ONLY | {
        "constraints": grid_constraints(landscape),
        "decision": {"null_policies": list(POLICIES)},
        "training": {"epochs": landscape.epochs, "threads": 1},
        "stage_a": budget | {"startup_trials": 20},
        "stage_b": budget | {"population_size": 10, "warm_start": 5},
    }


def training_key(table: TabularBenchmark, params: dict[str, Any], seed: int) -> str:
    """Return what names a training, so that two searches of a repetition can share it."""
    return json.dumps([seed, *(params[name] for name in table.landscape.grid), params.get(NULL_POLICY)])


def lookup(table: TabularBenchmark, params: dict[str, Any], seed: int) -> dict[str, Any]:
    """Return a training for any hyper-parameters within the ranges of the grid.

    Between the values of the grid it is the training of one of the surrounding points. The point is drawn with the
    weights of linear interpolation, on a log scale where the search space has one. So two points of a cell need not
    give the same training, the mean is that of interpolation, and the noise is that of real trainings. Interpolated
    scores would be less noisy within a cell than at its corners, which would lead searches to the corners.

    Args:
        table: The trainings.
        params: Hyper-parameters, under the names of the search space.
        seed: The number of the seed.

    Returns:
        `history`, `best_epoch`, `stopped`, `scores`, `test`, `tokens` and `seconds` of the training. They are those
        of the null policy among the hyper-parameters, or else those of the best policy of each epoch, as in a real
        training. The test posts were scored at the epoch that was best by the best policy. The same arguments always
        give the same training.
    """
    draw = random.Random(json.dumps([seed, *(params[name] for name in table.landscape.grid)]))
    sides = [_draw_neighbour(table.landscape, name, params[name], draw.random()) for name in table.landscape.grid]
    found = table.trainings[tuple(sides)][seed]
    history = found["history"]
    if (policy := params.get(NULL_POLICY)) is not None:
        policy = LabelTask.same_policy.get(policy, policy)
        own = [(epoch, {policy: epoch["by_policy"][policy]}) for epoch in history]
        history = [{**epoch, **kept[policy], "by_policy": kept} for epoch, kept in own]
    best = max(history, key=lambda epoch: epoch["objective"])
    policy = max(best["by_policy"], key=lambda name: best["by_policy"][name]["objective"])
    scores = {name: best[name] for name in ("objective", "calibration_error")}
    own_figures = {"best_epoch": int(best["epoch"]), "scores": scores, "test": found["test"][policy]}
    return {**found, "history": history, **own_figures}


def mean_scores(table: TabularBenchmark, params: dict[str, Any], part: str) -> tuple[float, float]:
    """Return objective and calibration error as means over the seeds.

    Args:
        table: The trainings.
        params: Hyper-parameters, as in `lookup`.
        part: 'scores' for development posts, 'test' for test posts.
    """
    found = [lookup(table, params, seed)[part] for seed in range(SEEDS)]
    f1, error = (float(np.mean([each[name] for each in found])) for name in ("objective", "calibration_error"))
    return f1, error


def _draw_neighbour(landscape: Landscape, name: str, value: Any, drawn: float) -> Any:
    """Return one of the two values of the grid around a value, the nearer one with the higher probability.

    drawn: A uniform random number in [0, 1).
    """
    if name not in landscape.ranges:
        return value
    values = landscape.grid[name]
    scale = math.log if values[0] > 0 else float
    above = next((i for i, v in enumerate(values[1:-1], 1) if v >= value), len(values) - 1)
    low, high = values[above - 1], values[above]
    share = (scale(value) - scale(low)) / (scale(high) - scale(low))
    return high if drawn < share else low


def table_split(experiment: Experiment, landscape: Landscape, seed: int) -> Split:
    """Return the split of a seed.

    Args:
        experiment: Gives corpus and examples.
        landscape: Determines the posts to train on.
        seed: The number of the seed.

    Returns:
        Examples to train on and to validate on, and a sample of the test part, which all seeds share, as the held-out
        one.
    """
    rows, groups = experiment.development.annotations, experiment.development.groups
    test = split_posts(rows, groups, [1 - TEST, TEST], 0)
    rest = {post_id: group for post_id, group in groups.items() if test[post_id] == 0}
    part = split_posts(rows, rest, PARTS, seed + 1)
    of = np.array([-1 if test[post_id] else part[post_id] for post_id in experiment.examples.post_id])
    train, validation, tested = (np.flatnonzero(of == place) for place in (landscape.train, VALIDATION, -1))
    sample = partial(weighted_validation_sample, experiment.agent, experiment.examples, experiment.settings.config)
    return Split(f"table-{seed}", train, sample(validation, train, seed), sample(tested, tested, 0))


_EXPERIMENT: list[Experiment] = []


def _train_point(landscape: Landscape, point: dict[str, Any]) -> list[dict[str, Any]]:
    if not _EXPERIMENT:
        _EXPERIMENT.append(benchmark_experiment(AGENT))
    experiment, params = _EXPERIMENT[0], _fixed_params(landscape) | point
    entries = []
    for seed in range(SEEDS):
        where = table_split(experiment, landscape, seed)
        run = experiment.run(params, where, epochs=landscape.epochs)
        tokens = _tokens_per_epoch(experiment, Hyperparameters.of(params), where, run.epochs)
        entries.append(_as_entry(experiment, run, where) | {"tokens": tokens})
    return entries


def _tokens_per_epoch(experiment: Experiment, hyper: Hyperparameters, split: Split, epochs: int) -> int:
    """Return the mean number of tokens of the epochs, which draw different unannotated examples."""
    features = experiment.builder.features(hyper)
    seed = derive_seed(experiment.settings.config.seed, split.name)
    sampler = EpochSampler.of(experiment.examples, split.train, hyper.unannotated, seed)
    total = sum(int(features.lengths[features.windows(sampler.epoch(epoch + 1))].sum()) for epoch in range(epochs))
    return round(total / epochs)


def _as_entry(experiment: Experiment, run: Run, split: Split) -> dict[str, Any]:
    agent, examples, tested = experiment.agent, experiment.examples, split.held_out
    assert run.logits is not None and tested is not None
    logits = agent.load_logits(run.logits)
    test = {}
    for policy in POLICIES:
        hyper = Hyperparameters.of({**run.params, NULL_POLICY: policy})
        values = agent.cross_fit(logits, examples, tested, hyper)
        test[policy] = _figures(experiment.objective.added_to(agent.scores(logits, values, examples, tested, hyper)))
    return {
        "history": run.history,
        "stopped": run.stopped,
        "test": test,
        "seconds": run.performance["seconds"],
    }


def _figures(scores: dict[str, Any]) -> dict[str, float]:
    """Return the two objectives, and the mean F1 of yes and of no and the ECE of the annotated pairs."""
    own = {name: scores[name] for name in ("objective", "calibration_error")}
    return own | {name: scores["annotated"][name] for name in ("f1_yes_no", "ece")}


def train_grid(landscape: Landscape, name: str, corpus: str | None, processes: int) -> None:
    """Write the settings and, unless it exists, table.json with a training for each point of the grid and seed.

    Without a corpus the table is that of the repository, unless there is one. The working directory must contain
    config/, and also gets corpus and backbones if trainings are needed.

    Args:
        landscape: The grid.
        name: Name of the landscape.
        corpus: Folder of a corpus, on which to train; None for the table of the repository.
        processes: Number of processes.
    """
    if corpus is None and not Path("table.json").exists():
        write_text(Path("table.json"), gzip.decompress((TABLES / f"{name}.json.gz").read_bytes()).decode())
    if Path("table.json").exists():
        write_benchmark_settings(corpus, **configuration(landscape))
        return
    prepare_project(corpus, landscape.grid["model.backbone"], **configuration(landscape))
    grid, table = landscape.points(), []
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        for number, (point, entries) in enumerate(
            zip(grid, pool.map(partial(_train_point, landscape), grid), strict=True), 1
        ):
            table.append([list(point.values()), entries])
            print(f"\r{number}/{len(grid)} points of the grid", end="", flush=True)
    print()
    write_text(Path("table.json"), json.dumps(table))


def read_trainings(landscape: Landscape) -> TabularBenchmark:
    """Read the table in the working directory."""
    found = json.loads(Path("table.json").read_text())
    return TabularBenchmark(landscape, {tuple(point): entries for point, entries in found})
