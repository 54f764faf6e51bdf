"""Score the final model once on the test set, and compare it with the other models and the baselines."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lib.agents.agent import Agent, Logits, Predictions
from lib.corpus.store import open_test_set
from lib.evaluation.baselines import (
    fit_and_predict_fold,
    fit_bag_of_words,
    majority_logits,
)
from lib.evaluation.by_post import (
    SET_SCORES,
    decide_posts,
    fit_post_rule,
    labelled_post_criterion_pairs,
    post_statistics,
    score_posts,
    set_scores_from_statistics,
    set_statistics,
)
from lib.evaluation.refit import (
    FinalRules,
    RefitConfig,
    ensemble_rules,
    fit_final_rules,
    refit,
    refit_config,
    refitted_ensemble,
)
from lib.evaluation.saved_model import SavedModel
from lib.experiment.experiment import Experiment
from lib.files.hashing import derive_seed
from lib.metrics.formatting import format_count, format_interval, format_p, format_times
from lib.metrics.objective import WITHHELD, population_name
from lib.metrics.resampling import (
    Interval,
    ScoreFromStatistics,
    bootstrap,
    bootstrap_ranking,
    holm,
    paired_permutation_test,
    sum_by_group,
)
from lib.schemas.document import code_version, now
from lib.schemas.evaluation import (
    BAG_OF_WORDS,
    BASELINES,
    DEFAULT,
    MAJORITY,
    Baselines,
    FoldResult,
    ModelScores,
    PairedComparison,
    StageCResult,
    TestEvaluation,
    TestOpening,
)
from lib.settings.default_params import default_params
from lib.settings.hyperparameters import Hyperparameters
from lib.tasks.examples import Examples, WeightedSample
from lib.tasks.label import Labels
from lib.tasks.task import Index, TaskPredictions
from lib.training.data import DoesNotFitError, TrainingFailure

CHOSEN, ENSEMBLE = "chosen", "ensemble"
# The least relative gain in F1-macro over the strongest baseline, in %, and the greatest ECE on annotated pairs.
GAIN_PERCENT, ECE = 2.0, 0.10
# The values of scores that are not in [0, 1].
_LIMITS = {"brier_skill": (-math.inf, 1.0), "criteria_predicted": (0.0, math.inf)}
# The statistics of each group, (groups, statistics), and the function that maps sums of them to scores, by criterion.
_ByCriterion = dict[str, tuple[NDArray[np.float64], ScoreFromStatistics]]


def evaluate_on_test_set(
    experiment: Experiment,
    result: StageCResult,
    folds: Sequence[FoldResult],
    baselines: Baselines,
    progress: Callable[[str], None],
) -> tuple[SavedModel, TestEvaluation]:
    """Refit the chosen candidate, the ensemble and the default transformer, then open the test set once.

    All models are trained and calibrated before the test set is opened. The opening is recorded in
    test_openings.jsonl.

    Args:
        experiment: Trains the models.
        result: The ranking and the choice of Stage C.
        folds: Results of all candidates on all folds.
        baselines: Gives the default transformer's hyper-parameters and epochs.
        progress: Called with a phrase after each step that takes long.

    Returns:
        The model to deliver, and the scores of all models with 95 % intervals and paired comparisons. Those of the
        delivered model come first.

    Raises:
        TrainingFailure: A refit gives no result without which no model can be delivered or compared.
    """
    started, clock = now(), time.perf_counter()
    models = _fit_models(experiment, result, folds, baselines, progress)
    opening = TestOpening(
        when=now(),
        code_version=code_version(),
        config_hash=experiment.settings.config_hash(),
        model="ensemble" if models.delivered == ENSEMBLE else f"candidate {models.delivered}",
    )
    results = experiment.results
    part, openings = open_test_set(
        results / "corpus", results / experiment.agent.name / "test_openings.jsonl", opening
    )
    examples = experiment.agent.examples(part).scored()
    outputs, seeds = _predict_test_set(experiment, models, examples)
    natural, annotated = int(examples.natural.sum()), int(examples.annotated.sum())
    progress(
        f"{len(outputs)} models scored on {len(examples)} test pairs"
        f" ({natural} at natural prevalence, {annotated} annotated)"
    )
    asked = [name for name in part.criteria if name not in part.excluded]
    scored, against = _compare_models(experiment, outputs, examples, asked)
    chosen = models.refits[models.delivered]
    return chosen, TestEvaluation(
        provenance=experiment.provenance(started),
        agent=experiment.agent.name,
        chosen={
            "candidate": result.choice["candidate"],
            "backbone": result.choice["params"]["model.backbone"],
            "delivered": experiment.settings.config.final.deliver,
            "ensemble": result.ensemble["picks"] if result.ensemble is not None and ENSEMBLE in models.refits else [],
        },
        population=scored[0].scores["population"],
        sizes={
            "posts": len(set(examples.post_id)),
            "groups": len(np.unique(examples.group)),
            "examples": len(examples),
            "annotated": annotated,
            "natural": natural,
            "positives": int(examples.label[examples.main_population_index()].sum()),
        },
        **_truth(examples),
        models=scored,
        seeds=[_scores(experiment, output, examples) for output in seeds],
        against=against,
        targets=check_targets(scored, against),
        calibration_in_the_large=chosen.manifest.calibration_in_the_large,
        openings=openings,
        performance={"seconds": round(time.perf_counter() - clock, 1)},
    )


def _truth(examples: Examples) -> dict[str, Any]:
    """Return the ids, labels and criteria of the main population, to which the models' predictions belong."""
    index = examples.main_population_index()
    return {
        "examples": [examples.ids[i] for i in index],
        "truth": [bool(label) for label in examples.label[index]],
        "criteria": [examples.criterion[i] for i in index],
    }


