"""Score the majority, TF-IDF with logistic regression, and a transformer with default settings as baselines."""

import time
from typing import Any

import numpy as np

from lib.agents.agent import Logits
from lib.evaluation.refit import fit_final_rules
from lib.experiment.bag_of_words import BagOfWords
from lib.experiment.experiment import Experiment
from lib.experiment.splits import Split
from lib.schemas.document import now
from lib.schemas.evaluation import (
    BAG_OF_WORDS,
    DEFAULT,
    MAJORITY,
    BaselineFold,
    Baselines,
    BaselineScores,
    CrossValidatedBaseline,
)
from lib.schemas.run import Run
from lib.settings.default_params import default_params
from lib.settings.hyperparameters import Hyperparameters
from lib.tasks.examples import Examples, WeightedSample
from lib.tasks.task import Index


def majority_logits(experiment: Experiment, examples: Examples, index: Index) -> Logits:
    """Return logits with the same log odds, those of the prevalence in the development set, for every example.

    Args:
        experiment: Gives the agent and the development examples.
        examples: The examples to predict; may be others than those of the experiment.
        index: Which of them, (n,).

    Returns:
        The logits of the n examples, by task.
    """
    known = experiment.examples
    share = np.clip(known.label[known.main_population_index()].mean(), 1e-6, 1 - 1e-6)
    odds = float(np.log(share / (1 - share)))
    return experiment.agent.logits_from_log_odds([[((0, len(examples.text[i])), odds)] for i in index])


def fit_bag_of_words(experiment: Experiment, train: Index) -> BagOfWords:
    """Fit the bag of words on all examples of a training part.

    A transformer sees other unannotated examples in each epoch. The bag of words can learn from all of them in
    seconds, and with a single draw it would be a weak baseline.

    Args:
        experiment: Gives examples and settings.
        train: (n,) the examples of the training part.

    Returns:
        The fitted bag of words.
    """
    return BagOfWords(experiment.agent, experiment.settings.config.tfidf).fit(experiment.examples, train)


def score_baselines(experiment: Experiment) -> Baselines:
    """Score the three baselines on the development splits on which the seeds of a trial are scored."""
    started, clock = now(), time.perf_counter()
    agent, examples, limits = experiment.agent, experiment.examples, experiment.settings.config.baseline
    params = default_params(experiment.settings)
    hyper, names = Hyperparameters.of(params), list(experiment.development.criteria)
    found: dict[str, list[dict[str, Any]]] = {MAJORITY: [], BAG_OF_WORDS: [], DEFAULT: []}
    decisions: dict[str, Any] = {}
    for seed in range(limits.seeds):
        split = experiment.splits.development(seed)
        sample = split.validation
        logits = majority_logits(experiment, examples, sample.index)
        neutral = agent.rule_values(agent.neutral_rules(names), examples, sample.index)
        found[MAJORITY].append(_scores(experiment, logits, neutral, sample, hyper))
        logits = fit_bag_of_words(experiment, split.train).logits(examples, sample.index)
        values = agent.cross_fit(logits, examples, sample, hyper)
        found[BAG_OF_WORDS].append(_scores(experiment, logits, values, sample, hyper))
        # The first seed also predicts whole posts, to which the final default transformer's rules are fitted.
        trained_on = split if decisions else experiment.splits.development_with_posts(seed)
        run = experiment.run(params, trained_on, epochs=limits.epochs)
        found[DEFAULT].append(run.scores)
        decisions = decisions or _default_decisions(experiment, run, hyper)
    return Baselines(
        provenance=experiment.provenance(started),
        agent=agent.name,
        objective=experiment.objective.name,
        calibration=experiment.objective.full_calibration_name,
        params=params,
        epochs=limits.epochs,
        **decisions,
        entries=[
            BaselineScores(
                name=name,
                objective=float(np.mean([scores["objective"] for scores in seeds])),
                calibration_error=float(np.mean([scores["calibration_error"] for scores in seeds])),
                seeds=seeds,
            )
            for name, seeds in found.items()
        ],
        performance={"seconds": round(time.perf_counter() - clock, 3)},
    )


def _default_decisions(experiment: Experiment, run: Run, hyper: Hyperparameters) -> dict[str, Any]:
    assert run.examples is not None and run.logits is not None
    logits = experiment.agent.load_logits(run.logits)
    found = fit_final_rules(experiment, logits, experiment.examples.indices_of(run.examples), hyper)
    return found.dump()


def cross_validate_baseline(experiment: Experiment) -> CrossValidatedBaseline:
    """Score TF-IDF with logistic regression on each fold of Stage C, fitted and calibrated as the candidates are."""
    started, clock = now(), time.perf_counter()
    limits = experiment.settings.config.stage_c
    hyper = Hyperparameters.of(default_params(experiment.settings))
    results = []
    for number in range(limits.folds * limits.repeats):
        split = experiment.splits.fold(number, limits.folds)
        logits, held_out = fit_and_predict_fold(experiment, split)
        values = experiment.agent.cross_fit(logits, experiment.examples, held_out, hyper)
        scores = _scores(experiment, logits, values, held_out, hyper)
        results.append(BaselineFold(fold=number, split=split.name, scores=scores))
    return CrossValidatedBaseline(
        provenance=experiment.provenance(started),
        agent=experiment.agent.name,
        objective=experiment.objective.name,
        calibration=experiment.objective.full_calibration_name,
        name=BAG_OF_WORDS,
        folds=results,
        performance={"seconds": round(time.perf_counter() - clock, 3)},
    )


def fit_and_predict_fold(experiment: Experiment, split: Split) -> tuple[Logits, WeightedSample]:
    """Fit the bag of words on a fold's training part.

    Args:
        experiment: Gives examples and settings.
        split: A fold.

    Returns:
        The logits of the held-out part, and the held-out part.
    """
    assert split.held_out is not None
    model = fit_bag_of_words(experiment, split.train)
    return model.logits(experiment.examples, split.held_out.index), split.held_out


def _scores(
    experiment: Experiment, logits: Logits, values: Any, sample: WeightedSample, hyper: Hyperparameters
) -> dict[str, Any]:
    return experiment.objective.added_to(experiment.agent.scores(logits, values, experiment.examples, sample, hyper))
