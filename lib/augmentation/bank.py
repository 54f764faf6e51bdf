"""The bank: what each method does to each text, kept as edits; lib.augmentation.making makes it."""

from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from lib.augmentation.edits import Edit
from lib.schemas.document import Document
from lib.validation import FrozenModel


class BankEntry(FrozenModel):
    """What a method did to the texts. Every count is over (text, strength, variant).

    key: of the file in the cache. changed, unchanged: the result. refused: edits left out because they touched a
    reserved term. errors: of the library, by kind. examples: (text, variant), of a generated corpus only.
    """

    key: str
    changed: int
    unchanged: int
    refused: int
    errors: dict[str, int]
    note: str | None
    examples: list[tuple[str, str]]
    performance: dict[str, float]


class BankManifest(Document):
    """The variants of an agent's texts, by method."""

    KIND: ClassVar[str] = "augmentation_bank"

    agent: str
    texts: int
    levels: list[float]
    variants: int
    methods: dict[str, BankEntry]
    performance: dict[str, float]


def variants_path(cache: Path, key: str) -> Path:
    """Return where variants are kept."""
    return cache / f"{key}.npz"


def counts_path(cache: Path, key: str) -> Path:
    """Return where their counts are kept; written last, so that it says the variants are whole."""
    return cache / f"{key}.json"


class Bank:
    """The variants of one method, read from the file that `build` wrote."""

    def __init__(self, file: Path, levels: Sequence[float], number: int) -> None:
        """number: of variants for each text and level."""
        self._file, self._levels, self.number = file, list(levels), number

    @cached_property
    def _arrays(self) -> dict[str, NDArray[Any]]:
        with np.load(self._file) as kept:
            return dict(kept)

    @cached_property
    def _brought(self) -> bytes:
        return self._arrays["text"].tobytes()

    def variants(
        self, texts: NDArray[np.int64], level: float, numbers: NDArray[np.int64], *, only_low: bool
    ) -> list[list[Edit]]:
        """Return the edits of variant `numbers[i]` of text `texts[i]`. only_low: those that change words of low
        weight only."""
        kept = self._arrays
        rows = (texts * len(self._levels) + self._levels.index(level)) * self.number + numbers
        first, count = kept["rows"][rows], kept["rows"][rows + 1] - kept["rows"][rows]
        until = np.cumsum(count)
        # All edits of all rows, one after the other: each row's first, and as many more as it has.
        at = np.repeat(first - until + count, count) + np.arange(count.sum())
        columns = [kept[name][at].tolist() for name in ("group", "start", "end", "low")]
        begin, end = kept["offsets"][at].tolist(), kept["offsets"][at + 1].tolist()
        edits = [
            Edit(group, start, stop, self._brought[a:b].decode()) if low or not only_low else None
            for group, start, stop, low, a, b in zip(*columns, begin, end, strict=True)
        ]
        parts = pairwise([0, *until.tolist()])
        return [[edit for edit in edits[a:b] if edit is not None] for a, b in parts]

    def words(self) -> set[str]:
        """Return every word that an edit puts in."""
        return set(self._arrays["words"].tobytes().decode().split())
