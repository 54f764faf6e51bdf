"""Tokens of text pairs: made once per (backbone, texts, max length, overlap), kept on disk, padded per batch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from lib.errors import UserError
from lib.files.atomic import replacing
from lib.files.hashing import hash_value

_LEAST_ROOM = 4
# A tokenizer's truncation is a state of it: two threads that set it disturb each other.
_ONE_AT_A_TIME = Lock()
_FORMAT = 5  # of the files in the cache


@dataclass(frozen=True)
class Batch:
    """Windows padded to the longest among them.

    windows: (batch,) which. inputs: the encoder's, (batch, tokens) each. place: (batch, tokens) where each token
    stands in the flat arrays, meaningless at padding. mask: (batch, tokens), False at padding.
    """

    windows: Tensor
    inputs: dict[str, Tensor]
    place: Tensor
    mask: Tensor

    def pad(self, flat: Tensor, fill: Any) -> Tensor:
        """Lay a flat array, (total,), out as this batch, (batch, tokens), with `fill` at padding."""
        return flat[self.place].masked_fill(~self.mask, fill)


@dataclass(frozen=True)
class Tokens:
    """Windows of tokenised pairs, one after the other. A pair that is cut, not windowed, has one window.

    ids, types: (total,). offsets: (windows + 1,) where each window starts. pair: (windows,) whose window it is.
    start, end: (total,) the characters of the pair's second text that a token stands for; -1 for any other token. Of
    pairs that are cut nobody asks for characters: there both are 0 for a token of the second text.
    Ids are places in `vocabulary`, (size,), the tokenizer's ids that occur, ascending; the encoder is trimmed to it.
    """

    ids: Tensor
    types: Tensor | None
    offsets: NDArray[np.int64]
    pair: NDArray[np.int64]
    start: NDArray[np.int32]
    end: NDArray[np.int32]
    vocabulary: NDArray[np.int64]
    pad_token_id: int
    cls_token_id: int
    pad_left: bool

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens per window."""
        return np.diff(self.offsets)

    @cached_property
    def cls(self) -> NDArray[np.int64]:
        """Where each window's cls token stands in the flat arrays, (windows,)."""
        return np.flatnonzero((self.ids.numpy() == self.cls_token_id) & (self.start < 0))

    def windows(self, pairs: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the windows of the named pairs, ascending."""
        return np.flatnonzero(np.isin(self.pair, pairs))

    @cached_property
    def _places(self) -> tuple[Tensor, Tensor]:
        """Where each window starts, and 0, 1, 2, …, on the device of the ids."""
        device = self.ids.device
        columns = torch.arange(int(self.lengths.max()), device=device)
        return torch.from_numpy(self.offsets).to(device), columns

    def to(self, device: torch.device) -> "Tokens":
        """Bring ids and types to a device; what is used on the host stays there."""
        types = None if self.types is None else self.types.to(device)
        return replace(self, ids=self.ids.to(device), types=types)

    def followed_by(self, more: "Tokens", pairs: NDArray[np.int64]) -> "Tokens":
        """Append windows of the same vocabulary; pairs: what more's pairs are called here."""
        types = None if self.types is None or more.types is None else torch.cat([self.types, more.types])
        return replace(
            self,
            ids=torch.cat([self.ids, more.ids]),
            types=types,
            offsets=np.concatenate([self.offsets, self.offsets[-1] + more.offsets[1:]]),
            pair=np.concatenate([self.pair, pairs[more.pair]]),
            start=np.concatenate([self.start, more.start]),
            end=np.concatenate([self.end, more.end]),
        )

    def batch(self, windows: NDArray[np.int64]) -> Batch:
        """Pad the named windows, where the ids are."""
        offsets, columns = self._places
        width = int(self.lengths[windows].max())
        which = torch.from_numpy(windows).to(offsets.device, non_blocking=True)
        begin = offsets[which].unsqueeze(1)
        lengths = offsets[which + 1].unsqueeze(1) - begin
        first = width - lengths if self.pad_left else torch.zeros_like(lengths)
        column = columns[:width] - first
        mask = (column >= 0) & (column < lengths)
        batch = Batch(which, {}, (begin + column).clamp(0, len(self.ids) - 1), mask)
        inputs = {"input_ids": batch.pad(self.ids, self.pad_token_id), "attention_mask": mask.long()}
        if self.types is not None:
            inputs["token_type_ids"] = batch.pad(self.types, 0)
        return replace(batch, inputs=inputs)


def check_criteria_fit(
    tokenizer: PreTrainedTokenizerBase, criteria: Mapping[str, str], max_length: int, name: str
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
    tokenizer: PreTrainedTokenizerBase,
    first: Sequence[str],
    second: Sequence[str],
    *,
    max_length: int,
    overlap: float | None,
    fingerprint: str,
    cache: Path,
    words: Sequence[str] = (),
) -> Tokens:
    """Return the tokens of all pairs, from `cache` if they were made before.

    `first` is never truncated. overlap: None cuts `second` off at max_length; a share in [0, 1) lays windows over all
    of it, the neighbours sharing that share of the room beside the longest `first`. fingerprint: of the backbone.
    words: their tokens join the vocabulary too.
    """
    parts = [fingerprint, max_length, overlap, list(first), list(second), list(words), _FORMAT]
    path = cache / f"{hash_value(parts)}.npz"
    if not path.exists():
        arrays = _encode(tokenizer, first, second, max_length, _stride(tokenizer, first, max_length, overlap))
        arrays |= _trim(arrays["ids"], _ids_of_words(tokenizer, words), tokenizer)
        with replacing(path) as temporary:
            np.savez(temporary, allow_pickle=False, **arrays)
    with np.load(path) as kept:
        arrays = dict(kept)
    return _tokens(arrays, tokenizer)


def tokenize_more(
    tokenizer: PreTrainedTokenizerBase,
    first: Sequence[str],
    second: Sequence[str],
    *,
    max_length: int,
    overlap: float | None,
    among: Sequence[str],
    vocabulary: NDArray[np.int64],
) -> Tokens:
    """Return the tokens of other pairs in a vocabulary that has all of them, cut as `tokenize` cut the first ones.

    among: the `first` of all pairs, whose longest decides on the stride of windows. Raises ValueError for a token
    that is not in the vocabulary.
    """
    arrays = _encode(tokenizer, first, second, max_length, _stride(tokenizer, among, max_length, overlap))
    places = np.searchsorted(vocabulary, arrays["ids"])
    if not np.array_equal(vocabulary[np.minimum(places, len(vocabulary) - 1)], arrays["ids"]):
        raise ValueError("a token is not in the vocabulary")
    return _tokens({**arrays, "ids": places, "vocabulary": vocabulary}, tokenizer)


def _tokens(arrays: Mapping[str, NDArray[Any]], tokenizer: PreTrainedTokenizerBase) -> Tokens:
    types, vocabulary = arrays["types"], arrays["vocabulary"].astype(np.int64)
    return Tokens(
        ids=torch.from_numpy(arrays["ids"].astype(np.int64)),
        types=torch.from_numpy(types.astype(np.int64)) if len(types) else None,
        offsets=arrays["offsets"],
        pair=arrays["pair"],
        start=arrays["start"],
        end=arrays["end"],
        vocabulary=vocabulary,
        pad_token_id=int(np.searchsorted(vocabulary, tokenizer.pad_token_id)),
        cls_token_id=int(np.searchsorted(vocabulary, tokenizer.cls_token_id)),
        pad_left=tokenizer.padding_side == "left",
    )


def _stride(
    tokenizer: PreTrainedTokenizerBase, first: Sequence[str], max_length: int, overlap: float | None
) -> int | None:
    if overlap is None:
        return None
    with _ONE_AT_A_TIME:
        longest = max(len(tokenizer(text, "")["input_ids"]) for text in set(first))
    return int(overlap * (max_length - longest))


def _ids_of_words(tokenizer: PreTrainedTokenizerBase, words: Sequence[str]) -> list[int]:
    """Return the ids of words, at the beginning of a text and within: no tokenizer here looks beyond white space."""
    if not words:
        return []
    texts = [*words, *(f"a {word}" for word in words)]
    with _ONE_AT_A_TIME:
        encoded = tokenizer(texts, add_special_tokens=False, return_attention_mask=False)["input_ids"]
    return sorted({number for ids in encoded for number in ids})


def _trim(
    ids: NDArray[np.int64], others: Sequence[int], tokenizer: PreTrainedTokenizerBase
) -> dict[str, NDArray[Any]]:
    """Return the ids that occur, ascending, and each id's place among them."""
    # With all ids up to padding's, padding keeps its number: RoBERTa counts positions from it.
    always = [*range(tokenizer.pad_token_id + 1), tokenizer.cls_token_id, *others]
    vocabulary, places = np.unique(np.concatenate([always, ids]), return_inverse=True)
    return {"ids": places[len(always) :].astype(np.int32), "vocabulary": vocabulary}


def _encode(
    tokenizer: PreTrainedTokenizerBase,
    first: Sequence[str],
    second: Sequence[str],
    max_length: int,
    stride: int | None,
) -> dict[str, NDArray[Any]]:
    cut: dict[str, Any] = {"truncation": "only_second", "max_length": max_length}
    with _ONE_AT_A_TIME:
        if stride is None:
            tokenizer("", "", **cut)  # sets the truncation; without characters it is then much faster by itself
            encodings = tokenizer.backend_tokenizer.encode_batch_fast(list(zip(first, second, strict=True)))
            pair = np.arange(len(encodings))
        else:
            encoded = tokenizer(
                list(first),
                list(second),
                **cut,
                return_overflowing_tokens=True,
                stride=stride,
                return_attention_mask=False,
            )
            encodings, pair = encoded.encodings, np.array(encoded["overflow_to_sample_mapping"], dtype=np.int64)
    ids = [encoding.ids for encoding in encodings]
    of_second = np.array([n == 1 for encoding in encodings for n in encoding.sequence_ids], dtype=bool)
    if stride is None:
        spans = np.repeat(np.where(of_second, 0, -1)[:, None], 2, axis=1)
    else:
        spans = _characters(encodings, of_second, pair, second)
    types = [encoding.type_ids for encoding in encodings] if "token_type_ids" in tokenizer.model_input_names else []
    return {
        "ids": np.fromiter(chain.from_iterable(ids), dtype=np.int64),
        "types": np.fromiter(chain.from_iterable(types), dtype=np.int8),
        "offsets": np.cumsum([0, *map(len, ids)], dtype=np.int64),
        "pair": pair,
        "start": spans[:, 0].astype(np.int32),
        "end": spans[:, 1].astype(np.int32),
    }


def _characters(
    encodings: Sequence[Any], of_second: NDArray[np.bool_], pair: NDArray[np.int64], second: Sequence[str]
) -> NDArray[np.int64]:
    """Return (total, 2): each token's characters of the second text without white space at its ends, else -1."""
    # All texts in one, with a solid character after each, so that no search for one leaves its text.
    whole = "".join(f"{text}|" for text in second)
    base = np.cumsum([0, *(len(text) + 1 for text in second)])[pair]
    shift = np.repeat(base, [len(encoding) for encoding in encodings])
    flat = chain.from_iterable(chain.from_iterable(encoding.offsets for encoding in encodings))
    spans = np.fromiter(flat, dtype=np.int64).reshape(-1, 2)
    spans = np.where(of_second[:, None], spans, 0) + shift[:, None]
    spaces = [ord(character) for character in set(whole) if character.isspace()]
    solid = ~np.isin(np.frombuffer(whole.encode("utf-32-le", "surrogatepass"), dtype=np.uint32), spaces)
    # The next character that is no white space, and the end of the last one before.
    places = np.arange(len(whole))
    following = np.minimum.accumulate(np.where(solid, places, len(whole))[::-1])[::-1]
    before = np.maximum.accumulate(np.insert(np.where(solid, places + 1, 0), 0, 0))
    trimmed = np.stack([following[spans[:, 0]], before[spans[:, 1]]], axis=1)
    kept = of_second & (trimmed[:, 0] < trimmed[:, 1])
    return np.where(kept[:, None], trimmed - shift[:, None], -1)