def check_targets(models: Sequence[ModelScores], against: Sequence[PairedComparison]) -> dict[str, bool]:
    """Return which reference targets the chosen model meets.

    The targets are a gain in F1-macro over every baseline, and calibration. At natural prevalence the latter is a
    higher Brier skill than every baseline's, because there a model that gives all pairs the prevalence has an ECE
    near 0. On annotated pairs it is a limit of ECE.

    Args:
        models: The scores of all models, those of the chosen one first.
        against: Its comparisons with the other models.

    Returns:
        Whether the target is met, by its description.
    """
    chosen = models[0]
    baselines = {model.name: model for model in models if model.name in BASELINES}
    gains = [comparison.gain_percent for comparison in against if comparison.other in baselines]
    met = {
        f"F1-macro at least {GAIN_PERCENT:g} % above the strongest baseline": all(
            gain is None or gain >= GAIN_PERCENT for gain in gains
        )
    }
    if chosen.scores["population"] == "annotated":
        return {**met, f"ECE below {ECE:.2f}": chosen.ece["value"] < ECE}
    # A test set of one class has no skill.
    own, *others = (model.scores["brier_skill"] for model in (chosen, *baselines.values()))
    return {**met, "Brier skill above every baseline's": own is not None and own > max(others)}


@dataclass(frozen=True)
class _ModelOutput:
    """A model's logits for the test set, and how it decides.

    Attributes:
        logits: Of all test examples that count.
        rules: The rules that turn them into predictions.
        hyper: Gives the null policy.
    """

    logits: Logits
    rules: FinalRules
    hyper: Hyperparameters


@dataclass(frozen=True)
class _Baseline:
    """A baseline without a transformer.

    Attributes:
        logits: Returns the logits of all given examples.
        rules: The rules that turn them into predictions.
    """

    logits: Callable[[Examples], Logits]
    rules: FinalRules


@dataclass(frozen=True)
class _FittedModels:
    """All models that the test set compares.

    Attributes:
        refits: The refitted candidates by number, the ensemble if there is one, and the default transformer.
        choice: The number of the chosen candidate.
        delivered: The key in `refits` of the model that is delivered.
        baselines: The baselines without a transformer, by name.
    """

    refits: dict[int | str, SavedModel]
    choice: int
    delivered: int | str
    baselines: dict[str, _Baseline]


