"""The validated corpus on disk: parquet tables, a manifest, a report."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pandas as pd

from lib.corpus.reading import Corpus
from lib.corpus.splits import split_posts
from lib.errors import UserError
from lib.files.atomic import replacing
from lib.files.documents import Document
from lib.files.hashing import derive_seed


class CorpusManifest(Document):
    """What the corpus folder holds."""

    KIND: ClassVar[str] = "corpus"

    generated: bool
    corpus_hash: str
    posts: dict[str, int]
    annotations: dict[str, int]
    positives: dict[str, int]
    criteria: dict[str, str]
    oddities: dict[str, list[str]]


@dataclass(frozen=True)
class Development:
    """All that a search may touch. Nothing of the test set is in here."""

    posts: pd.DataFrame
    annotations: pd.DataFrame
    criteria: dict[str, str]
    corpus_hash: str

    @property
    def post_ids(self) -> list[str]:
        """Post ids in the corpus' order."""
        return list(self.posts["post_id"])


def part_of_posts(corpus: Corpus, test_fraction: float, seed: int) -> pd.DataFrame:
    """Assign each post to 'development' or 'test', fixed by the corpus' content and the seed."""
    ids = list(corpus.posts["post_id"])
    shares = [1 - test_fraction, test_fraction]
    parts = split_posts(corpus.annotations, ids, shares, derive_seed(seed, corpus.hash(), "test"))
    return pd.DataFrame({"post_id": ids, "part": [("development", "test")[part] for part in parts]})


def save_tables(corpus: Corpus, parts: pd.DataFrame, folder: Path) -> None:
    """Write posts.parquet, annotations.parquet and splits.parquet."""
    typed = corpus.annotations.astype({"row": "int64", "status": "int8", "start": "int64", "end": "int64"})
    for name, table in (("posts", corpus.posts), ("annotations", typed), ("splits", parts)):
        with replacing(folder / f"{name}.parquet") as temporary:
            table.to_parquet(temporary, index=False)


def load_development(folder: Path) -> Development:
    """Load the development set. Raises UserError if the tables and the manifest do not belong together."""
    manifest = CorpusManifest.read(folder / "corpus.json")
    try:
        tables = {n: pd.read_parquet(folder / f"{n}.parquet") for n in ("posts", "annotations", "splits")}
    except (OSError, ValueError) as error:
        raise UserError(f"{folder}: cannot be read ({error}); remove it to have it made anew") from None
    check_disjoint(tables["splits"])
    if Corpus(tables["posts"], tables["annotations"], manifest.criteria).hash() != manifest.corpus_hash:
        raise UserError(f"{folder}: the tables are not those of corpus.json; remove it to have it made anew")
    ids = set(tables["splits"].query("part == 'development'")["post_id"])
    return Development(
        posts=tables["posts"][tables["posts"]["post_id"].isin(ids)].reset_index(drop=True),
        annotations=tables["annotations"][tables["annotations"]["post_id"].isin(ids)].reset_index(drop=True),
        criteria=manifest.criteria,
        corpus_hash=manifest.corpus_hash,
    )


def check_disjoint(splits: pd.DataFrame) -> None:
    """Raise UserError if a post is in two parts: every number computed from such a split would be wrong."""
    twice = splits["post_id"][splits["post_id"].duplicated()]
    if len(twice):
        raise UserError(f"splits.parquet: post '{twice.iloc[0]}' is in two parts; remove results/corpus")
