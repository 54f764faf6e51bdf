"""The command `stage-c-baseline`: score the bag of words on the folds."""

from argparse import Namespace

from lib.cli.command import Command
from lib.cli.common import agent_path, load_experiment


def cross_validate(options: Namespace) -> None:
    """Score the baseline on the folds."""
    from lib.evaluation.baselines import cross_validate_baseline

    result = cross_validate_baseline(load_experiment(options))
    result.write(agent_path(options, "stage_c/baseline.json"))


COMMAND = Command("stage-c-baseline", "Score the baseline on the folds.", cross_validate, agent=True)
