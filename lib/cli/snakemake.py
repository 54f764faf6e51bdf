"""Run Snakemake with targets allowed after --resources and similar options.

Snakemake's parser takes every word after --resources, --config and similar options as another KEY=VALUE. It therefore
fails on `snakemake --cores 8 --resources gpu=1 TARGET`. Targets contain no '=', so they are moved to the front.
"""

import sys
from collections.abc import Sequence

from lib.devices.garbage import collect_garbage_less_often

PAIRS = {"--resources", "--res", "--config", "-C", "--set-threads", "--set-resources", "--default-resources"}


def targets_first(arguments: Sequence[str]) -> list[str]:
    """Move words without '=' that follow an option of KEY=VALUE pairs to the front."""
    targets: list[str] = []
    rest: list[str] = []
    in_pairs = False
    for position, word in enumerate(arguments):
        if word == "--":
            return [*targets, *rest, *arguments[position:]]
        if word.startswith("-"):
            in_pairs = word in PAIRS
        if in_pairs and not word.startswith("-") and "=" not in word and word != "none":
            targets.append(word)
        else:
            rest.append(word)
    return [*targets, *rest]


def main() -> None:
    """Run Snakemake with the reordered command line."""
    collect_garbage_less_often()
    from snakemake.cli import main as snakemake

    sys.argv[1:] = targets_first(sys.argv[1:])
    snakemake()
