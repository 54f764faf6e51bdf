"""Cross-validate the candidates of Stage C (repeated stratified group k-fold) and choose one."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lib.evaluation.statistics import corrected_resampled_t_test, corrected_standard_error
from lib.experiment.experiment import Experiment
from lib.schemas.document import now
from lib.schemas.evaluation import CrossValidatedBaseline, FoldResult, StageC
from lib.schemas.search import Candidates

_SIGNIFICANT = 0.05


def score_fold(experiment: Experiment, chosen: Candidates, candidate: int, number: int) -> FoldResult:
    """Train one candidate without one fold and score it on that fold.

    Args:
        experiment: Trains the candidate.
        chosen: All candidates.
        candidate: Number of the candidate, from 0.
        number: Number of the fold, from 0; the folds of later repeats follow those of the first.

    Returns:
        Scores, predictions and temperatures on the held-out fold.

    Raises:
        TrainingFailure: The training gives no result.
    """
    limits = experiment.settings.config.stage_c
    split = experiment.splits.fold(number, limits.folds)
    params = chosen.candidates[candidate].params
    run = experiment.run(params, split, epochs=limits.epochs)
    assert run.held_out is not None and run.examples is not None and run.answers is not None
    assert run.temperatures is not None and split.held_out is not None
    return FoldResult(
        provenance=run.provenance,
        agent=experiment.agent.name,
        candidate=candidate,
        fold=number,
        split=split.name,
        params=params,
        sizes={"train": len(split.train), "stop": len(split.validation), "held_out": len(split.held_out)},
        best_epoch=run.best_epoch,
        scores=run.held_out,
        examples=run.examples,
        answers=run.answers,
        temperatures=run.temperatures,
        performance=run.performance,
    )


def collect_stage_c(
    experiment: Experiment, chosen: Candidates, results: Sequence[FoldResult], base: CrossValidatedBaseline
) -> StageC:
    """Rank the candidates by mean F1-macro and choose one by the one-standard-error rule.

    Of the candidates whose mean F1-macro lies within one corrected standard error of the best one, the candidate with
    the lowest mean ECE is chosen.

    Args:
        experiment: Gives the examples and the settings; nothing is trained.
        chosen: All candidates.
        results: The result of every candidate on every fold, in any order.
        base: The TF-IDF baseline on the same folds.

    Returns:
        The ranking, the choice, the average of the best candidates, and the comparison with the baseline.
    """
    started = now()
    limits = experiment.settings.config.stage_c
    by = {(result.candidate, result.fold): result for result in results}
    numbers = range(limits.folds * limits.repeats)
    ratio = 1 / (limits.folds - 1)
    f1 = {c.number: np.array([by[c.number, n].scores["f1_macro"] for n in numbers]) for c in chosen.candidates}
    ece = {c.number: np.array([by[c.number, n].scores["ece"] for n in numbers]) for c in chosen.candidates}
    order = sorted(f1, key=lambda number: (-f1[number].mean(), number))
    best = order[0]
    margin = corrected_standard_error(f1[best], ratio)
    tied = [number for number in order if f1[number].mean() >= f1[best].mean() - margin]
    choice = min(tied, key=lambda number: (ece[number].mean(), order.index(number)))
    ranking = [
        {
            "candidate": number,
            "params": chosen.candidates[number].params,
            "f1_macro": summarise_folds(f1[number], ratio),
            "ece": summarise_folds(ece[number], ratio),
            "within_one_standard_error": number in tied,
            "against_best": None if number == best else compare_folds(f1[best], f1[number], ratio),
            "scores": average_scores([by[number, n].scores for n in numbers]),
        }
        for number in order
    ]
    base_f1 = np.array([fold.scores["f1_macro"] for fold in base.folds])
    runner_up = order[1] if len(order) > 1 else None
    return StageC(
        provenance=experiment.provenance(started),
        agent=experiment.agent.name,
        folds=limits.folds,
        repeats=limits.repeats,
        ranking=ranking,
        choice={
            "candidate": choice,
            "params": chosen.candidates[choice].params,
            "f1_macro": summarise_folds(f1[choice], ratio),
            "ece": summarise_folds(ece[choice], ratio),
            "rule": "lowest ECE within one standard error of the best F1-macro",
            "best_f1_candidate": best,
            "lead_of_best_is_significant": None
            if runner_up is None
            else compare_folds(f1[best], f1[runner_up], ratio)["significant"],
        },
        ensemble=_ensemble(experiment, by, order[: limits.ensemble], ratio),
        baseline={
            "name": base.name,
            "f1_macro": summarise_folds(base_f1, ratio),
            "ece": summarise_folds(np.array([fold.scores["ece"] for fold in base.folds]), ratio),
            "choice_against_baseline": compare_folds(f1[choice], base_f1, ratio),
        },
        performance={"training_seconds": round(sum(r.performance["seconds"] for r in results), 1)},
    )


def summarise_folds(values: NDArray[np.float64], ratio: float) -> dict[str, Any]:
    """Return the mean, the corrected standard error and the values of a score over folds.

    Args:
        values: The score on each fold, (n,), n ≥ 2.
        ratio: Size of the held-out fold relative to the training part, 1 / (k − 1).

    Returns:
        "mean", "standard_error" and "folds", the values themselves.
    """
    error = corrected_standard_error(values, ratio)
    return {"mean": float(values.mean()), "standard_error": error, "folds": values.tolist()}


def compare_folds(first: NDArray[np.float64], second: NDArray[np.float64], ratio: float) -> dict[str, Any]:
    """Compare two models on the same folds with the corrected resampled t-test.

    Args:
        first: Scores of the first model, (n,).
        second: Scores of the second model on the same folds, (n,).
        ratio: Size of the held-out fold relative to the training part, 1 / (k − 1).

    Returns:
        "difference" (first less second), "t" (None if all differences are equal), "p" (two-sided), and "significant"
        for p below 0.05.
    """
    test = corrected_resampled_t_test(first, second, ratio)
    return {"difference": test.difference, "t": test.t, "p": test.p, "significant": test.p < _SIGNIFICANT}


def average_scores(scores: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Average every score over the folds that have it; whole numbers are counts and are summed."""
    result: dict[str, Any] = {}
    for name in dict.fromkeys(name for each in scores for name in each):
        values = [each[name] for each in scores if each.get(name) is not None]
        if not values:
            result[name] = None
        elif isinstance(values[0], Mapping):
            result[name] = average_scores(values)
        else:
            result[name] = sum(values) if isinstance(values[0], int) else float(np.mean(values))
    return result


def _ensemble(
    experiment: Experiment, by: dict[tuple[int, int], FoldResult], members: list[int], ratio: float
) -> dict[str, Any]:
    """Score the average of the members' held-out predictions, fold by fold."""
    agent, examples = experiment.agent, experiment.examples
    f1, ece = [], []
    for number in sorted({n for _, n in by}):
        index = examples.places(by[members[0], number].examples)
        predictions = agent.average([agent.load(by[member, number].answers) for member in members])
        scores = agent.scores(predictions, examples, index)
        f1.append(scores["f1_macro"])
        ece.append(scores["ece"])
    return {
        "members": members,
        "f1_macro": summarise_folds(np.array(f1), ratio),
        "ece": summarise_folds(np.array(ece), ratio),
    }
