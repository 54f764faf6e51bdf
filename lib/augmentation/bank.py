"""The bank, which holds the edits of each method on each text; `lib.augmentation.build_bank` computes it."""

from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lib.augmentation.edits import Edit


def variants_path(cache: Path, key: str) -> Path:
    """Return the file of a method's variants.

    Args:
        cache: Folder of the bank's files.
        key: As `bank_key` returns it.

    Returns:
        The path; the file may be missing.
    """
    return cache / f"{key}.npz"


def counts_path(cache: Path, key: str) -> Path:
    """Return the file of a method's counts, which is written after the variants and so shows that they are complete.

    Args:
        cache: Folder of the bank's files.
        key: As `bank_key` returns it.

    Returns:
        The path; the file may be missing.
    """
    return cache / f"{key}.json"


class MethodVariants:
    """The variants of one method, read from the file that `write_missing_variants` wrote."""

    def __init__(self, file: Path, strengths: Sequence[float], number: int) -> None:
        """Use a file, which is read on first use.

        Args:
            file: As `variants_path` names it.
            strengths: The strengths in the file, in its order.
            number: The number of variants of each text and strength.
        """
        self._file, self._strengths, self.number = file, list(strengths), number

    @cached_property
    def _arrays(self) -> dict[str, NDArray[Any]]:
        with np.load(self._file) as kept:
            return dict(kept)

    @cached_property
    def _inserted_text(self) -> bytes:
        return self._arrays["text"].tobytes()

    def variants(self, texts: NDArray[np.int64], strength: float, numbers: NDArray[np.int64]) -> list[list[Edit]]:
        """Return the edits of one variant of each of n texts.

        Args:
            texts: (n,) places of texts in the bank.
            strength: The strength, which must be one of the bank's.
            numbers: (n,) the number of the variant, in 0…number-1.

        Returns:
            The edits of each text, in order of their places; none where the variant is the text itself.
        """
        kept = self._arrays
        rows = (texts * len(self._strengths) + self._strengths.index(strength)) * self.number + numbers
        first, count = kept["rows"][rows], kept["rows"][rows + 1] - kept["rows"][rows]
        until = np.cumsum(count)
        # The places of all edits of all rows, concatenated.
        at = np.repeat(first - until + count, count) + np.arange(count.sum())
        columns = [kept[name][at].tolist() for name in ("group", "start", "end")]
        begin, end = kept["offsets"][at].tolist(), kept["offsets"][at + 1].tolist()
        edits = [
            Edit(group, start, stop, self._inserted_text[a:b].decode())
            for group, start, stop, a, b in zip(*columns, begin, end, strict=True)
        ]
        return [edits[a:b] for a, b in pairwise([0, *until.tolist()])]

    def words(self) -> set[str]:
        """Return every word that some edit inserts."""
        return set(self._arrays["words"].tobytes().decode().split())
