"""The command `baseline`, which scores the baselines that a search must beat."""

from argparse import Namespace

from lib.cli.command import Command, echo
from lib.cli.experiments import training_experiment
from lib.cli.paths import agent_path


def score_all_baselines(options: Namespace) -> None:
    """Score the baselines on the development splits."""
    with training_experiment(options) as experiment:
        from lib.evaluation.baselines import score_baselines

        found = score_baselines(experiment)
        found.write(agent_path(options, found.FILE))
    each = "; ".join(f"{e.name} {e.objective:.3f} and {e.calibration_error:.3f}" for e in found.entries)
    echo(f"baseline {options.agent}, {experiment.objective.both_names}: {each}")


COMMAND = Command("baseline", "Score the baselines on the development splits.", score_all_baselines, agent=True)
