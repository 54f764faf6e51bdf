"""Find and read an agent's result files, whose place the arguments of a command give."""

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from lib.settings.load import Settings

if TYPE_CHECKING:
    from lib.schemas.evaluation import FoldResult


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
        All folds of the first candidate, then those of the next ones.

    Raises:
        UserError: A fold's file is missing or broken.
    """
    from lib.schemas.evaluation import FoldResult

    limits = settings.config.stage_c
    return [
        FoldResult.read(agent_path(options, f"stage_c/{candidate}-{fold}.json"))
        for candidate in range(limits.candidates)
        for fold in range(limits.folds * limits.repeats)
    ]
