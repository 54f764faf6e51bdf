"""What fits into memory: found by failing once, remembered for each (device, backbones, length)."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lib.files.atomic import write_json
from lib.files.json_files import read_json


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out; on the CPU torch says so by text only."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


class MicroBatches:
    """Cuts batches into parts that fit. A limit is in padded tokens; there is none until a batch has failed."""

    def __init__(self, path: Path | None, *key: Any) -> None:
        """path: a JSON file of the limits of all keys; None remembers for this object only."""
        self._path = path
        self._key = json.dumps(key)
        self._limit: int | None = self._known().get(self._key)

    def parts(self, batch: NDArray[np.int64], lengths: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
        """Yield the batch in parts within the limit. lengths: of all windows."""
        rows = len(batch) if self._limit is None else max(1, self._limit // int(lengths[batch].max()))
        for start in range(0, len(batch), rows):
            yield batch[start : start + rows]

    def halve(self, tokens: int) -> None:
        """Remember that a part of so many padded tokens did not fit."""
        self._limit = tokens // 2
        if self._path is not None:
            write_json(self._path, {**self._known(), self._key: self._limit})

    def _known(self) -> dict[str, int]:
        return read_json(self._path) if self._path is not None and self._path.exists() else {}
