"""The tables of the checked corpus on disk, and the two parts of it."""

import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from lib.corpus.reader import ANNOTATION_COLUMNS, Corpus
from lib.corpus.stratify import split_folds, split_posts
from lib.errors import UserError
from lib.files.atomic import replacing
from lib.files.hashing import derive_seed, hash_value
from lib.schemas.corpus import CorpusManifest
from lib.schemas.evaluation import TestOpening


@dataclass(frozen=True)
class CorpusPart:
    """A part of the corpus.

    Attributes:
        posts: With the columns of `Corpus`.
        annotations: With the columns of `Corpus`.
        criteria: Criterion id to text, of the criteria that the whole corpus annotates.
        corpus_hash: Of the whole corpus.
        unannotated_are_negative: Whether pairs without an annotation are negatives. Otherwise they are unknown.
        excluded: Criteria that are left out of the scores.
        unknown: With the columns of `Corpus`.
    """

    posts: pd.DataFrame
    annotations: pd.DataFrame
    criteria: dict[str, str]
    corpus_hash: str
    unannotated_are_negative: bool
    excluded: tuple[str, ...] = ()
    unknown: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=ANNOTATION_COLUMNS))

    @cached_property
    def texts(self) -> dict[str, str]:
        """Post id to text, in the order of the corpus."""
        return dict(zip(self.posts["post_id"], self.posts["text"], strict=True))

    @cached_property
    def fingerprint(self) -> str:
        """The hash of what a training or a score could depend on: posts, groups, places of evidence, and criteria."""
        columns = ["row", "start", "end", "criterion", "status"]
        return hash_value(
            [
                self.posts[["post_id", "group"]].to_numpy().tolist(),
                *(rows[columns].to_numpy().tolist() for rows in (self.annotations, self.unknown)),
                [self.unannotated_are_negative, sorted(self.excluded)],
            ]
        )

    @cached_property
    def groups(self) -> dict[str, int]:
        """Post id to the number of its group, whose posts no split separates, in the order of the corpus."""
        return dict(zip(self.posts["post_id"], self.posts["group"].tolist(), strict=True))

    @cached_property
    def undecided(self) -> set[tuple[str, str]]:
        """The (post, criterion) pairs whose only evidence has annotations that contradict each other."""
        met = self.annotations[self.annotations["status"] == 1]
        tied, positive = (set(zip(rows["post_id"], rows["criterion"], strict=True)) for rows in (self.unknown, met))
        return tied - positive


class DevelopmentSet(CorpusPart):
    """The development set, the only part that a search may use."""


def split_off_test_set(corpus: Corpus, test_fraction: float, seed: int) -> pd.DataFrame:
    """Assign each post to 'development' or 'test', stratified by criterion and status.

    Args:
        corpus: The checked corpus.
        test_fraction: Share of the groups of posts in the test set, in (0, 1).
        seed: With the corpus' content, it fixes the split.

    Returns:
        Columns post_id and part, one row for each post.
    """
    groups = dict(zip(corpus.posts["post_id"], corpus.posts["group"].tolist(), strict=True))
    shares = [1 - test_fraction, test_fraction]
    parts = split_posts(corpus.annotations, groups, shares, derive_seed(seed, corpus.hash(), "test"))
    return pd.DataFrame({"post_id": list(parts), "part": [("development", "test")[part] for part in parts.values()]})


def split_off_outer_fold(
    corpus: Corpus, parts: pd.DataFrame, fold: int, k: int, seed: int
) -> tuple[Corpus, pd.DataFrame]:
    """Return the development posts as a corpus of their own, with one fold of them as its test set.

    Args:
        corpus: The checked corpus.
        parts: The split, as `split_off_test_set` returns it. Posts of the test set are left out.
        fold: Number of the outer fold, from 1.
        k: Number of outer folds.
        seed: Seed of the folds.

    Returns:
        The development posts, and their split in the form of `split_off_test_set`.
    """
    own = corpus.restricted_to(set(parts["post_id"][parts["part"] == "development"]))
    groups = dict(zip(own.posts["post_id"], own.posts["group"].tolist(), strict=True))
    folds = split_folds(own.annotations, groups, k=k, repeat=0, seed=derive_seed(seed, "outer folds"))
    named = ["test" if number == fold - 1 else "development" for number in folds.values()]
    return own, pd.DataFrame({"post_id": list(folds), "part": named})