def _fit_models(
    experiment: Experiment,
    result: StageCResult,
    folds: Sequence[FoldResult],
    baselines: Baselines,
    progress: Callable[[str], None],
) -> _FittedModels:
    """Fit all models and their rules on the development set."""
    hyper = Hyperparameters.of(default_params(experiment.settings))
    choice = result.choice["candidate"]
    return _FittedModels(
        refits=_refit_models(experiment, result, folds, baselines, progress),
        choice=choice,
        delivered=ENSEMBLE if experiment.settings.config.final.deliver == "ensemble" else choice,
        baselines={
            BAG_OF_WORDS: _fit_bag_of_words(experiment, hyper),
            MAJORITY: _fit_majority(experiment),
        },
    )


def _refit_models(
    experiment: Experiment,
    result: StageCResult,
    folds: Sequence[FoldResult],
    baselines: Baselines,
    progress: Callable[[str], None],
) -> dict[int | str, SavedModel]:
    """Return the refitted candidates by number, the ensemble if there is one, and the default transformer.

    A candidate that is only needed to compare the ensemble with the model that is delivered may fail.
    """
    optional = set(result.members) - {result.choice["candidate"]}
    if experiment.settings.config.final.deliver == "ensemble":
        optional = set()
    wanted = dict.fromkeys([result.choice["candidate"], *result.members])
    configs: dict[int | str, RefitConfig] = {
        number: refit_config(experiment, [fold for fold in folds if fold.candidate == number]) for number in wanted
    }
    configs[DEFAULT] = RefitConfig(
        params=baselines.params,
        schedule_epochs=baselines.epochs,
        last_epoch=baselines.epochs,
        rules=FinalRules.load(baselines.rules, baselines.post_rule),
    )
    models: dict[int | str, SavedModel] = {}
    for number, config in configs.items():
        clock = time.perf_counter()
        seeds = 1 if number == DEFAULT else experiment.settings.config.final.seeds
        name = number if number == DEFAULT else f"candidate {number}"
        try:
            models[number] = refit(experiment, config, seeds)
        except DoesNotFitError:
            raise
        except TrainingFailure as failure:
            if number not in optional:
                raise
            progress(f"{name} cannot be trained on all development posts, so the ensemble is left out: {failure}")
            continue
        seconds, epochs = time.perf_counter() - clock, format_count(config.last_epoch, "epoch")
        times = f", {seeds} times" if seeds > 1 else ""
        progress(f"{len(models)}/{len(configs)}  {name} trained for {epochs}{times}  {seconds:.1f} s")
        _report_calibration(models[number], name, progress)
    if result.ensemble is not None and models.keys() >= set(result.members):
        picks = result.ensemble["picks"]
        own = [fold for fold in folds if fold.candidate in picks]
        candidates = {number: models[number] for number in result.members}
        models[ENSEMBLE] = refitted_ensemble(experiment, candidates, picks, ensemble_rules(experiment, own, picks))
        _report_calibration(models[ENSEMBLE], ENSEMBLE, progress)
    return models


def _report_calibration(model: SavedModel, name: int | str, progress: Callable[[str], None]) -> None:
    for task, found in model.manifest.calibration_in_the_large.items():
        progress(f"{name}  {task}: {found.sentence(population_name(model.manifest.population))}")


def _fit_bag_of_words(experiment: Experiment, hyper: Hyperparameters) -> _Baseline:
    """Fit the bag of words on the development set, and its rules on the held-out predictions of the first folds."""
    k = experiment.settings.config.stage_c.folds
    folds = [fit_and_predict_fold(experiment, experiment.splits.fold(number, k)) for number in range(k)]
    logits = experiment.agent.concatenate_logits([own for own, _ in folds])
    rules = fit_final_rules(experiment, logits, np.concatenate([part.index for _, part in folds]), hyper)
    model = fit_bag_of_words(experiment, np.arange(len(experiment.examples)))
    return _Baseline(lambda examples: model.logits(examples, np.arange(len(examples))), rules)


