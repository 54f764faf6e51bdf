"""The validated corpus on disk: parquet tables, a manifest, a report."""

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from lib.corpus.manifest import CorpusManifest
from lib.corpus.reader import Corpus
from lib.corpus.stratify import normalise_text, split_posts
from lib.errors import UserError
from lib.files.atomic import replacing
from lib.files.hashing import derive_seed
from lib.schemas.evaluation import TestOpening


@dataclass(frozen=True)
class Part:
    """A part of the corpus."""

    posts: pd.DataFrame
    annotations: pd.DataFrame
    criteria: dict[str, str]
    corpus_hash: str

    @cached_property
    def texts(self) -> dict[str, str]:
        """Post ids, in the corpus' order, to texts."""
        return dict(zip(self.posts["post_id"], self.posts["text"], strict=True))


class Development(Part):
    """All that a search may touch. Nothing of the test set is in here."""


def part_of_posts(corpus: Corpus, test_fraction: float, seed: int) -> pd.DataFrame:
    """Assign each post to 'development' or 'test', fixed by the corpus' content and the seed."""
    texts = dict(zip(corpus.posts["post_id"], corpus.posts["text"], strict=True))
    shares = [1 - test_fraction, test_fraction]
    parts = split_posts(corpus.annotations, texts, shares, derive_seed(seed, corpus.hash(), "test"))
    return pd.DataFrame({"post_id": list(parts), "part": [("development", "test")[part] for part in parts.values()]})


def save_tables(corpus: Corpus, parts: pd.DataFrame, folder: Path) -> None:
    """Write posts.parquet, annotations.parquet and splits.parquet."""
    typed = corpus.annotations.astype({"row": "int64", "status": "int8", "start": "int64", "end": "int64"})
    for name, table in (("posts", corpus.posts), ("annotations", typed), ("splits", parts)):
        with replacing(folder / f"{name}.parquet") as temporary:
            table.to_parquet(temporary, index=False)


def load_development(folder: Path) -> Development:
    """Load the development set. Raises UserError if the tables and the manifest do not belong together."""
    return Development(**_part(folder, "development"))


def open_test(folder: Path, ledger: Path, opening: TestOpening) -> tuple[Part, list[TestOpening]]:
    """Open the test set, and say so in the ledger first. Returns it, and every opening until now with this one.

    Only the final model's rule does this. The ledger is no output of the graph: no run removes it.
    """
    earlier = (
        [TestOpening.model_validate_json(line) for line in ledger.read_text().splitlines()] if ledger.exists() else []
    )
    with ledger.open("a", encoding="utf-8") as file:
        file.write(opening.model_dump_json() + "\n")
        file.flush()
        os.fsync(file.fileno())
    return Part(**_part(folder, "test")), [*earlier, opening]


def _part(folder: Path, name: str) -> dict[str, Any]:
    manifest = CorpusManifest.read(folder / "corpus.json")
    try:
        tables = {n: pd.read_parquet(folder / f"{n}.parquet") for n in ("posts", "annotations", "splits")}
    except (OSError, ValueError) as error:
        raise UserError(f"{folder}: cannot be read ({error}); remove it to have it made anew") from None
    check_disjoint(tables["splits"].merge(tables["posts"], on="post_id"))
    if Corpus(tables["posts"], tables["annotations"], manifest.criteria).hash() != manifest.corpus_hash:
        raise UserError(f"{folder}: the tables are not those of corpus.json; remove it to have it made anew")
    ids = set(tables["splits"]["post_id"][tables["splits"]["part"] == name])
    return {
        "posts": tables["posts"][tables["posts"]["post_id"].isin(ids)].reset_index(drop=True),
        "annotations": tables["annotations"][tables["annotations"]["post_id"].isin(ids)].reset_index(drop=True),
        "criteria": manifest.criteria,
        "corpus_hash": manifest.corpus_hash,
    }


def check_disjoint(posts: pd.DataFrame) -> None:
    """Raise UserError if a post is in two parts: every number computed from such a split would be wrong.

    posts: post_id, text, part. A post of the same text under another id is the same post.
    """
    for key in (posts["post_id"], posts["text"].map(normalise_text)):
        leaks = posts["post_id"][posts.groupby(key)["part"].transform("nunique") > 1]
        if len(leaks):
            raise UserError(f"splits.parquet: post '{leaks.iloc[0]}' is in two parts; remove results/corpus")
