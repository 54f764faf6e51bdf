"""Select an ensemble of candidates on their held-out predictions (Caruana et al., 2004), and score it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lib.agents.agent import AllValues, Logits, halves
from lib.experiment.experiment import Experiment
from lib.metrics.classification import Floats
from lib.schemas.evaluation import FoldResult
from lib.settings.hyperparameters import Hyperparameters, NullPolicy
from lib.tasks.examples import WeightedSample

# How often a candidate is picked, at most. A candidate that is picked twice has twice the weight.
_PICKS = 20
# Keeps the log loss of a confident error finite.
_LEAST = 1e-6
# Differences of the log loss that come from rounding.
_TIE = 1e-12


@dataclass(frozen=True)
class HeldOutPredictions:
    """What a candidate predicts for a fold that it did not learn from.

    Attributes:
        hyper: The candidate's hyper-parameters.
        index: (n,) the examples.
        logits: Of the n examples, by task.
        values: The values of rules that were fitted on the other half of the groups, by task.
        probability: (tasks, main) probabilities of yes of the pairs of the main population that count, for which they
            are calibrated.
        truth: (tasks, main) 1 where yes is right, else 0.
    """

    hyper: Hyperparameters
    index: NDArray[np.int64]
    logits: Logits
    values: AllValues
    probability: Floats
    truth: NDArray[np.int64]


def held_out_predictions(experiment: Experiment, fold: FoldResult) -> HeldOutPredictions:
    """Return the calibrated predictions of a candidate on a fold."""
    agent, examples, hyper = experiment.agent, experiment.examples, Hyperparameters.of(fold.params)
    index, logits = examples.indices_of(fold.examples), agent.load_logits(fold.logits)
    values = agent.cross_fit(logits, examples, WeightedSample.uniform(index), hyper)
    predictions = agent.decide(logits, values, hyper)
    places = examples.main_population_index(index)
    places = places[examples.counted[index[places]]]
    return HeldOutPredictions(
        hyper,
        index,
        logits,
        values,
        np.stack([predictions[task.name].yes_probability[places] for task in agent.tasks]),
        np.stack([task.truth(examples, index[places]) for task in agent.tasks]),
    )


def greedy_selection(probability: Floats, truth: NDArray[np.int64], most: int) -> list[int]:
    """Pick the models whose average has the lowest log loss, one after the other and with replacement.

    Each step adds the model that lowers the log loss of the average the most. The selection ends where the loss is
    lowest. The log loss is a smoother guide than F1, which follows the chance of few positives.

    Args:
        probability: (tasks, models, n) the probabilities of yes.
        truth: (tasks, n) 1 where yes is right, else 0.
        most: The greatest number of different models, at least 1.

    Returns:
        The picked models, in order; one that is picked twice counts twice.
    """
    total, picks, losses = np.zeros(truth.shape), list[int](), list[float]()
    models = range(probability.shape[1])
    for size in range(1, _PICKS + 1):
        allowed = models if len(set(picks)) < most else sorted(set(picks))
        tried = [_log_loss((total + probability[:, model]) / size, truth) for model in allowed]
        best = allowed[int(np.argmin(tried))]
        total = total + probability[:, best]
        picks.append(best)
        losses.append(min(tried))
    lowest = np.array(losses) <= min(losses) + _TIE
    return picks[: int(np.argmax(lowest)) + 1]


def _log_loss(probability: Floats, truth: NDArray[np.int64]) -> float:
    right = np.where(truth == 1, probability, 1 - probability)
    return float(-np.log(np.clip(right, _LEAST, 1.0)).mean())


def average_held_out(
    experiment: Experiment, members: Mapping[int, HeldOutPredictions], picks: Sequence[int]
) -> tuple[Logits, NDArray[np.int64]]:
    """Average the calibrated probabilities of several candidates on the same fold.

    Args:
        experiment: Gives the agent.
        members: The predictions of each candidate, by its number.
        picks: The candidates that are averaged; one that is named twice counts twice.

    Returns:
        Logits that have these probabilities, and the examples that they belong to.
    """
    weights = Counter(picks)
    averaged = experiment.agent.average_logits(
        [(members[pick].logits, members[pick].values) for pick in weights], list(weights.values())
    )
    return averaged, members[picks[0]].index


# The predictions of each candidate by its number, for each fold by its number.
ByFold = Mapping[int, Mapping[int, HeldOutPredictions]]


def select_ensemble(by_fold: ByFold, folds: Sequence[int], most: int) -> list[int]:
    """Select candidates on some folds.

    Args:
        by_fold: The predictions of all candidates.
        folds: The folds.
        most: As in `greedy_selection`.

    Returns:
        The numbers of the picked candidates, the one that was picked most often first.
    """
    numbers = list(by_fold[folds[0]])
    probability = np.concatenate(
        [np.stack([by_fold[fold][number].probability for number in numbers], axis=1) for fold in folds], axis=-1
    )
    truth = np.concatenate([by_fold[fold][numbers[0]].truth for fold in folds], axis=-1)
    picked = Counter(numbers[pick] for pick in greedy_selection(probability, truth, most))
    return [number for number, count in picked.most_common() for _ in range(count)]


def score_selection(experiment: Experiment, by_fold: ByFold, most: int) -> tuple[list[float], list[float]]:
    """Score ensembles that were selected on the other folds of the same repeat.

    As for a candidate, all rules for a half of a fold are fitted on its other half, those of the members too.

    Args:
        experiment: Gives agent, examples and settings.
        by_fold: The predictions of all candidates.
        most: As in `greedy_selection`.

    Returns:
        The objective and the calibration error of each fold.
    """
    k, found = experiment.settings.config.stage_c.folds, []
    for number in by_fold:
        others = [n for n in by_fold if n // k == number // k and n != number]
        picks = select_ensemble(by_fold, others, most)
        found.append(experiment.objective.values(_scores_of_average(experiment, by_fold[number], picks)))
    objective, error = zip(*found, strict=True)
    return list(objective), list(error)


def _scores_of_average(
    experiment: Experiment, members: Mapping[int, HeldOutPredictions], picks: Sequence[int]
) -> dict[str, Any]:
    """Return the scores of an average of candidates on a fold."""
    agent, hyper = experiment.agent, with_usual_policy([members[pick].hyper for pick in picks])
    masks = halves(experiment.examples, members[picks[0]].index)
    parts = [_half_of_average(experiment, members, Counter(picks), hyper, own) for own in masks if own.any()]
    index, logits, values = zip(*parts, strict=True)
    sample = WeightedSample.uniform(np.concatenate(index))
    averaged, joined = agent.concatenate_logits(logits), agent.concatenate_values(values)
    return agent.scores(averaged, joined, experiment.examples, sample, hyper)


def _half_of_average(
    experiment: Experiment,
    members: Mapping[int, HeldOutPredictions],
    weights: Mapping[int, int],
    hyper: Hyperparameters,
    own: NDArray[np.bool_],
) -> tuple[NDArray[np.int64], Logits, AllValues]:
    """Return the examples of a half, their averaged logits, and the values of rules fitted on the other half."""
    agent, examples, names = experiment.agent, experiment.examples, list(experiment.development.criteria)
    index = members[next(iter(weights))].index
    here, there = np.flatnonzero(own), np.flatnonzero(~own)
    other = WeightedSample.uniform(index[there])

    def values(logits: Logits, hyper: Hyperparameters, index: NDArray[np.int64]) -> AllValues:
        if not len(there):
            return agent.rule_values(agent.neutral_rules(names), examples, index)
        rules = agent.fit_rules(agent.select(logits, there), examples, other, hyper, criteria=names)
        return agent.rule_values(rules, examples, index)

    own_rules = [(members[pick].logits, values(members[pick].logits, members[pick].hyper, index)) for pick in weights]
    averaged = agent.average_logits(own_rules, list(weights.values()))
    return index[here], agent.select(averaged, here), values(averaged, hyper, index[here])


def with_usual_policy(picks: Sequence[Hyperparameters]) -> Hyperparameters:
    """Return hyper-parameters with the null policy by which an ensemble decides.

    It is the one by which most of its picks were judged. Nothing else of an ensemble's hyper-parameters counts.

    Args:
        picks: The hyper-parameters of each pick; a candidate that is picked twice counts twice.

    Returns:
        Those of the first pick, with that policy.
    """
    policies: Counter[NullPolicy] = Counter(pick.null_policy for pick in picks)
    return replace(picks[0], null_policy=policies.most_common(1)[0][0])