def _fit_majority(experiment: Experiment) -> _Baseline:
    """Return a baseline that says no everywhere, with the prevalence of the development set as probability."""
    names = list(experiment.development.criteria)
    rules = experiment.agent.neutral_rules(names)
    post_rule = None
    if not experiment.agent.reads_posts and experiment.development.unannotated_are_negative:
        natural = np.flatnonzero(experiment.examples.natural)
        share = float(experiment.examples.label[natural].mean())
        pairs = labelled_post_criterion_pairs(np.full(len(natural), share), experiment.examples, natural)
        fitted = fit_post_rule(pairs).completed(names)
        post_rule = replace(fitted, threshold=dict.fromkeys(names, 0.0))
    return _Baseline(
        lambda examples: majority_logits(experiment, examples, np.arange(len(examples))), FinalRules(rules, post_rule)
    )


def score_model(experiment: Experiment, model: SavedModel, examples: Examples) -> dict[str, dict[str, Any]]:
    """Score a model and the models that it averages, without intervals.

    Args:
        experiment: Gives the agent.
        model: The model.
        examples: The examples, all of which count.

    Returns:
        The scores of "model" and of "training 1" and so on, as `ModelScores.scores` has them.
    """
    output, members = _predict_with_members(model, examples)
    named = {"model": output} | {f"training {number}": member for number, member in enumerate(members, 1)}
    return {name: _scores(experiment, each, examples) for name, each in named.items()}


def score_bag_of_words(experiment: Experiment, examples: Examples) -> dict[str, Any]:
    """Fit the bag of words on the development set, and score it on other examples at all levels, without intervals.

    Args:
        experiment: Gives development set and settings.
        examples: The examples, all of which count.

    Returns:
        The scores, as `ModelScores.scores` has them.
    """
    hyper = Hyperparameters.of(default_params(experiment.settings))
    fitted = _fit_bag_of_words(experiment, hyper)
    return _scores(experiment, _ModelOutput(fitted.logits(examples), fitted.rules, hyper), examples)


def _scores(experiment: Experiment, output: _ModelOutput, examples: Examples) -> dict[str, Any]:
    scores: dict[str, Any] = _levels(experiment.agent, output, examples)[1]["scores"]
    return scores


def _predict(model: SavedModel, examples: Examples) -> _ModelOutput:
    return _predict_with_members(model, examples)[0]


def _predict_with_members(model: SavedModel, examples: Examples) -> tuple[_ModelOutput, list[_ModelOutput]]:
    """Return the outputs of a model and of each model that it averages; no model predicts twice."""

    def output(of: SavedModel, logits: Logits) -> _ModelOutput:
        return _ModelOutput(logits, FinalRules(of.rules, of.post_rule), of.hyper)

    if not model.members:
        return output(model, model.logits(examples)), []
    members = {member: output(member, member.logits(examples)) for member in dict.fromkeys(model.members)}
    logits = model.average_logits({member: each.logits for member, each in members.items()}, examples)
    return output(model, logits), list(members.values())


def _predict_test_set(
    experiment: Experiment, models: _FittedModels, examples: Examples
) -> tuple[dict[str, _ModelOutput], list[_ModelOutput]]:
    """Return every model's output for the test set, the delivered one's first, and those of the chosen trainings."""
    default = Hyperparameters.of(default_params(experiment.settings))
    single, trainings = _predict_with_members(models.refits[models.choice], examples)
    outputs = {CHOSEN: single}
    if ENSEMBLE in models.refits:
        ensemble = _predict(models.refits[ENSEMBLE], examples)
        if models.delivered == ENSEMBLE:
            outputs = {CHOSEN: ensemble, f"candidate {models.choice} alone": single}
        else:
            outputs[ENSEMBLE] = ensemble
    outputs[DEFAULT] = _predict(models.refits[DEFAULT], examples)
    for name, baseline in models.baselines.items():
        outputs[name] = _ModelOutput(baseline.logits(examples), baseline.rules, default)
    return outputs, trainings


@dataclass(frozen=True)
class _Level:
    """A model's predictions at one level, ready for intervals.

    Attributes:
        summed: (groups, statistics) the statistics of each group of posts.
        score: Maps sums of statistics to scores.
        names: The names of the scores.
        scores: The scores themselves by name; one that is undefined is None and has no interval.
        rankings: The probability of yes, (n,), and the truth, (n,), of each task; none by post.
        groups: (n,) the group of each pair of the rankings.
    """

    summed: NDArray[np.float64]
    score: ScoreFromStatistics
    names: tuple[str, ...]
    scores: dict[str, Any]
    rankings: list[tuple[NDArray[np.float64], NDArray[np.int64]]]
    groups: NDArray[np.int64]


