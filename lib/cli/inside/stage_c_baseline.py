"""The command `stage-c-baseline`, which scores the TF-IDF baseline on the folds."""

from argparse import Namespace

from lib.cli.command import Command
from lib.cli.experiments import load_experiment
from lib.cli.paths import agent_path


def cross_validate_bag_of_words(options: Namespace) -> None:
    """Score the TF-IDF baseline on the folds of Stage C."""
    from lib.evaluation.baselines import cross_validate_baseline

    result = cross_validate_baseline(load_experiment(options))
    result.write(agent_path(options, f"stage_c/{result.FILE}"))


COMMAND = Command(
    "stage-c-baseline", "Score the TF-IDF baseline on the folds of Stage C.", cross_validate_bag_of_words, agent=True
)
