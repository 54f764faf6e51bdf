"""The command `stage-c-fold`, which trains and scores one candidate on one fold."""

from argparse import ArgumentParser, Namespace

from lib.cli.command import Command, echo
from lib.cli.experiments import training_experiment
from lib.cli.paths import agent_path


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("--candidate", type=int, required=True, help="number of the candidate in candidates.json")
    parser.add_argument("--fold", type=int, required=True, help="number of the fold over all repeats, from 0")


def score_one_fold(options: Namespace) -> None:
    """Train one candidate without one fold and score it on that fold."""
    from lib.schemas.search import Candidates

    chosen = Candidates.read(agent_path(options, f"stage_c/{Candidates.FILE}"))
    with training_experiment(options) as experiment:
        from lib.evaluation.cross_validation import score_fold
        from lib.metrics.formatting import format_count

        result = score_fold(experiment, chosen, options.candidate, options.fold)
        result.write(agent_path(options, f"stage_c/{options.candidate}-{options.fold}.json"))
    score, error = (f"{result.scores[name]:.3f}" for name in ("objective", "calibration_error"))
    echo(
        f"stage_c {options.agent}  candidate {options.candidate}  {result.split}"
        f"  {experiment.objective.describe(score, error)}"
        f"  {format_count(result.epochs, 'epoch')}  {result.performance['seconds']:.1f} s"
    )


COMMAND = Command(
    "stage-c-fold", "Train and score one candidate on one fold.", score_one_fold, add_arguments, agent=True
)
