"""Train briefly on this machine, and estimate from that how long a search takes."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Any

import numpy as np

from lib.agents import agent_space
from lib.experiment.experiment import Experiment
from lib.experiment.splits import Split
from lib.files.hashing import derive_seed
from lib.search.collect import TOP_TRIALS
from lib.settings.config import Config, StageASettings, StageBSettings
from lib.settings.hyperparameters import Hyperparameters
from lib.studies.pruners import min_trials_at_rung, rung_steps
from lib.studies.sobol import sobol_design
from lib.tasks.examples import WeightedSample
from lib.training.data import TrainingData, TrainingFailure
from lib.training.engine import TrainingOptions, train
from lib.training.epoch_sampler import EpochSampler
from lib.training.inference import predict_logits
from lib.training.memory import MicroBatches

# Share of Stage B's trainings that racing leaves if a trial has several seeds (docs/performance.md).
_RACING = 0.7
# Examples of a measured training, and the least and greatest number of configurations to train.
_EXAMPLES, _MIN_CONFIGURATIONS, _MAX_CONFIGURATIONS = 160, 3, 60
# Seconds that Snakemake adds to a job, and seconds of a job that trains nothing and loads no torch.
_SNAKEMAKE, _LIGHT = 1.5, 2.5


@dataclass(frozen=True)
class MachineTimings:
    """How long a mean configuration takes on this machine, and its size.

    Attributes:
        begin: Seconds to load the data and build the model of a training.
        development_epoch: Seconds of an epoch on a development split, its evaluation included.
        fold_epoch: Seconds of an epoch on a fold of Stage C, its evaluation included.
        held_out: Seconds to predict a held-out fold.
        model_mb: Size of the weights in MiB.
        job: Seconds from the start of a job of the graph until it begins its work.
    """

    begin: float
    development_epoch: float
    fold_epoch: float
    held_out: float
    model_mb: float
    job: float


@dataclass(frozen=True)
class StageEstimate:
    """The cost of one stage.

    Attributes:
        stage: Name of the stage.
        trainings: Number of trainings.
        epochs: Epochs, summed over the trainings.
        hours: Hours of all jobs, run one after the other.
    """

    stage: str
    trainings: int
    epochs: int
    hours: float


def measure_machine(experiment: Experiment, seconds: float, job: float) -> MachineTimings:
    """Measure this machine by training a few configurations, spread over the space, on a few examples.

    Configurations that diverge or do not fit into memory are skipped. Augmentation is off.

    Args:
        experiment: The agent's experiment, on the device to measure.
        seconds: Time to spend; it is exceeded if the least number of configurations takes longer.
        job: Seconds from the start of a job until it begins its work, as the caller measured them.

    Returns:
        Means over the configurations.
    """
    began = time.monotonic()
    found: list[tuple[float, ...]] = []
    seed = derive_seed(experiment.settings.config.seed, "calibration")
    space = agent_space(experiment.settings.space, experiment.agent.name)
    for params in sobol_design(space, _MAX_CONFIGURATIONS, seed):
        if len(found) >= _MIN_CONFIGURATIONS and time.monotonic() - began > seconds:
            break
        try:
            found.append(_measure_configuration(experiment, {**params, "aug.enabled": False}))
        except TrainingFailure:
            continue  # a configuration that does not fit or diverges costs a search little
    begin, development, fold, held_out, size = map(float, np.mean(found, axis=0))
    return MachineTimings(begin, development, fold, held_out, size, job)


def _measure_configuration(
    experiment: Experiment, params: dict[str, Any]
) -> tuple[float, float, float, float, float]:
    hyper = Hyperparameters.of(params)
    began = time.perf_counter()
    model, features = experiment.builder.model(hyper)
    beginning = time.perf_counter() - began
    split = experiment.splits.development(0)
    drawn = EpochSampler.of(experiment.examples, split.train, hyper.unannotated, seed=0).epoch(1)
    few = np.sort(np.random.default_rng(0).permutation(drawn)[:_EXAMPLES])
    # Only these examples, so that the training draws no others.
    hyper_of_few = replace(hyper, unannotated=float("inf"))
    training_data = TrainingData(
        experiment.agent, experiment.examples, features, hyper_of_few, few, WeightedSample.uniform(few[:0])
    )
    # The first epoch also finds the batch sizes and warms the device up, so the second one is measured.
    options = TrainingOptions(epochs=2, patience=9, stop_after=1)
    for _ in range(2):
        trained = train(model, training_data, experiment.device, options, seed=0, memory=MicroBatches(None))
    tokens = int(features.lengths[features.windows(few)].sum())
    learning = tokens / trained.performance["tokens_per_second"]
    began = time.perf_counter()
    predict_logits(model, experiment.agent, features, few, hyper, experiment.device)
    predicting = time.perf_counter() - began

    def epoch(of: Split) -> float:
        drawn = EpochSampler.of(experiment.examples, of.train, hyper.unannotated, seed=0).epoch(1)
        learned, scored = (
            features.lengths[features.windows(part)].sum() / tokens for part in (drawn, of.validation.index)
        )
        return float(learned * learning + scored * predicting)

    fold = experiment.splits.fold(0, experiment.settings.config.stage_c.folds)
    assert fold.held_out is not None
    held_out = features.lengths[features.windows(fold.held_out.index)].sum() / tokens * predicting
    size = sum(p.numel() * p.element_size() for p in model.parameters()) / 2**20
    return beginning, epoch(split), epoch(fold), float(held_out), size


def estimate_stages(config: Config, timings: MachineTimings) -> list[StageEstimate]:
    """Return the cost of each stage if patience stops no training early, which is an upper bound.

    Args:
        config: Sizes of the stages, and the number of workers.
        timings: Measurements of this machine.

    Returns:
        Stage A, Stage B, Stage C, the baseline, the final model and the outer folds, if any, in this order.
    """
    main = list(_stages(config, timings))
    if config.outer_folds is None:
        return main
    # Each outer fold leaves one in k posts out; limits of hours do not shrink with them.
    k = config.outer_folds
    limits = {"Stage A": config.stage_a, "Stage B": config.stage_b}
    limited = {name for name, own in limits.items() if own.hours is not None or own.gpu_hours is not None}
    hours = sum((k if each.stage in limited else k - 1) * each.hours for each in main)
    work = k * sum(each.trainings for each in main), k * sum(each.epochs for each in main)
    return [*main, StageEstimate("outer folds", *work, hours)]


def _stages(config: Config, timings: MachineTimings) -> Iterator[StageEstimate]:
    a, b, c, base = config.stage_a, config.stage_b, config.stage_c, config.baseline

    def start(jobs: int, light: int = 0) -> float:
        """Return the seconds to start `jobs` that train and `light` jobs that only collect."""
        return jobs * timings.job + light * _LIGHT + (jobs + light) * _SNAKEMAKE

    def part(
        stage: str, trainings: float, epochs: float, each: float, starts: float, more: float = 0.0
    ) -> StageEstimate:
        """Return a stage's cost; an epoch takes `each` seconds, and `more` seconds are added per training."""
        seconds = trainings * (timings.begin + more) + epochs * each + starts
        return StageEstimate(stage, round(trainings), round(epochs), seconds / 3600)

    def limited(found: StageEstimate, limits: StageASettings | StageBSettings) -> StageEstimate:
        """Return a stage's cost if its limits of hours end it before its trials do."""
        hours = inf if limits.hours is None else limits.hours * config.workers * config.trials_per_gpu
        gpu_hours = inf if limits.gpu_hours is None else limits.gpu_hours * config.trials_per_gpu
        share = min(1.0, min(hours, gpu_hours) / max(found.hours, 1e-9))
        work = round(share * found.trainings), round(share * found.epochs)
        return StageEstimate(found.stage, *work, share * found.hours)

    horizon = config.training.epochs
    trainings, epochs, completed = stage_a_work(a, horizon)
    whole_a = part("Stage A", trainings, epochs, timings.development_epoch, start(config.workers, light=1))
    yield limited(whole_a, a)
    share = _RACING if b.racing and b.seeds > 1 else 1.0
    # Stage B begins with completed trials of Stage A, whose trainings are reused.
    known = min(b.warm_start, b.trials, TOP_TRIALS, int(completed))
    seeds = (b.trials - known) * b.seeds * share + known * max(0, b.seeds - a.seeds)
    whole_b = part("Stage B", seeds, seeds * horizon, timings.development_epoch, start(config.workers, light=2))
    yield limited(whole_b, b)
    folds = c.candidates * c.folds * c.repeats
    yield part("Stage C", folds, folds * horizon, timings.fold_epoch, start(folds + 2), more=timings.held_out)
    yield part("baseline", base.seeds, base.seeds * base.epochs, timings.development_epoch, start(1))
    whole = timings.fold_epoch * c.folds / (c.folds - 1)
    # The chosen candidate may be no member of the ensemble.
    refits = _refits(config)
    yield part("final model", refits + 1, refits * horizon + base.epochs, whole, start(1))


