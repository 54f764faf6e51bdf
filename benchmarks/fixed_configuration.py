"""Train the criteria agent on a corpus with a fixed configuration of MiniLM, and score it on the test set.

It shows what a corpus gives without a search, within an hour on two CPU cores with two seeds. The learning rate was
chosen on a held-out half of the development posts of the real comments in docs/performance.md. The rules come from
cross-validation, as those of every final model. With several seeds the model averages its trainings, which are
scored one by one too. A bag of words is scored beside them.
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
from lib.evaluation.test_set import score_bag_of_words, score_model
from lib.experiment.experiment import Experiment
from lib.schemas.document import code_version, now
from lib.schemas.evaluation import FoldResult, TestOpening
from lib.schemas.search import Candidate, Candidates

POINT = NATURAL | {
    "head.layers": 1,
    "head.activation": "gelu",
    "optim.lr": 5e-5,
    "optim.head_lr_factor": 5.0,
}
SCORES = ("f1_macro", "f1_micro", "precision", "sensitivity", "average_precision", "ece", "f1_yes_no")


def format_scores(scores: dict[str, Any]) -> str:
    """Return the scores `SCORES` as text."""
    return "  ".join(f"{name} {'–' if scores[name] is None else format(scores[name], '.3f')}" for name in SCORES)


def cross_validate(experiment: Experiment, chosen: Candidates) -> list[FoldResult]:
    """Score the configuration on each fold, and print its scores at natural prevalence.

    Args:
        experiment: Trains the models.
        chosen: The configuration, as the only candidate.

    Returns:
        The folds.
    """
    folds = []
    for number in range(experiment.settings.config.stage_c.folds):
        folds.append(score_fold(experiment, chosen, 0, number))
        print(f"{folds[-1].split}, natural prevalence  {format_scores(folds[-1].scores)}", flush=True)
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
    found = score_model(experiment, model, examples)
    found["bag of words"] = score_bag_of_words(experiment, examples)
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
    parser.add_argument("--seeds", type=int, default=1, help="number of models, trained with different seeds")
    options = parser.parse_args()
    config, corpus = Path("config").resolve(), options.corpus.resolve()
    options.folder.mkdir(parents=True, exist_ok=True)
    with chdir(options.folder):
        if not Path("config").exists():
            Path("config").symlink_to(config)
            limits = {"folds": options.folds, "repeats": 1}
            prepare_project(str(corpus), agents=["criteria"], training={"epochs": options.epochs}, stage_c=limits)
        experiment = benchmark_experiment("criteria")
        chosen = Candidates(
            provenance=experiment.provenance(now()),
            agent="criteria",
            objective=experiment.objective.name,
            calibration=experiment.objective.full_calibration_name,
            candidates=[
                Candidate(
                    number=0,
                    trial=0,
                    rank=0,
                    params=POINT,
                    epochs=options.epochs,
                    objective=0.0,
                    calibration_error=0.0,
                ),
            ],
        )
        folds = cross_validate(experiment, chosen)
        test(experiment, refit(experiment, refit_config(experiment, folds), options.seeds))


if __name__ == "__main__":
    main()
