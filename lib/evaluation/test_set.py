"""Score the chosen model once on the test set, and compare it with the average of the best and the baselines."""

import time
from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray

from lib.agents.agent import Agent, Predictions
from lib.corpus.store import open_test
from lib.evaluation.baselines import BAG_OF_WORDS, DEFAULT, MAJORITY, predict_bag_of_words, predict_majority
from lib.evaluation.refit import RefitConfig, refit, refit_config
from lib.evaluation.saved_model import SavedModel
from lib.experiment.experiment import Experiment
from lib.files.hashing import derive_seed
from lib.metrics.resampling import ScoreFromStatistics, bootstrap, holm, paired_comparison, sum_by_post
from lib.schemas.document import code_version, now
from lib.schemas.evaluation import (
    Baselines,
    FoldResult,
    ModelScores,
    PairedComparison,
    StageC,
    TestEvaluation,
    TestOpening,
    format_interval,
)
from lib.tasks.examples import Examples

CHOSEN = "chosen"
# Targets: least relative gain in F1-macro over the strongest baseline, in %, and greatest ECE.
GAIN_PERCENT, ECE = 2.0, 0.10


def evaluate_on_test_set(
    experiment: Experiment, result: StageC, folds: Sequence[FoldResult], baselines: Baselines
) -> tuple[SavedModel, TestEvaluation]:
    """Refit the chosen candidate, the best few and the default transformer, then open the test set once.

    All transformers are trained and calibrated before the test set is opened. The bag of words is fitted later, but
    on the development set alone. The opening is recorded in test_openings.jsonl.

    Args:
        experiment: Trains the models.
        result: The ranking and the choice of Stage C.
        folds: Results of all candidates on all folds.
        baselines: Gives the default transformer's hyper-parameters and epochs.

    Returns:
        The chosen model, and the scores of all models with 95 % intervals and paired comparisons.

    Raises:
        TrainingFailure: A refit gives no result.
    """
    started, clock = now(), time.perf_counter()
    models = _refit_models(experiment, result, folds, baselines)
    opening = TestOpening(
        when=now(),
        code_version=code_version(),
        config_hash=experiment.settings.digest(),
        model=f"candidate {result.choice['candidate']}",
    )
    results = experiment.results
    part, openings = open_test(results / "corpus", results / experiment.agent.name / "test_openings.jsonl", opening)
    examples = experiment.agent.examples(
        part, unannotated=experiment.settings.config.corpus.unannotated, seed=experiment.settings.config.seed
    )
    predictions = _predict_test_set(experiment, result, models, examples)
    scored, against = _compare_models(experiment, predictions, examples)
    return models[result.choice["candidate"]], TestEvaluation(
        provenance=experiment.provenance(started),
        agent=experiment.agent.name,
        chosen={
            "candidate": result.choice["candidate"],
            "backbone": result.choice["params"]["model.backbone"],
            "average_of": result.ensemble["members"],
        },
        sizes={"posts": len(part.posts), "examples": len(examples), "positives": int(examples.label.sum())},
        examples=examples.ids,
        truth=[bool(label) for label in examples.label],
        criteria=examples.criterion,
        models=scored,
        against=against,
        targets=check_targets(scored[0], against),
        openings=openings,
        performance={"seconds": round(time.perf_counter() - clock, 1)},
    )


def check_targets(chosen: ModelScores, against: Sequence[PairedComparison]) -> dict[str, bool]:
    """Return which reference targets the chosen model meets.

    Args:
        chosen: The chosen model's scores.
        against: Its comparisons with the other models; the gain over every baseline must reach the target.

    Returns:
        Whether the target is met, by its description.
    """
    gains = [
        comparison.gain_percent for comparison in against if comparison.other in (MAJORITY, BAG_OF_WORDS, DEFAULT)
    ]
    return {
        f"F1-macro at least {GAIN_PERCENT:g} % above the strongest baseline": all(
            gain is None or gain >= GAIN_PERCENT for gain in gains
        ),
        f"ECE below {ECE:.2f}": chosen.ece["value"] < ECE,
    }


