"""Tokenise text pairs once per (backbone, texts, max length, overlap), cache the tokens on disk, and pad batches."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lib.errors import UserError
from lib.files.atomic import replacing
from lib.files.hashing import hash_value

if TYPE_CHECKING:  # importing transformers takes two seconds, and many commands build no model
    from transformers import PreTrainedTokenizerBase

_MIN_TEXT_TOKENS = 4
# Truncation is part of a tokenizer's state, so two threads that set it would disturb each other.
_TOKENIZER_LOCK = Lock()
_FORMAT = 5  # version of the files in the cache


@dataclass(frozen=True)
class WindowLayout:
    """How a pair of texts that is longer than a window is cut.

    Attributes:
        max_length: The most tokens of a window, including special tokens.
        overlap: None cuts the second text off at `max_length`. A share in [0, 1) covers it with windows instead.
            Neighbours overlap by this share of the tokens that the longest first text leaves free.
    """

    max_length: int
    overlap: float | None


@dataclass(frozen=True)
class TokenCache:
    """Where tokens are kept between processes.

    Attributes:
        folder: The folder of the cached files.
        fingerprint: The hash of the backbone's files, which is part of the name of a cached file.
    """

    folder: Path
    fingerprint: str


@dataclass(frozen=True)
class Batch:
    """Windows, padded to the longest one.

    Attributes:
        windows: (batch,) the numbers of the windows.
        inputs: The encoder's arguments, (batch, tokens) each.
        place: (batch, tokens) the place of each token in the flat arrays of `Tokens`; meaningless at padding.
        mask: (batch, tokens), False at padding.
    """

    windows: Tensor
    inputs: dict[str, Tensor]
    place: Tensor
    mask: Tensor

    def pad(self, flat: Tensor, fill: Any) -> Tensor:
        """Arrange the values of all tokens as this batch.

        Args:
            flat: (total,) one value per token, on the device of `place`.
            fill: The value at padding.

        Returns:
            (batch, tokens).
        """
        return flat[self.place].masked_fill(~self.mask, fill)


class SpecialTokens(NamedTuple):
    """The ids of the tokens that part and enclose two texts, in an encoder's vocabulary."""

    cls: int
    sep: int


