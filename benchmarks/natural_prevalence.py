"""Measure three choices that the scores at natural prevalence rest on, with the criteria agent and MiniLM.

`sampling` compares two corrections for the rate at which trainings draw unannotated negatives: importance weights in
the loss, and the offset of the log odds that is fitted after training (King & Zeng, 2001). `sample` gives the error
of the F1 of the weighted sample on which epochs are scored, against the whole validation part and against a uniform
sample of the same size. `scores` gives for each score that a search could optimise its spread between trials, and the
rank correlation of the trials between two splits.
"""

import argparse
from contextlib import chdir
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import NATURAL, benchmark_experiment, prepare_project
from numpy.typing import NDArray
from scipy.stats import spearmanr

from lib.experiment.experiment import Experiment
from lib.experiment.splits import Split
from lib.experiment.validation_sample import weighted_validation_sample
from lib.schemas.run import Run
from lib.settings.hyperparameters import Hyperparameters
from lib.studies.sobol import sobol_design
from lib.tasks.examples import WeightedSample
from lib.training.data import TrainingData
from lib.training.engine import TrainingOptions, train
from lib.training.epoch_sampler import EpochSampler
from lib.training.inference import predict_logits

SAMPLE_DRAWS, RESAMPLES = 30, 2000
SCORES = ("f1_macro", "f1_micro", "average_precision", "ece", "classwise_ece", "ece_of_yes", "brier_skill")


def compare_corrections(experiment: Experiment, epochs: int, seeds: int) -> None:
    """Train with and without importance weights, and print the scores on the held-out part of a fold.

    Args:
        experiment: The experiment of the criteria agent.
        epochs: Epochs of a training.
        seeds: Number of folds, each with a seed of its own.
    """
    found: dict[str, list[dict[str, Any]]] = {"importance weights": [], "offset": []}
    for seed in range(seeds):
        split = experiment.splits.fold(seed, seeds)
        for name, scored in found.items():
            scored.append(_score_with(experiment, split, epochs, seed, weighted=name == "importance weights"))
    for name, scored in found.items():
        means = {key: np.mean([scores[key] for scores in scored]) for key in SCORES}
        print(f"natural prevalence, {name:20}" + "".join(f"{key} {value:.3f}  " for key, value in means.items()))
    for key in SCORES:
        gain = [a[key] - b[key] for a, b in zip(*found.values(), strict=True)]
        error = np.std(gain, ddof=1) / len(gain) ** 0.5
        print(f"natural prevalence, weights − offset, {key}: {np.mean(gain):+.3f} ± {error:.3f}")


def _score_with(experiment: Experiment, split: Split, epochs: int, seed: int, *, weighted: bool) -> dict[str, Any]:
    agent, examples, hyper = experiment.agent, experiment.examples, Hyperparameters.of(NATURAL)
    assert split.held_out is not None
    torch.manual_seed(seed)
    model, features = experiment.builder.model(hyper)
    if weighted:
        factor = torch.from_numpy(_importance(experiment, split.train))
        windows = np.repeat(
            np.arange(len(examples)), [len(features.windows(np.array([i]))) for i in range(len(examples))]
        )
        weight = features.targets.weight * factor[torch.from_numpy(windows)]
        features = replace(features, targets=replace(features.targets, weight=weight))
    data = TrainingData(agent, examples, features, hyper, split.train, split.validation, experiment.objective)
    options = TrainingOptions(epochs=epochs, patience=epochs, keep_best=True)
    train(model, data, experiment.device, options, seed=seed)
    known, held_out = (
        predict_logits(model, agent, features, sample.index, hyper, experiment.device)
        for sample in (split.validation, split.held_out)
    )
    names = list(experiment.development.criteria)
    rules = agent.fit_rules(known, examples, split.validation, hyper, criteria=names)
    values = agent.rule_values(rules, examples, split.held_out.index)
    return agent.scores(held_out, values, examples, split.held_out, hyper)


