"""Find the batch sizes that fit into memory by failing once, and remember them by device, backbones and length."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lib.files.atomic import write_json
from lib.files.json_files import read_json
from lib.training.data import DoesNotFitError


def out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that memory ran out; on a CPU only the message of torch's RuntimeError says so."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def window_does_not_fit(tokens: int) -> DoesNotFitError:
    """Return the failure of a training in which a single window, of so many tokens, does not fit into memory."""
    return DoesNotFitError(f"out of memory: a window of {tokens} tokens does not fit")


class MicroBatches:
    """Cuts batches into micro-batches that fit into memory.

    The limit is in padded tokens, and there is none until a micro-batch has failed.
    """

    def __init__(self, path: Path | None, *key: Any) -> None:
        """Read the limit that is known for a key.

        Args:
            path: JSON file with the limits of all keys, or None to remember the limit in this object only.
            *key: Everything that memory depends on (device, backbones, maximum length), as JSON can hold it.
        """
        self._path = path
        self._key = json.dumps(key)
        self._limit: int | None = self._read_limits().get(self._key)

    def split(self, batch: NDArray[np.int64], lengths: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
        """Cut a batch into micro-batches within the limit.

        Args:
            batch: (n,) numbers of windows.
            lengths: The numbers of tokens of all windows.

        Yields:
            The micro-batches, in order; each has at least one window.
        """
        rows = len(batch) if self._limit is None else max(1, self._limit // int(lengths[batch].max()))
        for start in range(0, len(batch), rows):
            yield batch[start : start + rows]

    def halve(self, tokens: int) -> None:
        """Set the limit to half of the padded tokens of a micro-batch that did not fit."""
        self._limit = tokens // 2
        if self._path is not None:
            write_json(self._path, {**self._read_limits(), self._key: self._limit})

    def _read_limits(self) -> dict[str, int]:
        return read_json(self._path) if self._path is not None and self._path.exists() else {}
