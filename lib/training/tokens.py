"""Tokens of all examples: made once per (backbone, examples, max length), kept on disk, padded per batch."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from lib.agents.base import Examples
from lib.errors import UserError
from lib.files.atomic import replacing
from lib.files.hashing import hash_value

_LEAST_ROOM = 4


@dataclass(frozen=True)
class Tokens:
    """Ragged token ids. ids, types: (total,) flat; offsets: (n + 1,) where each example starts.

    Ids are places in `vocabulary`, (size,), the tokenizer's ids that occur, ascending; the encoder is trimmed to it.
    """

    ids: Tensor
    types: Tensor | None
    offsets: NDArray[np.int64]
    vocabulary: NDArray[np.int64]
    pad_token_id: int
    cls_token_id: int
    pad_left: bool

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens per example."""
        return np.diff(self.offsets)

    def batch(self, index: NDArray[np.int64], device: torch.device) -> dict[str, Tensor]:
        """Pad the named examples to the longest among them. Returns the encoder's inputs, (batch, tokens) each."""
        lengths = self.lengths[index]
        width = int(lengths.max())
        column = np.arange(width)[None, :]
        first = (width - lengths)[:, None] if self.pad_left else np.zeros((len(index), 1), dtype=np.int64)
        mask = (column >= first) & (column < first + lengths[:, None])
        source = torch.from_numpy((self.offsets[index][:, None] + column - first)[mask])
        where = torch.from_numpy(mask)
        ids = torch.full(mask.shape, self.pad_token_id)
        ids[where] = self.ids[source]
        inputs = {"input_ids": ids, "attention_mask": where.long()}
        if self.types is not None:
            inputs["token_type_ids"] = torch.zeros(mask.shape, dtype=torch.long)
            inputs["token_type_ids"][where] = self.types[source]
        return {name: value.to(device, non_blocking=True) for name, value in inputs.items()}


def check_criteria_fit(
    tokenizer: PreTrainedTokenizerBase, criteria: dict[str, str], max_length: int, name: str
) -> None:
    """Raise UserError if a criterion leaves no room for text: it is the query and is never truncated."""
    problems = []
    for criterion, text in criteria.items():
        needed = len(tokenizer(text, "")["input_ids"]) + _LEAST_ROOM
        if needed > max_length:
            problems.append(
                f"criterion '{criterion}' needs {needed} tokens of backbone '{name}' and room for text, but"
                f" data.max_length goes down to {max_length}; raise it under 'constraints' or shorten the criterion"
            )
    if problems:
        raise UserError(problems)


def tokenize(
    tokenizer: PreTrainedTokenizerBase, examples: Examples, *, max_length: int, fingerprint: str, cache: Path
) -> Tokens:
    """Return the tokens of all examples, from `cache` if they were made before.

    fingerprint: of the backbone. Only `second` is truncated.
    """
    path = cache / f"{hash_value([fingerprint, max_length, examples.first, examples.second, 2])}.npz"
    if not path.exists():
        _make(tokenizer, examples, max_length, path)
    with np.load(path) as arrays:
        types, vocabulary = arrays["types"], arrays["vocabulary"]
        return Tokens(
            ids=torch.from_numpy(arrays["ids"].astype(np.int64)),
            types=torch.from_numpy(types.astype(np.int64)) if len(types) else None,
            offsets=arrays["offsets"],
            vocabulary=vocabulary,
            pad_token_id=int(np.searchsorted(vocabulary, tokenizer.pad_token_id)),
            cls_token_id=int(np.searchsorted(vocabulary, tokenizer.cls_token_id)),
            pad_left=tokenizer.padding_side == "left",
        )


def _make(tokenizer: PreTrainedTokenizerBase, examples: Examples, max_length: int, path: Path) -> None:
    encoded = tokenizer(
        examples.first, examples.second, truncation="only_second", max_length=max_length, return_attention_mask=False
    )
    ids = encoded["input_ids"]
    # With all ids up to padding's, padding keeps its number: RoBERTa counts positions from it.
    always = [*range(tokenizer.pad_token_id + 1), tokenizer.cls_token_id]
    flat = np.concatenate([always, *ids])
    vocabulary, places = np.unique(flat, return_inverse=True)
    wanted = "token_type_ids" in tokenizer.model_input_names
    types = np.concatenate(encoded["token_type_ids"]) if wanted else np.zeros(0)
    offsets = np.cumsum([0, *map(len, ids)], dtype=np.int64)
    with replacing(path) as temporary:
        np.savez(
            temporary,
            ids=places[len(always) :].astype(np.int32),
            types=types.astype(np.int8),
            offsets=offsets,
            vocabulary=vocabulary.astype(np.int64),
        )
