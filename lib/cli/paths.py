"""Find and read an agent's result files, whose place the arguments of a command give."""

from argparse import Namespace
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lib.settings.load import Settings

if TYPE_CHECKING:
    from lib.schemas.evaluation import FoldResult, Race


def agent_path(options: Namespace, name: str) -> Path:
    """Return the path of one of the agent's results.

    Args:
        options: Arguments of the command; agent and results are used.
        name: Path relative to the agent's folder.

    Returns:
        The path; the file need not exist.
    """
    path: Path = options.results / options.agent / name
    return path


def read_folds(options: Namespace, settings: Settings) -> "list[FoldResult]":
    """Read the folds of all candidates.

    Args:
        options: Arguments of the command; agent and results are used.
        settings: Gives the numbers of candidates and folds.

    Returns:
        All folds of the first candidate, then those of the next ones. Those of candidates that were given up are
        missing.

    Raises:
        UserError: A fold's file is missing or broken.
    """
    limits = settings.config.stage_c
    return read_results(options, range(limits.candidates), range(limits.folds * limits.repeats))


def read_results(options: Namespace, candidates: Iterable[int], folds: Sequence[int]) -> "list[FoldResult]":
    """Read the results of some candidates on some folds; those of candidates that were given up are missing.

    Raises:
        UserError: A fold's file is missing or broken.
    """
    from lib.schemas.evaluation import read_fold

    paths = [agent_path(options, f"stage_c/{candidate}-{fold}.json") for candidate in candidates for fold in folds]
    return [result for result in map(read_fold, paths) if result is not None]


def read_race(options: Namespace, repeat: int) -> "Race":
    """Read which candidates are in the race after a repeat, counted from 1."""
    from lib.schemas.evaluation import Race

    return Race.read(agent_path(options, f"stage_c/race_{repeat}.json"))