@dataclass(frozen=True)
class Tokens:
    """The windows of tokenised pairs, concatenated in flat arrays of `total` tokens.

    A pair whose second text is cut off instead of windowed has one window.

    Attributes:
        ids: (total,) places in `vocabulary`.
        types: (total,) token types, or None for an encoder without.
        offsets: (windows + 1,) the place where each window starts, and `total`.
        pair: (windows,) the number of the pair that a window belongs to.
        start: (total,) the first of the second text's characters that a token covers; -1 for any other token. In
            pairs that are cut off no characters are needed, so it is 0 for every token of the second text.
        end: (total,) the end (exclusive) of these characters, with -1 and 0 as in `start`.
        vocabulary: (size,) the tokenizer's ids that may occur, ascending. The encoder is trimmed to them.
        pad_token_id: The place of the padding token in `vocabulary`.
        special: The places of the cls and the sep token in `vocabulary`.
        pad_left: Whether padding comes before the tokens.
    """

    ids: Tensor
    types: Tensor | None
    offsets: NDArray[np.int64]
    pair: NDArray[np.int64]
    start: NDArray[np.int32]
    end: NDArray[np.int32]
    vocabulary: NDArray[np.int64]
    pad_token_id: int
    special: SpecialTokens
    pad_left: bool

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """Number of tokens of each window, (windows,)."""
        return np.diff(self.offsets)

    @cached_property
    def cls(self) -> NDArray[np.int64]:
        """The place of each window's cls token in the flat arrays, (windows,)."""
        return np.flatnonzero((self.ids.numpy() == self.special.cls) & (self.start < 0))

    def windows(self, pairs: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the numbers of the windows of these pairs, ascending."""
        return np.flatnonzero(np.isin(self.pair, pairs))

    @cached_property
    def _places(self) -> tuple[Tensor, Tensor]:
        """The places where windows start, and 0, 1, 2, … up to the longest window, on the device of the ids."""
        device = self.ids.device
        columns = torch.arange(int(self.lengths.max()), device=device)
        return torch.from_numpy(self.offsets).to(device), columns

    def to(self, device: torch.device) -> "Tokens":
        """Return a copy with ids and types on a device; the arrays that only the host uses stay there."""
        types = None if self.types is None else self.types.to(device)
        return replace(self, ids=self.ids.to(device), types=types)

    def followed_by(self, more: "Tokens", pairs: NDArray[np.int64]) -> "Tokens":
        """Append windows of other texts in the same vocabulary.

        Args:
            more: The other windows, on the same device.
            pairs: (pairs of `more`,) the number that each of its pairs gets here.

        Returns:
            All windows, with the others at the end.
        """
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
        """Return the windows of these numbers as a batch, on the device of the ids."""
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
    tokenizer: "PreTrainedTokenizerBase", criteria: Mapping[str, str], max_length: int, name: str
) -> None:
    """Check that every criterion leaves room for text; a criterion is the query and is never truncated.

    Args:
        tokenizer: The backbone's tokenizer.
        criteria: The text of each criterion by name.
        max_length: The smallest maximum length of the search space, in tokens with special tokens.
        name: The backbone's name, for the message.

    Raises:
        UserError: A criterion leaves fewer than four tokens for text. All such criteria are listed.
    """
    problems = []
    for criterion, text in criteria.items():
        needed = len(tokenizer(text, "")["input_ids"]) + _MIN_TEXT_TOKENS
        if needed > max_length:
            problems.append(
                f"criterion '{criterion}' needs {needed} tokens of backbone '{name}' and room for text, but"
                f" data.max_length goes down to {max_length}; raise it under 'constraints' or shorten the criterion"
            )
    if problems:
        raise UserError(problems)


def tokenize(
    tokenizer: "PreTrainedTokenizerBase",
    first: Sequence[str],
    second: Sequence[str],
    *,
    layout: WindowLayout,
    cache: TokenCache,
    words: Sequence[str] = (),
) -> Tokens:
    """Return the tokens of all pairs, from the cache if they were computed before.

    Args:
        tokenizer: The backbone's tokenizer.
        first: n first texts (the criteria); they are never truncated.
        second: n second texts.
        layout: How long pairs are cut.
        cache: Folder that keeps the tokens.
        words: Words whose tokens are added to the vocabulary, because texts that are tokenised later may hold them.

    Returns:
        The windows, on the CPU, with the vocabulary of all tokens that occur in the pairs or in `words`.
    """
    texts = [list(first), list(second), list(words)]
    packages = [version(name) for name in ("tokenizers", "transformers")]
    parts = [_FORMAT, packages, cache.fingerprint, layout.max_length, layout.overlap, *texts]
    path = cache.folder / f"{hash_value(parts)}.npz"
    if not path.exists():
        arrays = _encode(tokenizer, first, second, layout.max_length, _stride(tokenizer, first, layout))
        arrays |= _trim_vocabulary(arrays["ids"], _ids_of_words(tokenizer, words), tokenizer)
        with replacing(path) as temporary:
            np.savez(temporary, allow_pickle=False, **arrays)
    with np.load(path) as kept:
        arrays = dict(kept)
    return _as_tokens(arrays, tokenizer)


def tokenize_with_vocabulary(
    tokenizer: "PreTrainedTokenizerBase",
    first: Sequence[str],
    second: Sequence[str],
    *,
    layout: WindowLayout,
    criterion_texts: Sequence[str],
    vocabulary: NDArray[np.int64],
) -> Tokens:
    """Return the tokens of further pairs in an existing vocabulary, with windows as `tokenize` would lay them.

    Args:
        tokenizer: The backbone's tokenizer.
        first: n first texts (the criteria); they are never truncated.
        second: n second texts.
        layout: As in `tokenize`.
        criterion_texts: The first texts of the original pairs; the longest of them determines the overlap of windows.
        vocabulary: (size,) token ids, ascending.

    Returns:
        The windows, on the CPU.

    Raises:
        ValueError: A token is not in the vocabulary.
    """
    arrays = _encode(tokenizer, first, second, layout.max_length, _stride(tokenizer, criterion_texts, layout))
    places = np.searchsorted(vocabulary, arrays["ids"])
    if not np.array_equal(vocabulary[np.minimum(places, len(vocabulary) - 1)], arrays["ids"]):
        raise ValueError("a token is not in the vocabulary")
    return _as_tokens({**arrays, "ids": places, "vocabulary": vocabulary}, tokenizer)


def _as_tokens(arrays: Mapping[str, NDArray[Any]], tokenizer: "PreTrainedTokenizerBase") -> Tokens:
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
        special=SpecialTokens(
            *(int(np.searchsorted(vocabulary, token)) for token in (tokenizer.cls_token_id, tokenizer.sep_token_id))
        ),
        pad_left=tokenizer.padding_side == "left",
    )


def _stride(tokenizer: "PreTrainedTokenizerBase", first: Sequence[str], layout: WindowLayout) -> int | None:
    if layout.overlap is None:
        return None
    with _TOKENIZER_LOCK:
        longest = max(len(tokenizer(text, "")["input_ids"]) for text in set(first))
    return int(layout.overlap * (layout.max_length - longest))


def _ids_of_words(tokenizer: "PreTrainedTokenizerBase", words: Sequence[str]) -> list[int]:
    """Return the ids of words at the beginning of a text and within it.

    That covers all texts, since the supported tokenizers split at white space first.
    """
    if not words:
        return []
    texts = [*words, *(f"a {word}" for word in words)]
    with _TOKENIZER_LOCK:
        encoded = tokenizer(texts, add_special_tokens=False, return_attention_mask=False)["input_ids"]
    return sorted({number for ids in encoded for number in ids})


def _trim_vocabulary(
    ids: NDArray[np.int64], others: Sequence[int], tokenizer: "PreTrainedTokenizerBase"
) -> dict[str, NDArray[Any]]:
    """Return the ids that occur as an ascending vocabulary, and the place of each id in it."""
    # All ids up to padding's are included, so that padding keeps its number: RoBERTa counts positions from it.
    always = [*range(tokenizer.pad_token_id + 1), tokenizer.cls_token_id, tokenizer.sep_token_id, *others]
    vocabulary, places = np.unique(np.concatenate([always, ids]), return_inverse=True)
    return {"ids": places[len(always) :].astype(np.int32), "vocabulary": vocabulary}


def _encode(
    tokenizer: "PreTrainedTokenizerBase",
    first: Sequence[str],
    second: Sequence[str],
    max_length: int,
    stride: int | None,
) -> dict[str, NDArray[Any]]:
    cut: dict[str, Any] = {"truncation": "only_second", "max_length": max_length}
    with _TOKENIZER_LOCK:
        if stride is None:
            # This call only sets the truncation for encode_batch_fast, which is much faster without characters.
            tokenizer("", "", **cut)
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
    """Return the characters [start, end) of the second text that each token covers, (total, 2).

    White space at the ends of a token is left out. Tokens of the first text, special tokens and white space get -1.
    """
    # All texts are searched at once. The character after each is not white space, so no search leaves its text.
    whole = "".join(f"{text}|" for text in second)
    base = np.cumsum([0, *(len(text) + 1 for text in second)])[pair]
    shift = np.repeat(base, [len(encoding) for encoding in encodings])
    flat = chain.from_iterable(chain.from_iterable(encoding.offsets for encoding in encodings))
    spans = np.fromiter(flat, dtype=np.int64).reshape(-1, 2)
    spans = np.where(of_second[:, None], spans, 0) + shift[:, None]
    spaces = [ord(character) for character in set(whole) if character.isspace()]
    solid = ~np.isin(np.frombuffer(whole.encode("utf-32-le", "surrogatepass"), dtype=np.uint32), spaces)
    # For each place, the next character that is not white space, and the end of the last such character before it.
    places = np.arange(len(whole))
    following = np.minimum.accumulate(np.where(solid, places, len(whole))[::-1])[::-1]
    before = np.maximum.accumulate(np.insert(np.where(solid, places + 1, 0), 0, 0))
    trimmed = np.stack([following[spans[:, 0]], before[spans[:, 1]]], axis=1)
    kept = of_second & (trimmed[:, 0] < trimmed[:, 1])
    return np.where(kept[:, None], trimmed - shift[:, None], -1)
