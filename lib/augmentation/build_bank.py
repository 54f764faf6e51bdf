"""Makes the bank: runs each method on each text, once, ahead of training.

Keyed by (text, method, strength, variant). A variant's seed is derived from these, so that it does not matter how
many processes compute them, or in which order.
"""

import multiprocessing
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from lib.augmentation.bank import Bank, BankEntry, counts_path, variants_path
from lib.augmentation.edits import (
    FINE,
    WHOLE,
    Edit,
    apply_edits,
    count_altered_words,
    diff_edits,
    keep_groups,
    limit_edits,
    max_altered_words,
    touches,
    words,
)
from lib.augmentation.libraries import Augment, Resources, make, seeded
from lib.augmentation.reserved import ReservedTerms, TfidfWeights
from lib.files.atomic import replacing, write_json
from lib.files.hashing import derive_seed, hash_value
from lib.files.json_files import read_json

FORMAT = 2
_ATTEMPTS = 3
_CHUNK = 64


@dataclass(frozen=True)
class MethodConfig:
    """How a method's variants are made."""

    method: str
    levels: tuple[float, ...]
    variants: int
    terms: tuple[str, ...]
    resources: Resources


@dataclass(frozen=True)
class AugmentationTools:
    """What a recipe needs; some of the libraries' classes read long word lists when they are made."""

    reserved: ReservedTerms
    weights: TfidfWeights
    augmenters: list[tuple[float, Augment]]

    @classmethod
    def of(cls, recipe: MethodConfig) -> "AugmentationTools":
        """Make them."""
        weights = (
            TfidfWeights.read(recipe.resources.tfidf) if recipe.resources.tfidf is not None else TfidfWeights({})
        )
        augmenters = [(level, make(recipe.method, level, recipe.resources)) for level in recipe.levels]
        return cls(ReservedTerms(recipe.terms), weights, augmenters)


# Of the method that a process works at: its texts come in many chunks.
_kept = lru_cache(maxsize=1)(AugmentationTools.of)


@dataclass
class Variant:
    """The edits of one variant; low: whether each changes words of low weight only."""

    edits: list[Edit]
    low: list[bool]
    refused: int = 0
    error: str | None = None


def make_variants(texts: Sequence[str], recipe: MethodConfig) -> Iterator[Variant]:
    """Return the variants of each text: for each level, each number. They are made as they are asked for."""
    return _variants(texts, recipe, AugmentationTools.of(recipe))


def _variants(texts: Sequence[str], recipe: MethodConfig, tools: AugmentationTools) -> Iterator[Variant]:
    return (
        _variant(
            text,
            recipe.method,
            level,
            derive_seed(0, text, recipe.method, level, number),
            augment,
            spans,
            tools.weights,
        )
        for text, spans in ((text, tools.reserved.spans(text)) for text in texts)
        for level, augment in tools.augmenters
        for number in range(recipe.variants)
    )


def _variant(
    text: str, method: str, level: float, seed: int, augment: Any, spans: list[tuple[int, int]], weights: TfidfWeights
) -> Variant:
    """Try a few seeds until something changes; many texts have no word that a method could change."""
    variant = Variant([], [])
    for attempt in range(_ATTEMPTS):
        try:
            new = seeded(augment, text, derive_seed(seed, attempt))
        except Exception as error:  # of any kind: it is the library's, and counted
            # Not the message: it may hold the text.
            return Variant([], [], variant.refused, type(error).__name__)
        edits = [edit for edit in diff_edits(text, new, FINE) if not _only_spaced(text, edit, method)]
        touching = {edit.group for edit in edits if touches(edit, spans)}
        variant.refused += len(touching)
        edits = keep_groups(edits, {edit.group for edit in edits} - touching)
        edits = limit_edits(edits, text, level, np.random.default_rng(seed))
        if (
            edits
            and words(result := apply_edits(text, edits))
            and count_altered_words(text, result) <= max_altered_words(text, level)
        ):
            # Kept by whole words: then every word of a text that several methods changed is of one edit or of none.
            variant.edits = diff_edits(text, result, WHOLE)
            variant.low = weights.low(text, variant.edits)
            break
    return variant


def _only_spaced(text: str, edit: Edit, method: str) -> bool:
    """Whether an edit only sets punctuation apart, as the libraries do when they put words together again."""
    old = text[edit.start : edit.end]
    same = "".join(old.split()) == "".join(edit.text.split())
    return same and not (method == "split" and old.isalnum())