def _refits(config: Config) -> int:
    """Return the most trainings of candidates for the final model: the chosen one and the members of the ensemble."""
    members = min(config.stage_c.ensemble, config.stage_c.candidates) if config.stage_c.ensemble > 1 else 0
    return min(members + 1, config.stage_c.candidates) * config.final.seeds


def stage_a_work(limits: StageASettings, horizon: int) -> tuple[float, float, float]:
    """Return the expected trainings, epochs and completed trials of Stage A, whose trainings have `horizon` epochs.

    The first few trials pass each rung without comparison; of the others, one in `reduction` continues.
    """
    steps = rung_steps(limits.first_rung(horizon), horizon, limits.seeds, limits.reduction)
    trials, trainings, epochs, done = float(limits.trials), float(limits.trials), 0.0, 0
    for step in steps:
        if step <= horizon:
            epochs += trials * (step - done)
            done = step
        else:
            trainings += trials
            epochs += trials * horizon
        free = min(trials, min_trials_at_rung(limits.reduction))
        trials = free + (trials - free) / limits.reduction
    if limits.seeds > 1:  # the last rung was a seed's end
        trainings += trials
        epochs += trials * horizon
    else:
        epochs += trials * (horizon - done)
    return trainings, epochs, trials


def disk_mb(
    config: Config, timings: MachineTimings, backbones: Sequence[str], backbones_mb: float
) -> dict[str, float]:
    """Return the disk space that one agent's search needs.

    Args:
        config: Sizes of the stages, and the number of workers.
        timings: Measurements of this machine; only the size of a model is used.
        backbones: Names of the backbones in the space.
        backbones_mb: Size of all backbones on the disk, in MB.

    Returns:
        MB by purpose.
    """
    c, searches = config.stage_c, 1 + (config.outer_folds or 0)
    # The chosen candidate's are copied from the cache when they are published.
    models = _refits(config) + config.final.seeds + 1
    trainings = stage_a_work(config.stage_a, config.training.epochs)[0] + config.stage_b.trials * config.stage_b.seeds
    return {
        "backbones": searches * backbones_mb,
        # Each running training stores weights, two moments of the optimizer and perhaps an average of the weights.
        "checkpoints of running trainings": 4 * timings.model_mb * config.workers * config.trials_per_gpu,
        "refitted models": searches * models * (timings.model_mb + backbones_mb / max(1, len(backbones))),
        "finished trainings and studies": searches * 0.02 * (trainings + c.candidates * c.folds * c.repeats * 3),
    }
