"""The command `stage-c-fold`, which trains and scores one candidate on one fold."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from lib.cli.command import Command, echo
from lib.cli.experiments import agent_search, training_experiment
from lib.cli.paths import agent_path, read_race


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("--candidate", type=int, required=True, help="number of the candidate in candidates.json")
    parser.add_argument("--fold", type=int, required=True, help="number of the fold over all repeats, from 0")


def score_one_fold(options: Namespace) -> None:
    """Train one candidate without one fold and score it on that fold, unless it was given up before."""
    from lib.schemas.search import Candidates

    if _was_given_up(options):
        _give_up(options, "it is out of the race")
        return
    chosen = Candidates.read(agent_path(options, f"stage_c/{Candidates.FILE}"))
    with training_experiment(options) as experiment:
        from lib.evaluation.cross_validation import score_fold
        from lib.metrics.formatting import format_count
        from lib.training.data import DoesNotFitError, TrainingFailure

        try:
            result = score_fold(experiment, chosen, options.candidate, options.fold)
        except DoesNotFitError:
            raise
        except TrainingFailure as failure:
            # It would fail again, and must not keep the other candidates from being compared.
            _give_up(options, str(failure))
            return
        result.write(_path(options))
    score, error = (f"{result.scores[name]:.3f}" for name in ("objective", "calibration_error"))
    echo(
        f"stage_c {options.agent}  candidate {options.candidate}  {result.split}"
        f"  {experiment.objective.describe(score, error)}"
        f"  {format_count(result.epochs, 'epoch')}  {result.performance['seconds']:.1f} s"
    )


def _was_given_up(options: Namespace) -> bool:
    """Return whether the candidate is out of the race."""
    limits = agent_search(options).settings.config.stage_c
    repeat = options.fold // limits.folds
    return bool(limits.racing and repeat) and options.candidate not in read_race(options, repeat).candidates


def _give_up(options: Namespace, reason: str) -> None:
    """Write a file that says why there is no result."""
    from lib.schemas.document import now
    from lib.schemas.evaluation import GivenUpFold

    given_up = GivenUpFold(
        provenance=agent_search(options).provenance(now()),
        agent=options.agent,
        candidate=options.candidate,
        fold=options.fold,
        reason=reason,
    )
    given_up.write(_path(options))
    echo(f"stage_c {options.agent}  candidate {options.candidate}  is given up at fold {options.fold}: {reason}")


def _path(options: Namespace) -> Path:
    return agent_path(options, f"stage_c/{options.candidate}-{options.fold}.json")


COMMAND = Command(
    "stage-c-fold", "Train and score one candidate on one fold.", score_one_fold, add_arguments, agent=True
)