@dataclass(frozen=True)
class _Chunk:
    """Some texts for a method, and how many seconds their variants took, without loading the library."""

    texts: Sequence[str]
    recipe: MethodConfig

    def run(self) -> tuple[list[Variant], float]:
        """Return the variants of the texts."""
        made = _variants(self.texts, self.recipe, _kept(self.recipe))
        began = time.perf_counter()
        return list(made), time.perf_counter() - began


def compute_variants(
    texts: Sequence[str],
    recipes: Mapping[str, MethodConfig],
    cache: Path,
    processes: int,
    done: Callable[[str], None] = lambda _: None,
) -> None:
    """Compute the variants that are not in the cache yet.

    recipes: by key, see `path` and `facts` for the files. done: called with the key of each that is finished.
    """
    chunks = [texts[start : start + _CHUNK] for start in range(0, len(texts), _CHUNK)]
    missing = {key: recipe for key, recipe in recipes.items() if not counts_path(cache, key).exists()}
    # The libraries choose from sets of words, whose order depends on the hash seed of the process.
    os.environ["PYTHONHASHSEED"] = "0"
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        # All methods at once: loading a library takes a process many seconds.
        running = {
            key: [pool.submit(_Chunk.run, _Chunk(chunk, recipe)) for chunk in chunks]
            for key, recipe in missing.items()
        }
        for key, futures in running.items():
            results = [future.result() for future in futures]
            _keep(cache, key, [variant for made, _ in results for variant in made], sum(s for _, s in results))
            done(key)


def bank_key(recipe: MethodConfig, texts: Sequence[str], *, tfidf: str, lexicon: str) -> str:
    """Return the hash of all that a method's variants depend on. tfidf, lexicon: what identifies these two."""
    parts = [
        FORMAT,
        recipe.method,
        recipe.levels,
        recipe.variants,
        recipe.terms,
        recipe.resources.equivalents,
        str(recipe.resources.ner),
        tfidf,
        lexicon,
        [version(name) for name in ("nlpaug", "textattack", "nltk")],
        list(texts),
    ]
    return hash_value(parts, 24)


def bank_entry(recipe: MethodConfig, key: str, texts: Sequence[str], cache: Path, *, show: bool) -> BankEntry:
    """Return what a bank's manifest says of a method. show: with examples, which hold text."""
    examples: list[tuple[str, str]] = []
    if show:
        bank = Bank(variants_path(cache, key), recipe.levels, recipe.variants)
        rows = np.arange(len(texts))
        made = bank.variants(rows, recipe.levels[-1], np.zeros_like(rows), only_low=False)
        changed = [(text, apply_edits(text, edits)) for text, edits in zip(texts, made, strict=True) if edits]
        examples = changed[:: max(1, len(changed) // 3)][:3]
    note = None
    if recipe.method == "checklist" and recipe.resources.ner is None:
        note = "names and places stay as they are, no tagger is configured (augmentation.ner)"
    return BankEntry(key=key, note=note, examples=examples, **read_json(counts_path(cache, key)))


def _keep(cache: Path, key: str, made: Sequence[Variant], seconds: float) -> None:
    _write(variants_path(cache, key), made)
    changed = sum(bool(variant.edits) for variant in made)
    counts = {
        "changed": changed,
        "unchanged": len(made) - changed,
        "refused": sum(variant.refused for variant in made),
        "errors": dict(Counter(variant.error for variant in made if variant.error is not None)),
        "performance": {
            "milliseconds_per_variant": round(1000 * seconds / max(1, len(made)), 3),
            "bytes": variants_path(cache, key).stat().st_size,
        },
    }
    write_json(counts_path(cache, key), counts)


def _write(to: Path, made: Sequence[Variant]) -> None:
    edits = [edit for variant in made for edit in variant.edits]
    replacements = [edit.text.encode() for edit in edits]
    brought = sorted({word for edit in edits for word in edit.text.split()})
    with replacing(to) as temporary:
        np.savez_compressed(
            temporary,
            allow_pickle=False,
            rows=np.cumsum([0, *(len(variant.edits) for variant in made)], dtype=np.int64),
            group=np.array([edit.group for edit in edits], dtype=np.int32),
            start=np.array([edit.start for edit in edits], dtype=np.int32),
            end=np.array([edit.end for edit in edits], dtype=np.int32),
            low=np.array([low for variant in made for low in variant.low], dtype=bool),
            text=np.frombuffer(b"".join(replacements), dtype=np.uint8),
            offsets=np.cumsum([0, *map(len, replacements)], dtype=np.int64),
            words=np.frombuffer("\n".join(brought).encode(), dtype=np.uint8),
        )