def _refit_models(
    experiment: Experiment, result: StageC, folds: Sequence[FoldResult], baselines: Baselines
) -> dict[int | str, SavedModel]:
    """Return the refitted candidates by number, and the default transformer."""
    wanted = dict.fromkeys([result.choice["candidate"], *result.ensemble["members"]])
    models: dict[int | str, SavedModel] = {}
    for number in wanted:
        config = refit_config(experiment, [fold for fold in folds if fold.candidate == number])
        models[number] = refit(experiment, config)
    untuned = RefitConfig(
        params=baselines.params,
        epochs=baselines.epochs,
        until=baselines.epochs,
        temperatures={task.name: 1.0 for task in experiment.agent.tasks},
    )
    return {**models, DEFAULT: refit(experiment, untuned)}


def _predict_test_set(
    experiment: Experiment, result: StageC, models: dict[int | str, SavedModel], examples: Examples
) -> dict[str, Predictions]:
    """Return every model's predictions for the test set, those of the chosen model first."""
    agent = experiment.agent
    known, index = experiment.examples, np.arange(len(experiment.examples))
    wanted = np.arange(len(examples))
    given = {number: model.predict(examples) for number, model in models.items()}
    members = result.ensemble["members"]
    return {
        CHOSEN: given[result.choice["candidate"]],
        f"average of the best {len(members)}": agent.average([given[number] for number in members]),
        DEFAULT: given[DEFAULT],
        BAG_OF_WORDS: predict_bag_of_words(agent, known, index, examples, wanted, experiment.settings.config.tfidf),
        MAJORITY: predict_majority(agent, known, index, examples, wanted),
    }


def _compare_models(
    experiment: Experiment, predictions: dict[str, Predictions], examples: Examples
) -> tuple[list[ModelScores], list[PairedComparison]]:
    agent, index = experiment.agent, np.arange(len(examples))
    seed = derive_seed(experiment.settings.config.seed, "test intervals")
    scores = {name: agent.scores(given, examples, index) for name, given in predictions.items()}
    statistics: dict[str, NDArray[np.float64]] = {}
    summed: dict[str, NDArray[np.float64]] = {}
    models = []
    for name, given in predictions.items():
        statistics[name], score = agent.sufficient_statistics(given, examples, index)
        summed[name] = sum_by_post(statistics[name], examples.post_id)
        f1, ece = (asdict(each) for each in bootstrap(summed[name], score, seed))
        models.append(ModelScores(name=name, f1_macro=f1, ece=ece, scores=scores[name], answers=agent.dump(given)))
    against = []
    for name in list(predictions)[1:]:
        f1, ece = (asdict(difference) for difference in paired_comparison(summed[CHOSEN], summed[name], score, seed))
        against.append(
            PairedComparison(
                other=name,
                f1_macro=f1,
                ece=ece,
                gain_percent=_percent(f1["value"], scores[name]["f1_macro"]),
                per_criterion=_per_criterion(statistics[CHOSEN], statistics[name], examples, score, seed),
            )
        )
    return models, against


def _percent(difference: float, of: float) -> float | None:
    return 100 * difference / of if of > 0 else None


def _per_criterion(
    chosen: NDArray[np.float64],
    other: NDArray[np.float64],
    examples: Examples,
    score: ScoreFromStatistics,
    seed: int,
) -> dict[str, dict[str, float]]:
    """Compare the F1-macro of two models separately on the examples of each criterion."""
    criterion, post = np.array(examples.criterion), np.array(examples.post_id)
    found = {}
    for name in sorted(set(examples.criterion)):
        own = criterion == name
        first, second = (sum_by_post(statistics[own], post[own].tolist()) for statistics in (chosen, other))
        found[name] = asdict(paired_comparison(first, second, score, seed)[0])
    for difference, p in zip(found.values(), holm([each["p"] for each in found.values()]), strict=True):
        difference["p_holm"] = p
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
        f"final {agent.name}: test F1-macro {format_interval(chosen.f1_macro)},"
        f" ECE {chosen.ece['value']:.3f}; {strongest.name} {strongest.f1_macro['value']:.3f}"
        f" (p {comparison.f1_macro['p']:.3f}); the test set was opened {len(test.openings)} time(s)"
    )
