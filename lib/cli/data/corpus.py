"""The command `corpus`, which reads, checks, splits and describes the corpus."""

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from lib.cli.command import Command, echo
from lib.errors import UserError
from lib.files.atomic import write_text
from lib.schemas.document import make_provenance, now
from lib.settings.load import read_settings

if TYPE_CHECKING:  # importing pandas takes a second, and --help does not need it
    import pandas as pd

    from lib.corpus.reader import Corpus
    from lib.settings.config import Config


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("--input", type=Path, required=True, help="folder of the corpus")
    parser.add_argument(
        "--outer-fold",
        type=int,
        help="take the development posts only, with this outer fold (from 1) as the test set",
    )


def read_split_corpus(config: "Config", folder: Path, outer_fold: int | None = None) -> "tuple[Corpus, pd.DataFrame]":
    """Read the configured share of a corpus, and split it into development and test set.

    Args:
        config: The configuration.
        folder: Folder of the corpus.
        outer_fold: Number of the outer fold that takes the place of the test set; None for the test set.

    Returns:
        The checked corpus, and the columns post_id and part as `split_off_test_set` returns them.

    Raises:
        UserError: The corpus has problems, or too few groups of posts for its splits.
    """
    from lib.corpus.reader import read_corpus, sample_posts
    from lib.corpus.store import split_off_outer_fold, split_off_test_set
    from lib.experiment.post_splits import check_groups
    from lib.files.hashing import derive_seed

    settings, seed = config.corpus, derive_seed(config.corpus.test_seed, "share of the corpus")
    corpus = sample_posts(read_corpus(settings, folder), settings.share, seed)
    parts = split_off_test_set(corpus, settings.test_fraction, settings.test_seed)
    if outer_fold is not None:
        if config.outer_folds is None or not 1 <= outer_fold <= config.outer_folds:
            raise UserError(f"--outer-fold {outer_fold}: the configuration has outer_folds: {config.outer_folds}")
        corpus, parts = split_off_outer_fold(corpus, parts, outer_fold, config.outer_folds, config.seed)
    check_groups(corpus, parts, config)
    return corpus, parts


def prepare_corpus(options: Namespace) -> None:
    """Check a corpus and write its tables, splits, manifest, report and picture.

    Raises:
        UserError: The corpus has problems, or too few groups of posts for its splits.
    """
    from lib.corpus.data_report import count_annotations, describe_corpus
    from lib.corpus.store import save_tables
    from lib.metrics.formatting import format_groups
    from lib.reporting import figures, svg
    from lib.schemas.corpus import CorpusManifest

    started, settings = now(), read_settings(options.settings)
    corpus = settings.config.corpus
    read, parts = read_split_corpus(settings.config, options.input, options.outer_fold)
    folder: Path = options.results / "corpus"
    generated = corpus.dir is None
    save_tables(read, parts, folder)
    source = "generated" if generated else str(options.input)
    grouping = format_groups(with_authors=corpus.knows_authors)
    description = describe_corpus(read, parts, source=source, generated=generated, grouping=grouping)
    write_text(folder / "report.md", description)
    svg.save_svg(figures.plot_corpus(count_annotations(read, parts)), folder / "report.svg")
    in_parts = read.posts.merge(parts, on="post_id")
    joined = read.annotations.merge(parts, on="post_id")
    CorpusManifest(
        provenance=make_provenance(settings, started=started, corpus_hash=read.hash()),
        generated=generated,
        corpus_hash=read.hash(),
        posts={name: int(n) for name, n in parts["part"].value_counts().items()},
        annotations={name: int(n) for name, n in joined["part"].value_counts().items()},
        positives={name: int(n) for name, n in joined.groupby("part")["status"].sum().items()},
        groups={name: int(n) for name, n in in_parts.groupby("part")["group"].nunique().items()},
        unannotated_means=corpus.unannotated_means,
        excluded_criteria=corpus.excluded_criteria,
        criteria=read.criteria,
        oddities=read.oddities,
    ).write(folder / CorpusManifest.FILE)
    odd = sum(map(len, read.oddities.values()))
    echo(f"corpus: {len(parts)} posts, {len(joined)} annotations, {odd} oddities; see {folder / 'report.md'}")


COMMAND = Command(
    "corpus",
    "Read, check, split and describe the corpus.",
    prepare_corpus,
    add_arguments,
)
