"""Cross-validate the candidates of Stage C (repeated stratified group k-fold) and choose one."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lib.errors import UserError
from lib.evaluation.ensemble import (
    HeldOutPredictions,
    held_out_predictions,
    score_selection,
    select_ensemble,
)
from lib.experiment.experiment import Experiment
from lib.files.hashing import derive_seed
from lib.metrics.corrected_t_test import corrected_resampled_t_test, corrected_standard_error
from lib.metrics.resampling import average_precision_of_samples, sum_by_group
from lib.metrics.selection_bias import ScoreOfSamples, correct_selection_bias
from lib.schemas.document import now, training_versions
from lib.schemas.evaluation import CrossValidatedBaseline, FoldResult, StageCResult
from lib.schemas.search import Candidates
from lib.tasks.examples import WeightedSample

_SIGNIFICANT = 0.05
# The scores that are counts.
_COUNTS = ("confusion", "positives")


def score_fold(experiment: Experiment, chosen: Candidates, candidate: int, number: int) -> FoldResult:
    """Train one candidate without one fold and score it on that fold.

    Args:
        experiment: Trains the candidate.
        chosen: All candidates.
        candidate: Number of the candidate, from 0.
        number: Number of the fold, from 0; the folds of later repeats follow those of the first.

    Returns:
        Scores and logits on the held-out fold.

    Raises:
        TrainingFailure: The training gives no result.
    """
    config, params = experiment.settings.config, chosen.candidates[candidate].params
    split, epochs = experiment.splits.fold(number, config.stage_c.folds), chosen.candidates[candidate].epochs
    run = experiment.run(params, split, epochs=config.training.epochs, last_epoch=epochs)
    assert run.held_out is not None and run.examples is not None and run.logits is not None
    assert split.held_out is not None
    return FoldResult(
        provenance=run.provenance,
        agent=experiment.agent.name,
        candidate=candidate,
        fold=number,
        split=split.name,
        params=params,
        sizes={"train": len(split.train), "held_out": len(split.held_out)},
        epochs=epochs,
        scores=run.held_out,
        examples=run.examples,
        logits=run.logits,
        performance=run.performance,
    )


def collect_stage_c(
    experiment: Experiment, chosen: Candidates, results: Sequence[FoldResult], base: CrossValidatedBaseline
) -> StageCResult:
    """Rank the candidates by mean objective and choose one by the one-standard-error rule.

    Candidates that were given up, by racing or because a training failed, come last, with their whole repeats. They
    are neither chosen nor averaged, but count for the bias-corrected score, which is that of the repeats that all
    candidates had. Those without a whole repeat are left out.

    A candidate is as good as the best one if the mean difference of their objectives, fold by fold, is at most one
    corrected standard error of these differences. Of these candidates the one with the lowest mean calibration error
    is chosen. Scores of the same fold go up and down together, so a standard error of the best one's scores would
    call candidates equal that are significantly worse.

    Args:
        experiment: Gives the examples and the settings; nothing is trained.
        chosen: All candidates.
        results: The results of the candidates on the folds, in any order. Those of a candidate that was given up may
            be missing.
        base: The TF-IDF baseline on the same folds.

    Returns:
        The ranking, the choice, the ensemble, and the comparison with the baseline.

    Raises:
        UserError: No candidate has a result on every fold, or folds were trained with other packages or devices.
    """
    started = now()
    limits = experiment.settings.config.stage_c
    _check_comparable(experiment.agent.name, results)
    by = {(result.candidate, result.fold): result for result in results}
    predicted = {place: held_out_predictions(experiment, result) for place, result in by.items()}
    ratio, count = 1 / (limits.folds - 1), limits.folds * limits.repeats
    had = {c.number: _whole_repeats(by, c.number, limits.folds) for c in chosen.candidates}
    had = {number: folds for number, folds in had.items() if folds}
    objective, error = (
        {c: np.array([by[c, n].scores[name] for n in numbers]) for c, numbers in had.items()}
        for name in ("objective", "calibration_error")
    )
    order = sorted(had, key=lambda number: (-len(had[number]), -objective[number].mean(), number))
    finished = [number for number in order if len(had[number]) == count]
    if not finished:
        raise UserError(
            f"stage C of {experiment.agent.name}: no candidate has a result on every fold, because trainings failed;"
            " the folds' files in stage_c/ say why"
        )
    best = order[0]
    tied = [number for number in finished if is_as_good(objective[number], objective[best], ratio)]
    choice = min(tied, key=lambda number: (error[number].mean(), order.index(number)))
    ranking = [
        {
            "candidate": number,
            "params": chosen.candidates[number].params,
            "objective": summarise_folds(objective[number], ratio),
            "calibration_error": summarise_folds(error[number], ratio),
            "within_one_standard_error": number in tied,
            "given_up_after": None if number in finished else len(had[number]),
            "against_best": None
            if number == best
            else compare_folds(objective[best][: len(had[number])], objective[number], ratio),
            "scores": average_scores([by[number, n].scores for n in had[number]]),
        }
        for number in order
    ]
    base_objective, base_error = (
        np.array([fold.scores[name] for fold in base.folds]) for name in ("objective", "calibration_error")
    )
    runner_up = finished[1] if len(finished) > 1 else None
    return StageCResult(
        provenance=experiment.provenance(started),
        agent=experiment.agent.name,
        folds=limits.folds,
        repeats=limits.repeats,
        objective=experiment.objective.name,
        calibration=experiment.objective.full_calibration_name,
        ranking=ranking,
        choice={
            "candidate": choice,
            "params": chosen.candidates[choice].params,
            "objective": summarise_folds(objective[choice], ratio),
            "calibration_error": summarise_folds(error[choice], ratio),
            "rule": f"lowest {experiment.objective.full_calibration_name} within one standard error of the best"
            f" {experiment.objective.name}",
            "best_candidate": best,
            "lead_of_best_is_significant": None
            if runner_up is None
            else compare_folds(objective[best], objective[runner_up], ratio)["significant"],
        },
        ensemble=_ensemble(experiment, predicted, finished, objective[best], ratio) if limits.ensemble > 1 else None,
        bias_corrected=correct_for_choice(
            experiment, [[predicted[number, n] for n in had[order[-1]]] for number in order]
        ),
        baseline={
            "name": base.name,
            "objective": summarise_folds(base_objective, ratio),
            "calibration_error": summarise_folds(base_error, ratio),
            "choice_against_baseline": compare_folds(objective[choice], base_objective, ratio),
        },
        performance={"training_seconds": round(sum(r.performance["seconds"] for r in results), 1)},
    )


def _whole_repeats(by: Mapping[tuple[int, int], FoldResult], candidate: int, k: int) -> list[int]:
    """Return the folds of a candidate up to the first repeat that lacks one."""
    numbers = list[int]()
    while all((candidate, n) in by for n in range(len(numbers), len(numbers) + k)):
        numbers += range(len(numbers), len(numbers) + k)
    return numbers


def _check_comparable(agent: str, results: Sequence[FoldResult]) -> None:
    """Refuse folds whose differences may come from other packages or another kind of device."""
    found: dict[str, set[str]] = {}
    for result in results:
        made = result.provenance
        for name, version in {**training_versions(made.packages), "the device": made.device}.items():
            found.setdefault(name, set()).add(version)
    mixed = {name: versions for name, versions in found.items() if len(versions) > 1}
    if mixed:
        raise UserError(
            f"stage C of {agent}: folds were trained with {name} {' and '.join(sorted(versions))}, so their scores"
            " cannot be compared; remove the files in stage_c/ of one of them to train them again"
            for name, versions in mixed.items()
        )


def candidates_in_the_race(
    experiment: Experiment, candidates: Sequence[int], results: Sequence[FoldResult]
) -> list[int]:
    """Return the candidates that are not significantly worse than the best one on the folds so far.

    A candidate that the best one leads significantly (corrected resampled t-test, one-sided) could only be chosen if
    later folds contradicted the earlier ones, so its further folds are not trained. The decision is made after whole
    repeats, and depends on nothing but their results (compare Bergman et al., 2024, who give up after each fold).

    Args:
        experiment: Gives the number of folds.
        candidates: The numbers of the candidates that were in the race until now.
        results: Their results on all folds of the repeats so far.

    Returns:
        The numbers of those that stay, in order.
    """
    by = {(result.candidate, result.fold): result.scores["objective"] for result in results}
    numbers = sorted({result.fold for result in results})
    scores = {candidate: np.array([by[candidate, number] for number in numbers]) for candidate in candidates}
    best = max(candidates, key=lambda candidate: (scores[candidate].mean(), -candidate))
    _check_comparable(experiment.agent.name, results)
    ratio = 1 / (experiment.settings.config.stage_c.folds - 1)

    def stays(candidate: int) -> bool:
        test = corrected_resampled_t_test(scores[best], scores[candidate], ratio)
        return candidate == best or test.p / 2 >= _SIGNIFICANT

    return [candidate for candidate in candidates if stays(candidate)]


def is_as_good(own: NDArray[np.float64], best: NDArray[np.float64], ratio: float) -> bool:
    """Return whether a candidate is within one corrected standard error of the best one.

    Args:
        own: The candidate's score on each fold, (n,), n ≥ 2.
        best: The best candidate's scores on the same folds, (n,).
        ratio: Size of the held-out fold relative to the training part, 1 / (k − 1).

    Returns:
        Whether their mean difference is at most one standard error of the differences.
    """
    lead = best - own
    return float(lead.mean()) <= corrected_standard_error(lead, ratio)


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


def correct_for_choice(
    experiment: Experiment, candidates: Sequence[Sequence[HeldOutPredictions]]
) -> dict[str, Any] | None:
    """Correct the objective of the best candidate for having been chosen on the folds that score it.

    Args:
        experiment: Gives agent, examples and objective.
        candidates: The predictions of each candidate for all folds.

    Returns:
        The corrected objective as {plain, value, low, high}, see `lib.metrics.selection_bias`, where `plain` is that
        of all held-out predictions together; None if it is undefined.
    """
    scores = [_score_of_samples(experiment, folds) for folds in candidates]
    index = np.concatenate([fold.index[_scored_places(experiment, fold)] for fold in candidates[0]])
    group = experiment.examples.group[index]
    seed = derive_seed(experiment.settings.config.seed, "bias correction")
    found = correct_selection_bias(scores, len(np.unique(group)), seed)
    return None if found is None else asdict(found)


def _scored_places(experiment: Experiment, fold: HeldOutPredictions) -> NDArray[np.int64]:
    """Return the places in a fold of the examples that the objective scores."""
    examples = experiment.examples
    scored = examples.natural if experiment.objective.population == "natural" else examples.annotated
    return np.flatnonzero((scored & examples.counted)[fold.index])


def _score_of_samples(experiment: Experiment, folds: Sequence[HeldOutPredictions]) -> ScoreOfSamples:
    """Return a candidate's objective as a function of the groups that count."""
    agent, examples, objective = experiment.agent, experiment.examples, experiment.objective
    decide = agent.decide if objective.population == "natural" else agent.decide_annotated
    parts = [(fold, _scored_places(experiment, fold)) for fold in folds]
    index = np.concatenate([fold.index[own] for fold, own in parts])
    logits = [agent.select(fold.logits, own) for fold, own in parts]
    values = [{name: each.select(own) for name, each in fold.values.items()} for fold, own in parts]
    # Decided together, since the columns of the statistics are those of the criteria that occur.
    predictions = decide(agent.concatenate_logits(logits), agent.concatenate_values(values), folds[0].hyper)
    group = examples.group[index]
    if objective.metric == "average_precision":
        ranked = [(predictions[task.name].yes_probability, task.truth(examples, index)) for task in agent.tasks]
        return lambda drawn: average_precision_of_samples(ranked, group, drawn)
    statistics, score = agent.sufficient_statistics(predictions, examples, WeightedSample.uniform(index))
    summed, place = sum_by_group(statistics, group), agent.score_names.index(objective.metric)
    return lambda drawn: score(np.asarray(drawn @ summed))[:, place]