def save_tables(corpus: Corpus, parts: pd.DataFrame, folder: Path) -> None:
    """Write posts.parquet, annotations.parquet, unknown.parquet and splits.parquet.

    Args:
        corpus: The checked corpus.
        parts: The split, as `split_off_test_set` returns it.
        folder: Where to write them.
    """
    types = {"row": "int64", "status": "int8", "start": "int64", "end": "int64", "score": "float64"}
    rows = {"annotations": corpus.annotations.astype(types), "unknown": corpus.unknown.astype(types)}
    for name, table in {"posts": corpus.posts, **rows, "splits": parts}.items():
        with replacing(folder / f"{name}.parquet") as temporary:
            table.to_parquet(temporary, index=False)


def load_development(folder: Path) -> DevelopmentSet:
    """Load the development set.

    Raises:
        UserError: A file is missing, a post is in two parts, or the tables do not match corpus.json.
    """
    return DevelopmentSet(**_part(folder, "development"))


def open_test_set(folder: Path, ledger: Path, opening: TestOpening) -> tuple[CorpusPart, list[TestOpening]]:
    """Record an opening of the test set in the ledger, and load the test set.

    Only the rule of the final model opens it. The ledger is not an output of the graph, so that no run removes it.

    Args:
        folder: The corpus folder.
        ledger: The JSON Lines file of all openings in this results folder. It is created if it does not exist.
        opening: The line to append.

    Returns:
        The test set, and all openings including this one.

    Raises:
        UserError: A file is missing, a post is in two parts, or the tables do not match corpus.json.
    """
    earlier = (
        [TestOpening.model_validate_json(line) for line in ledger.read_text().splitlines()] if ledger.exists() else []
    )
    with ledger.open("a", encoding="utf-8") as file:
        file.write(opening.model_dump_json() + "\n")
        file.flush()
        os.fsync(file.fileno())
    return CorpusPart(**_part(folder, "test")), [*earlier, opening]


def _part(folder: Path, name: str) -> dict[str, Any]:
    manifest = CorpusManifest.read(folder / CorpusManifest.FILE)
    try:
        tables = {n: pd.read_parquet(folder / f"{n}.parquet") for n in ("posts", "annotations", "unknown", "splits")}
    except (OSError, ValueError) as error:
        raise UserError(f"{folder}: cannot be read ({error}); remove the folder to create it again") from None
    check_disjoint(tables["splits"].merge(tables["posts"], on="post_id"))
    whole = Corpus(tables["posts"], tables["annotations"], manifest.criteria, unknown=tables["unknown"])
    if whole.hash() != manifest.corpus_hash:
        raise UserError(f"{folder}: the tables do not match corpus.json; remove the folder to create it again")
    asked = set(tables["annotations"]["criterion"])
    ids = set(tables["splits"]["post_id"][tables["splits"]["part"] == name])
    own = {n: tables[n][tables[n]["post_id"].isin(ids)] for n in ("posts", "annotations", "unknown")}
    return {
        **{n: table.reset_index(drop=True) for n, table in own.items()},
        "criteria": {name: text for name, text in manifest.criteria.items() if name in asked},
        "corpus_hash": manifest.corpus_hash,
        "unannotated_are_negative": manifest.unannotated_means == "negative",
        "excluded": manifest.excluded_criteria,
    }


def check_disjoint(posts: pd.DataFrame) -> None:
    """Check that no group of posts is in two parts, because scores on such a split would be biased.

    Args:
        posts: Columns post_id, group and part.

    Raises:
        UserError: A post, or a group of posts, is in two parts.
    """
    for key in ("post_id", "group"):
        leaks = posts["post_id"][posts.groupby(key)["part"].transform("nunique") > 1]
        if len(leaks):
            raise UserError(
                f"splits.parquet: post '{leaks.iloc[0]}', or its group, is in two parts; remove results/corpus"
            )
