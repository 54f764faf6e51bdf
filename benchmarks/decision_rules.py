"""Compare ways to decide about posts and to fit thresholds, on the held-out predictions of a finished Stage C.

The log odds of a post are those of its highest sentence, or those of 1 − Π (1 − p). A threshold maximises the F1
that the calibrated probabilities expect, or the F1 of the labels. Rules are fitted on a share of the posts, drawn at
random many times, and scored on the others.
"""

import argparse
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from common import benchmark_experiment
from numpy.typing import NDArray
from scipy.special import expit, logit

from lib.evaluation.by_post import labelled_post_criterion_pairs
from lib.evaluation.refit import by_repeat
from lib.experiment.experiment import Experiment
from lib.metrics.classification import binary_scores
from lib.schemas.evaluation import read_fold
from lib.settings.hyperparameters import Hyperparameters
from lib.tasks.decision import DecisionRule, RuleValues, fit_calibration, fit_f1_thresholds, fit_soft_f1_thresholds
from lib.tasks.examples import WeightedSample

DRAWS = 30
SCORES = ("f1_macro", "f1_micro", "average_precision", "log_loss")


@dataclass(frozen=True)
class Pairs:
    """Pairs of a sentence or post with a criterion, and the group of the post: (n,) each."""

    group: NDArray[np.int64]
    criterion: NDArray[np.str_]
    label: NDArray[np.int64]
    log_odds: NDArray[np.float64]


def held_out_pairs(experiment: Experiment, candidate: int) -> dict[str, Pairs]:
    """Return a candidate's held-out pairs in the first repeat of Stage C.

    Args:
        experiment: The experiment of the criteria agent.
        candidate: The candidate's number.

    Returns:
        The pairs of sentences, and those of posts by either combination of sentences.
    """
    agent, examples = experiment.agent, experiment.examples
    paths = (experiment.results / agent.name / "stage_c").glob(f"{candidate}-*.json")
    read = [fold for fold in map(read_fold, paths) if fold is not None]
    folds = by_repeat(read, experiment.settings.config.stage_c.folds)[0]
    hyper = Hyperparameters.of(folds[0].params)
    index = examples.indices_of([name for fold in folds for name in fold.examples])
    logits = agent.concatenate_logits([agent.load_logits(fold.logits) for fold in folds])
    rules = agent.fit_rules(logits, examples, WeightedSample.uniform(index), hyper)
    natural = np.flatnonzero(examples.natural[index])
    index, logits = index[natural], agent.select(logits, natural)
    values = agent.rule_values(rules, examples, index)
    probability = agent.decide(logits, values, hyper)[agent.tasks[0].name].yes_probability
    posts = labelled_post_criterion_pairs(probability, examples, index)
    log_no = np.bincount(posts.pair, np.log1p(-np.clip(probability, 0, 1 - 1e-12)))
    product = np.log(np.maximum(-np.expm1(log_no), 1e-12)) - log_no

    def by_post(log_odds: NDArray[Any]) -> Pairs:
        return Pairs(posts.group, np.array(posts.criterion), posts.label, log_odds)

    sentences = Pairs(
        examples.group[index],
        np.array(examples.criterion)[index],
        examples.label[index],
        logit(np.clip(probability, 1e-12, 1 - 1e-12)),
    )
    return {"sentences": sentences, "posts, highest": by_post(posts.log_odds), "posts, product": by_post(product)}


def score(pairs: Pairs, known: NDArray[np.bool_], *, expected: bool) -> list[float]:
    """Fit a rule on the known pairs, and return the scores of the others.

    Args:
        pairs: All pairs.
        known: (n,) the pairs to fit the rule on.
        expected: Whether thresholds maximise the expected F1, not that of the labels.

    Returns:
        The scores `SCORES`.
    """
    weight = np.ones(int(known.sum()))
    criterion = pairs.criterion[known].tolist()
    temperature, offset = fit_calibration(lambda t: pairs.log_odds[known] / t, pairs.label[known], criterion, weight)
    calibrated = RuleValues.of(DecisionRule(temperature, offset, offset, 0.0), pairs.criterion.tolist())
    odds = pairs.log_odds / calibrated.temperature + calibrated.offset
    label = pairs.label[known].astype(np.float64)
    thresholds = (
        fit_f1_thresholds(odds[known], pairs.label[known], criterion, weight)
        if expected
        else fit_soft_f1_thresholds(odds[known], label, label, criterion, weight)
    )
    yes = odds >= np.array([thresholds[name] for name in pairs.criterion])
    other = ~known
    scores = binary_scores(
        expit(odds[other]), yes[other], pairs.label[other], pairs.criterion[other].tolist(), np.ones(other.sum())
    )
    return [scores[name] for name in SCORES]


def main() -> None:
    """Parse the arguments, and print the mean scores of each choice."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="a folder in which the criteria agent has finished Stage C")
    parser.add_argument("--candidate", type=int, default=0)
    options = parser.parse_args()
    with chdir(options.folder):
        found = held_out_pairs(benchmark_experiment("criteria"), options.candidate)
    print("natural prevalence, held-out folds")
    print(f"{'pairs':16} {'fitted on':>9}  {'thresholds':10}" + "".join(f"{name:>24}" for name in SCORES))
    for name, pairs in found.items():
        groups = np.unique(pairs.group)
        for share in (0.5, 0.1):
            for expected in (True, False):
                rng = np.random.default_rng(0)
                drawn = [rng.permutation(groups)[: round(share * len(groups))] for _ in range(DRAWS)]
                table = np.array([score(pairs, np.isin(pairs.group, own), expected=expected) for own in drawn])
                cells = [f"{m:.4f} ± {s:.4f}" for m, s in zip(table.mean(axis=0), table.std(axis=0), strict=True)]
                kind = "expected" if expected else "labels"
                print(f"{name:16} {share:9.0%}  {kind:10}" + "".join(f"{cell:>24}" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