def _importance(experiment: Experiment, train_part: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the weight of each example, such that an epoch's examples have the mean weight 1."""
    sampler = EpochSampler.of(experiment.examples, train_part, NATURAL["data.unannotated"], 0)
    weight = np.ones(len(experiment.examples), dtype=np.float32)
    weight[sampler.unannotated] = len(sampler.unannotated) / sampler.per_epoch
    weight /= weight[sampler.epoch(1)].mean()
    return weight


def measure_sample(experiment: Experiment, epochs: int) -> None:
    """Print the error of F1 on samples of the validation part, and the share of an epoch that its scoring takes.

    Args:
        experiment: The experiment of the criteria agent.
        epochs: Epochs of the training.
    """
    split = experiment.splits.development_with_posts(0)
    run = experiment.run(NATURAL, split, epochs=epochs)
    assert run.examples is not None and run.logits is not None
    agent, examples, hyper = experiment.agent, experiment.examples, Hyperparameters.of(NATURAL)
    index = examples.indices_of(run.examples)
    logits = agent.load_logits(run.logits)
    whole = WeightedSample.uniform(index)
    rule_values = agent.rule_values(agent.fit_rules(logits, examples, whole, hyper), examples, index)
    place = {int(example): i for i, example in enumerate(index)}

    def f1(sample: WeightedSample) -> NDArray[np.float64]:
        chosen = np.array([place[int(i)] for i in sample.index])
        own = {name: value.select(chosen) for name, value in rule_values.items()}
        scores = agent.scores(agent.select(logits, chosen), own, examples, sample, hyper)
        return np.array([scores["f1_macro"], scores["f1_micro"]])

    truth, rng = f1(whole), np.random.default_rng(0)
    certain = examples.annotated[index] | (examples.label[index] == 1)
    drawn: dict[str, list[NDArray[np.float64]]] = {"directed": [], "uniform": []}
    for seed in range(SAMPLE_DRAWS):
        directed = weighted_validation_sample(agent, examples, experiment.settings.config, index, split.train, seed)
        drawn["directed"].append(f1(directed))
        size = len(directed) - int(certain.sum())
        others = rng.permutation(index[~certain])[:size]
        weight = np.append(np.ones(int(certain.sum())), np.full(size, (~certain).sum() / max(1, size)))
        drawn["uniform"].append(f1(WeightedSample(np.append(index[certain], others), weight)))
    print(
        f"natural prevalence: {len(directed)} of {len(index)} pairs; F1-macro {truth[0]:.3f}, F1-micro {truth[1]:.3f}"
    )
    for name, values_of in drawn.items():
        errors = np.array(values_of) - truth
        macro, micro = np.sqrt((errors**2).mean(axis=0))
        near = (abs(errors) <= 0.01).mean(axis=0)
        print(
            f"{name}: root mean square error of F1-macro {macro:.4f}, of F1-micro {micro:.4f};"
            f" within 0.01: {near[0]:.0%} and {near[1]:.0%} of the samples"
        )
    print(f"scoring an epoch takes {run.performance['scoring_ratio']:.2f} of the time to train it")


def compare_scores(experiment: Experiment, epochs: int, trials: int) -> None:
    """Train configurations of the search space on two splits, and print the spread and rank correlation of scores.

    Args:
        experiment: The experiment of the criteria agent.
        epochs: Epochs of a training.
        trials: Number of configurations.
    """
    runs: list[tuple[Run, Run]] = []
    splits = [experiment.splits.development(seed) for seed in range(2)]
    for number, params in enumerate(sobol_design(experiment.settings.space, trials, 0)):
        first, second = (experiment.run(params, split, epochs=epochs) for split in splits)
        runs.append((first, second))
        print(
            f"trial {number + 1} of {trials}: natural prevalence: F1-macro {first.scores['f1_macro']:.3f}", flush=True
        )
    rng = np.random.default_rng(0)
    print(f"{'score (natural)':18} {'mean':>6} {'spread':>7} {'rank correlation':>18}")
    for key in SCORES:
        table = np.array([[run.scores[key] or 0.0 for run in pair] for pair in runs])
        samples = [spearmanr(*table[rng.integers(len(table), size=len(table))].T)[0] for _ in range(RESAMPLES)]
        low, high = np.nanquantile(samples, [0.025, 0.975])
        spread = table.mean(axis=1).std(ddof=1)
        print(f"{key:18} {table.mean():6.3f} {spread:7.3f} {spearmanr(*table.T)[0]:6.2f} [{low:.2f}, {high:.2f}]")


def main() -> None:
    """Parse the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["sampling", "sample", "scores"])
    parser.add_argument("folder", type=Path, help="where runs are kept, so that a measurement can be continued")
    parser.add_argument("--corpus", type=Path, help="folder of a corpus; by default one is generated")
    parser.add_argument("--posts", type=int, default=300, help="posts of the generated corpus")
    parser.add_argument("--words", type=int, default=60, help="mean words of its posts")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--number", type=int, default=5, help="folds of `sampling`, trials of `scores`")
    options = parser.parse_args()
    config, corpus = Path("config").resolve(), options.corpus.resolve() if options.corpus else None
    options.folder.mkdir(parents=True, exist_ok=True)
    with chdir(options.folder):
        if not Path("config").exists():
            Path("config").symlink_to(config)
            prepare_project(
                str(corpus) if corpus else None, generator={"posts": options.posts, "words": options.words}
            )
        experiment = benchmark_experiment("criteria")
        if options.what == "sampling":
            compare_corrections(experiment, options.epochs, options.number)
        elif options.what == "sample":
            measure_sample(experiment, options.epochs)
        else:
            compare_scores(experiment, options.epochs, options.number)


if __name__ == "__main__":
    main()