def _levels(
    agent: Agent, output: _ModelOutput, examples: Examples, asked: Sequence[str] = ()
) -> tuple[dict[str, _Level], dict[str, Any]]:
    """Return a model's levels by name, and its scores and predictions.

    Criteria of `asked` that no example is about are counted among those without a positive.
    """
    index = np.arange(len(examples))
    values = agent.rule_values(output.rules.by_task, examples, index)
    scores = agent.scores(output.logits, values, examples, WeightedSample.uniform(index), output.hyper)
    absent = set(asked) - set(examples.criterion)
    for own in (scores, scores["annotated"]):
        own["without_positive"] = sorted({*own["without_positive"], *absent})

    def predict(which: Index, *, annotated: bool) -> Predictions:
        decide = agent.decide_annotated if annotated else agent.decide
        chosen = {name: value.select(which) for name, value in values.items()}
        return decide(agent.select(output.logits, which), chosen, output.hyper)

    known, natural = np.flatnonzero(examples.annotated), np.flatnonzero(examples.natural)
    predictions = predict(known, annotated=True)
    levels = {"annotated": _pair_level(agent, predictions, examples, known, scores["annotated"])}
    if scores["population"] == "annotated":
        return levels, {"scores": scores, "answers": agent.dump(predictions)}
    predictions = predict(natural, annotated=False)
    by_post = _post_levels(predictions[agent.tasks[0].name], output.rules, examples, natural)
    levels = {"natural": _pair_level(agent, predictions, examples, natural, scores), **levels, **by_post}
    scores = {**scores, "post_criterion": by_post["post_criterion"].scores}
    return levels, {"scores": scores, "answers": agent.dump(predictions)}


def _pair_level(
    agent: Agent, predictions: Predictions, examples: Examples, which: Index, scores: dict[str, Any]
) -> _Level:
    """Return the level of all pairs of a population."""
    statistics, score = agent.sufficient_statistics(predictions, examples, WeightedSample.uniform(which))
    groups = examples.group[which]
    rankings = [(predictions[task.name].yes_probability, task.truth(examples, which)) for task in agent.tasks]
    # The mean of two tasks goes before a score of one of them.
    named = {**scores.get("label", {}), **scores.get("span", {}), **scores}
    return _Level(sum_by_group(statistics, groups), score, agent.score_names, named, rankings, groups)


def _post_levels(first: TaskPredictions, rules: FinalRules, examples: Examples, natural: Index) -> dict[str, _Level]:
    """Return the levels by (post, criterion) and by post, from the predictions of an agent's first task."""
    pairs = labelled_post_criterion_pairs(first.yes_probability, examples, natural)
    labels = decide_posts(first, pairs, rules.for_posts)
    scores = score_posts(labels, pairs)
    statistics, score = post_statistics(labels, pairs)
    sets, groups = set_statistics(labels.yes, pairs)
    return {
        "post_criterion": _Level(
            sum_by_group(statistics, pairs.group),
            score,
            Labels.score_names,
            scores,
            [(labels.probability, pairs.label)],
            pairs.group,
        ),
        "post": _Level(
            sum_by_group(sets, groups), set_scores_from_statistics, SET_SCORES, scores["post"], [], groups
        ),
    }