def average_scores(scores: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Average every score over the folds that have it.

    Counts are summed, texts must be the same in all folds, and of lists the elements of any fold are kept.
    """
    result: dict[str, Any] = {}
    for name in dict.fromkeys(name for each in scores for name in each):
        values = [each[name] for each in scores if each.get(name) is not None]
        if not values:
            result[name] = None
        elif name in _COUNTS:
            result[name] = _summed(values)
        elif isinstance(values[0], Mapping):
            result[name] = average_scores(values)
        elif isinstance(values[0], list):
            result[name] = sorted(set().union(*values))
        elif isinstance(values[0], str):
            result[name] = values[0]
        else:
            result[name] = float(np.mean(values))
    return result


def _summed(values: Sequence[Any]) -> Any:
    if isinstance(values[0], Mapping):
        return {name: sum(value[name] for value in values) for name in values[0]}
    return sum(values)


def _ensemble(
    experiment: Experiment,
    predicted: Mapping[tuple[int, int], HeldOutPredictions],
    candidates: Sequence[int],
    best: NDArray[np.float64],
    ratio: float,
) -> dict[str, Any]:
    """Select an ensemble on all folds, and score the selection fold by fold without the fold itself.

    best: The objective of the best candidate on each fold.
    """
    numbers, most = range(len(best)), experiment.settings.config.stage_c.ensemble
    by_fold = {n: {c: predicted[c, n] for c in candidates} for n in numbers}
    objective, error = map(np.array, score_selection(experiment, by_fold, most))
    return {
        "picks": select_ensemble(by_fold, numbers, most),
        "objective": summarise_folds(objective, ratio),
        "calibration_error": summarise_folds(error, ratio),
        "against_best": compare_folds(best, objective, ratio),
    }
