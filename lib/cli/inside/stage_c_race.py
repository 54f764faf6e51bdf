"""The command `stage-c-race`, which gives up candidates of Stage C after a repeat."""

from argparse import ArgumentParser, Namespace
from collections import Counter

from lib.cli.command import Command, echo
from lib.cli.experiments import load_experiment
from lib.cli.paths import agent_path, read_race, read_results


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("--repeat", type=int, required=True, help="number of the last finished repeat, from 1")


def write_race(options: Namespace) -> None:
    """Write which candidates stay in the race after a repeat."""
    from lib.evaluation.cross_validation import candidates_in_the_race
    from lib.schemas.document import now
    from lib.schemas.evaluation import Race

    started, experiment = now(), load_experiment(options)
    limits = experiment.settings.config.stage_c
    before = range(limits.candidates) if options.repeat == 1 else read_race(options, options.repeat - 1).candidates
    folds = range(limits.folds * options.repeat)
    results = read_results(options, before, folds)
    # A candidate whose training failed lacks a fold.
    had = Counter(result.candidate for result in results)
    whole = [candidate for candidate in before if had[candidate] == len(folds)]
    stay = candidates_in_the_race(experiment, whole, results) if whole else []
    race = Race(
        provenance=experiment.provenance(started), agent=options.agent, repeat=options.repeat, candidates=stay
    )
    race.write(agent_path(options, f"stage_c/race_{options.repeat}.json"))
    given_up = sorted(set(before) - set(stay))
    echo(
        f"stage_c {options.agent}  repeat {options.repeat}: {len(stay)} candidates stay"
        + (f"; significantly worse or failed: {', '.join(map(str, given_up))}" if given_up else "")
    )


COMMAND = Command(
    "stage-c-race",
    "Give up the candidates of Stage C that are significantly worse after a repeat.",
    write_race,
    add_arguments,
    agent=True,
)
