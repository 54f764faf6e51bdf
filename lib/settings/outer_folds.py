"""Where the searches of the outer folds of nested cross-validation are kept: results/outer-1, results/outer-2, …"""

import re
from pathlib import Path

from lib.settings.config import Config


def search_folders(config: Config, results: Path) -> list[Path]:
    """Return the folders of all searches, which are that of the main search and those of the outer folds.

    Args:
        config: The configuration.
        results: Folder of all results, or that of an outer fold, which has one search.
    """
    if outer_fold(results) is not None:
        return [results]
    return [results, *(results / f"outer-{fold}" for fold in range(1, (config.outer_folds or 0) + 1))]


def outer_fold(results: Path) -> int | None:
    """Return the number of the outer fold whose folder this is; None for that of the main search."""
    found = re.fullmatch(r"outer-(\d+)", results.resolve().name)
    return None if found is None else int(found[1])


def outer_prefix(results: Path) -> str:
    """Return what the names of an outer fold's studies begin with; '' for those of the main search."""
    number = outer_fold(results)
    return "" if number is None else f"outer-{number}/"