def _compare_models(
    experiment: Experiment, outputs: dict[str, _ModelOutput], examples: Examples, asked: Sequence[str]
) -> tuple[list[ModelScores], list[PairedComparison]]:
    """Score every model at every level, and compare the chosen one with each other one."""
    agent, seed = experiment.agent, derive_seed(experiment.settings.config.seed, "test intervals")
    found = {name: _levels(agent, output, examples, asked) for name, output in outputs.items()}
    by_criterion = {name: _statistics_by_criterion(agent, output, examples) for name, output in outputs.items()}
    models = []
    for name, (levels, scored) in found.items():
        intervals = {place: _intervals(level, seed) for place, level in levels.items()}
        main = intervals[scored["scores"]["population"]]
        models.append(
            ModelScores(
                name=name,
                f1_macro=main["f1_macro"],
                ece=main["ece"],
                intervals=intervals,
                per_criterion={
                    criterion: _clipped("f1_macro", bootstrap(summed, score, seed)[0])
                    for criterion, (summed, score) in by_criterion[name].items()
                },
                **scored,
            )
        )
    population = models[0].scores["population"]
    against = []
    for model in models[1:]:
        first, second = found[CHOSEN][0], found[model.name][0]
        differences = {
            place: [
                asdict(each)
                for each in paired_permutation_test(
                    first[place].summed, second[place].summed, first[place].score, seed
                )
            ]
            for place in first
        }
        f1, ece = differences[population][:2]
        against.append(
            PairedComparison(
                other=model.name,
                f1_macro=f1,
                ece=ece,
                gain_percent=_percent(f1["value"], model.f1_macro["value"]),
                per_criterion=_per_criterion(by_criterion[CHOSEN], by_criterion[model.name], seed),
                levels={place: each[0] for place, each in differences.items()},
            )
        )
    return models, against


def _intervals(level: _Level, seed: int) -> dict[str, dict[str, float]]:
    """Return the scores of a level, and those of its ranking, with their intervals."""
    found = zip(level.names, bootstrap(level.summed, level.score, seed), strict=True)
    intervals = {name: interval for name, interval in found if level.scores[name] is not None}
    if level.rankings and level.scores["auroc"] is not None:
        ranking = bootstrap_ranking(level.rankings, level.groups, seed)
        intervals |= dict(zip(("average_precision", "auroc"), ranking, strict=True))
    return {name: _clipped(name, interval) for name, interval in intervals.items()}


def _clipped(name: str, interval: Interval) -> dict[str, float]:
    """Return an interval within the values that a score can have, which are 0 to 1 for most."""
    low, high = _LIMITS.get(name, (0.0, 1.0))
    return {"value": interval.value, "low": max(low, interval.low), "high": min(high, interval.high)}


def _percent(difference: float, of: float) -> float | None:
    return 100 * difference / of if of > 0 else None


def _per_criterion(first: _ByCriterion, second: _ByCriterion, seed: int) -> dict[str, dict[str, float]]:
    """Compare the F1 of two models separately on the examples of each criterion."""
    found = {
        name: asdict(paired_permutation_test(summed, second[name][0], score, seed)[0])
        for name, (summed, score) in first.items()
    }
    for difference, p in zip(found.values(), holm([each["p"] for each in found.values()]), strict=True):
        difference["p_holm"] = p
    return found


def _statistics_by_criterion(agent: Agent, output: _ModelOutput, examples: Examples) -> _ByCriterion:
    """Return the statistics of each group, (groups, statistics), and their score, by criterion with a positive."""
    criterion, main = np.array(examples.criterion), examples.main_population_index()
    decide = agent.decide if examples.natural.any() else agent.decide_annotated
    found = {}
    for name in sorted(set(examples.criterion)):
        own = main[criterion[main] == name]
        if not examples.label[own].any():
            continue
        values = agent.rule_values(output.rules.by_task, examples, own)
        predictions = decide(agent.select(output.logits, own), values, output.hyper)
        statistics, score = agent.sufficient_statistics(predictions, examples, WeightedSample.uniform(own))
        found[name] = sum_by_group(statistics, examples.group[own]), score
    return found


def format_result(test: TestEvaluation, agent: Agent) -> str:
    """Return a line with the chosen model's scores next to the strongest baseline's.

    Args:
        test: The evaluation on the test set.
        agent: The agent, whose name is shown.

    Returns:
        The line to print.
    """
    chosen, (strongest, comparison) = test.models[0], test.strongest()
    return (
        f"final {agent.name}: test set, {population_name(test.population)}: F1-macro"
        f" {format_interval(chosen.f1_macro)}, ECE {chosen.ece['value']:.3f};"
        f" {strongest.name} F1-macro {strongest.f1_macro['value']:.3f}"
        f" (p {format_p(comparison.f1_macro['p'])}); the test set was opened"
        f" {format_times(len(test.openings))}" + (f". {WITHHELD}" if test.population == "annotated" else "")
    )
