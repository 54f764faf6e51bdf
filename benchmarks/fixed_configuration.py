"""Train the criteria agent on a corpus with a fixed configuration of MiniLM, and score it on the test set.

It shows what a corpus gives without a search, in an hour on two CPU cores. Of the poolings `mean` and `pair` it takes
the one with the higher average precision on the first held-out fold. The rules come from cross-validation, as those
of every final model.
"""

import argparse
from contextlib import chdir
from pathlib import Path
from typing import Any

from common import NATURAL, benchmark_experiment, prepare_project

from lib.corpus.store import open_test_set
from lib.evaluation.cross_validation import score_fold
from lib.evaluation.refit import refit, refit_config
from lib.evaluation.saved_model import SavedModel
from lib.evaluation.test_set import score_bag_of_words, score_saved_model
from lib.experiment.experiment import Experiment
from lib.schemas.document import code_version, now
from lib.schemas.evaluation import FoldResult, TestOpening
from lib.schemas.search import Candidate, Candidates

POINT = NATURAL | {"head.layers": 1, "head.activation": "gelu"}
POOLINGS = ("mean", "pair")
SCORES = ("f1_macro", "f1_micro", "precision", "sensitivity", "average_precision", "ece", "f1_yes_no")


def format_scores(scores: dict[str, Any]) -> str:
    """Return the scores `SCORES` as text."""
    return "  ".join(f"{name} {'–' if scores[name] is None else format(scores[name], '.3f')}" for name in SCORES)


def print_fold(fold: FoldResult) -> None:
    """Print the scores of a fold, which are those at natural prevalence."""
    pooling = fold.params["model.pooling"]
    print(f"{pooling:5} {fold.split}, natural prevalence  {format_scores(fold.scores)}", flush=True)


def cross_validate(experiment: Experiment, chosen: Candidates) -> list[FoldResult]:
    """Score all poolings on the first fold, and the better one on the others.

    Args:
        experiment: Trains the models.
        chosen: A candidate for each pooling.

    Returns:
        The folds of the better pooling.
    """
    first = [score_fold(experiment, chosen, candidate.number, 0) for candidate in chosen.candidates]
    for fold in first:
        print_fold(fold)
    best = max(first, key=lambda fold: fold.scores["average_precision"])
    folds = [best]
    for number in range(1, experiment.settings.config.stage_c.folds):
        folds.append(score_fold(experiment, chosen, best.candidate, number))
        print_fold(folds[-1])
    return folds


def test(experiment: Experiment, model: SavedModel) -> None:
    """Open the test set, and print the scores of the model and of the bag of words at each level.

    Args:
        experiment: Gives the corpus and the agent.
        model: The refitted model.
    """
    opening = TestOpening(
        when=now(), code_version=code_version(), config_hash=experiment.settings.config_hash(), model="without search"
    )
    corpus = experiment.results / "corpus"
    part, _ = open_test_set(corpus, experiment.results / experiment.agent.name / "test_openings.jsonl", opening)
    examples = experiment.agent.examples(part).scored()
    found = {"model": score_saved_model(model, examples), "bag of words": score_bag_of_words(experiment, examples)}
    for name, scores in found.items():
        print(f"test set, {name}, natural prevalence  {format_scores(scores)}")
        print(f"test set, {name}, by (post, criterion)  {format_scores(scores['post_criterion'])}")
        print(f"test set, {name}, annotated pairs  {format_scores(scores['annotated'])}")


def main() -> None:
    """Parse the arguments, train and test."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where runs are kept, so that a measurement can be continued")
    parser.add_argument("corpus", type=Path, help="folder of a corpus")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--folds", type=int, default=2)
    options = parser.parse_args()
    config, corpus = Path("config").resolve(), options.corpus.resolve()
    options.folder.mkdir(parents=True, exist_ok=True)
    with chdir(options.folder):
        if not Path("config").exists():
            Path("config").symlink_to(config)
            limits = {"epochs": options.epochs, "folds": options.folds, "repeats": 1}
            prepare_project(str(corpus), agents=["criteria"], stage_c=limits)
        experiment = benchmark_experiment("criteria")
        chosen = Candidates(
            provenance=experiment.provenance(now()),
            agent="criteria",
            objective=experiment.objective.name,
            calibration=experiment.objective.full_calibration_name,
            candidates=[
                Candidate(
                    number=number,
                    trial=number,
                    rank=0,
                    params=POINT | {"model.pooling": pooling},
                    objective=0.0,
                    calibration_error=0.0,
                )
                for number, pooling in enumerate(POOLINGS)
            ],
        )
        test(experiment, refit(experiment, refit_config(experiment, cross_validate(experiment, chosen))))


if __name__ == "__main__":
    main()
