"""What several commands begin with: paths, and what is read from them."""

import sys
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from lib.files.documents import Provenance, provenance
from lib.settings.load import Settings, read_settings

if TYPE_CHECKING:
    from lib.corpus.store import Development
    from lib.search.documents import FoldResult
    from lib.search.experiment import Experiment
    from lib.search.results import Search


def folds_of(options: Namespace, settings: Settings) -> "list[FoldResult]":
    """Read the folds of all candidates."""
    from lib.search.documents import FoldResult

    limits = settings.config.stage_c
    return [
        FoldResult.read(inside(options, f"stage_c/{candidate}-{fold}.json"))
        for candidate in range(limits.candidates)
        for fold in range(limits.folds * limits.repeats)
    ]


def inside(options: Namespace, name: str) -> Path:
    """Return the path of one of the agent's results."""
    path: Path = options.results / options.agent / name
    return path


def search_of(options: Namespace) -> "Search":
    """Return the agent's search, without torch."""
    from lib.search.results import Search

    return Search(read_settings(options.settings), options.agent, options.results)


def experiment_of(options: Namespace) -> "Experiment":
    """Return the agent's experiment, in a process that is about to train."""
    from lib.search.experiment import Experiment
    from lib.training.process import keep_freed_memory

    keep_freed_memory()
    return Experiment(read_settings(options.settings), options.agent, options.results)


def development_of(options: Namespace) -> "Development":
    """Read the development set."""
    from lib.corpus.store import load_development

    return load_development(options.results / "corpus")


def provenance_of(config: Settings, corpus_hash: str, started: str) -> Provenance:
    """Return the provenance of what needs no device."""
    return provenance(
        config_hash=config.digest(), corpus_hash=corpus_hash, seed=config.config.seed, device="cpu", started=started
    )


def say(text: str) -> None:
    """Say a line to who started the command."""
    print(text, file=sys.stderr, flush=True)
