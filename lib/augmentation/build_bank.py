"""Compute the bank by running each method on each text before any training.

The seed of a variant is derived from its text, method, strength and number. So the number of processes that compute
variants and their order have no effect.
"""

import multiprocessing
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

import numpy as np

from lib.augmentation.bank import MethodVariants, counts_path, variants_path
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
from lib.augmentation.libraries import (
    Augment,
    LexicalResources,
    environment_variables,
    local_data,
    make_augmenter,
    seeded_generators,
)
from lib.augmentation.negation import groups_that_negate, join_groups_that_negate
from lib.augmentation.reserved import ReservedTerms
from lib.devices.garbage import collect_garbage_less_often
from lib.files.atomic import replacing, write_json
from lib.files.hashing import derive_seed, hash_file, hash_value
from lib.files.json_files import read_json
from lib.schemas.augmentation import BankEntry

FORMAT = 5
_ATTEMPTS = 3
_CHUNK = 64


@dataclass(frozen=True)
class MethodConfig:
    """How the variants of a method are computed.

    Attributes:
        method: The method's name.
        strengths: The strengths, as shares of words that may be altered.
        variants: The number of variants of each text and strength.
        terms: The reserved terms.
        resources: The files that methods read.
    """

    method: str
    strengths: tuple[float, ...]
    variants: int
    terms: tuple[str, ...]
    resources: LexicalResources


@dataclass(frozen=True)
class AugmentationTools:
    """The loaded objects that a method needs; some classes of the libraries read long word lists.

    Attributes:
        reserved: Finds the reserved terms.
        augmenters: Each strength with the method at that strength.
    """

    reserved: ReservedTerms
    augmenters: list[tuple[float, Augment]]

    @classmethod
    def of(cls, config: MethodConfig) -> "AugmentationTools":
        """Load the tools of a method."""
        augmenters = [
            (strength, make_augmenter(config.method, strength, config.resources)) for strength in config.strengths
        ]
        return cls(ReservedTerms(config.terms), augmenters)


# A process computes many chunks of texts with the same method, so it keeps the tools of the last one.
_cached_tools = lru_cache(maxsize=1)(AugmentationTools.of)


@dataclass
class Variant:
    """One variant of a text.

    Attributes:
        edits: Its differences from the text.
        refused: Groups of edits that were dropped because they touched a reserved term or changed a negation.
        error: The type of the library's exception, or None.
    """

    edits: list[Edit]
    refused: int = 0
    error: str | None = None


def compute_variants(texts: Sequence[str], config: MethodConfig) -> list[Variant]:
    """Compute the variants of texts.

    Args:
        texts: The texts.
        config: The method and its parameters.

    Returns:
        The variants in the order of texts, then strengths, then numbers.
    """
    with local_data(config.resources.lexicon):
        return _variants(texts, config, AugmentationTools.of(config))


def _variants(texts: Sequence[str], config: MethodConfig, tools: AugmentationTools) -> list[Variant]:
    return [
        _variant(
            text,
            spans,
            config.method,
            augmenter,
            derive_seed(0, text, config.method, augmenter[0], number),
        )
        for text, spans in ((text, tools.reserved.spans(text)) for text in texts)
        for augmenter in tools.augmenters
        for number in range(config.variants)
    ]


def _variant(
    text: str,
    spans: list[tuple[int, int]],
    method: str,
    augmenter: tuple[float, Augment],
    seed: int,
) -> Variant:
    """Return the first variant of a few seeds that differs from the text; many texts have no word to change."""
    variant, (strength, augment) = Variant([]), augmenter
    for attempt in range(_ATTEMPTS):
        try:
            with seeded_generators(derive_seed(seed, attempt)):
                new = augment(text)
        except Exception as error:  # the libraries raise errors of many types, and all are counted
            # The message is not kept, since it may hold the text.
            return Variant([], variant.refused, type(error).__name__)
        edits = [edit for edit in diff_edits(text, new, FINE) if not _only_spaced(text, edit, method)]
        touching = {edit.group for edit in edits if touches(edit, spans)} | groups_that_negate(edits, text)
        variant.refused += len(touching)
        edits = keep_groups(edits, {edit.group for edit in edits} - touching)
        edits = limit_edits(edits, text, strength, np.random.default_rng(seed))
        if (
            edits
            and words(result := apply_edits(text, edits))
            and count_altered_words(text, result) <= max_altered_words(text, strength)
        ):
            # Edits of whole words, so that merged edits of several methods never split a word.
            variant.edits = join_groups_that_negate(diff_edits(text, result, WHOLE), text)
            break
    return variant


def _only_spaced(text: str, edit: Edit, method: str) -> bool:
    """Return whether an edit only adds space around punctuation, as the libraries do when they join words."""
    old = text[edit.start : edit.end]
    same = "".join(old.split()) == "".join(edit.text.split())
    return same and not (method == "split" and old.isalnum())


@dataclass(frozen=True)
class _Chunk:
    """Some texts for a method, as the work of one call in a process."""

    texts: Sequence[str]
    config: MethodConfig

    def run(self) -> tuple[list[Variant], float]:
        """Return the variants of the texts, and the seconds that they took without loading the library."""
        with local_data(self.config.resources.lexicon):
            tools = _cached_tools(self.config)
            began = time.perf_counter()
            return _variants(self.texts, self.config, tools), time.perf_counter() - began


def write_missing_variants(
    texts: Sequence[str],
    configs: Mapping[str, MethodConfig],
    cache: Path,
    processes: int,
    done: Callable[[str], None] = lambda _: None,
) -> None:
    """Compute the variants that are not in the cache yet, and write their files.

    Args:
        texts: The texts of an agent.
        configs: The methods, by the keys of their files.
        cache: Folder of the bank's files.
        processes: Number of processes.
        done: Called with the key of each method that is finished.
    """
    chunks = [texts[start : start + _CHUNK] for start in range(0, len(texts), _CHUNK)]
    missing = {key: config for key, config in configs.items() if not counts_path(cache, key).exists()}
    spawn = multiprocessing.get_context("spawn")
    # The libraries draw from sets of words, whose order depends on the hash seed of the process.
    pool = ProcessPoolExecutor(processes, mp_context=spawn, initializer=collect_garbage_less_often)
    with environment_variables(PYTHONHASHSEED="0"), pool:
        # One pool for all methods, since loading a library takes a process many seconds.
        running = {
            key: [pool.submit(_Chunk.run, _Chunk(chunk, config)) for chunk in chunks]
            for key, config in missing.items()
        }
        for key, futures in running.items():
            results = [future.result() for future in futures]
            _write_variants(
                cache, key, [variant for made, _ in results for variant in made], sum(s for _, s in results)
            )
            done(key)


def bank_key(config: MethodConfig, texts: Sequence[str], *, tfidf: str, lexicon: str) -> str:
    """Return the hash of everything that a method's variants depend on.

    Args:
        config: The method and its parameters.
        texts: The texts.
        tfidf: The key of the TF-IDF fit that the method reads; '' if it reads none.
        lexicon: The fingerprint of the lexical data.

    Returns:
        24 hexadecimal digits.
    """
    ner = config.resources.ner
    parts = [
        FORMAT,
        config.method,
        config.strengths,
        config.variants,
        config.terms,
        config.resources.equivalents,
        "" if ner is None else [hash_file(ner) if ner.is_file() else str(ner), version("flair")],
        tfidf,
        lexicon,
        [version(name) for name in ("nlpaug", "textattack", "nltk", "numpy")],
        list(texts),
    ]
    return hash_value(parts, 24)


def bank_entry(config: MethodConfig, key: str, texts: Sequence[str], cache: Path, *, show: bool) -> BankEntry:
    """Return the entry of a method in the bank's manifest, from the files of `write_missing_variants`.

    Args:
        config: The method and its parameters.
        key: The key of its files.
        texts: The texts that the variants were computed for.
        cache: Folder of the bank's files.
        show: Whether to include up to three examples, which contain text of the corpus.

    Returns:
        The entry.
    """
    examples: list[tuple[str, str]] = []
    if show:
        bank = MethodVariants(variants_path(cache, key), config.strengths, config.variants)
        rows = np.arange(len(texts))
        made = bank.variants(rows, config.strengths[-1], np.zeros_like(rows))
        changed = [(text, apply_edits(text, edits)) for text, edits in zip(texts, made, strict=True) if edits]
        examples = changed[:: max(1, len(changed) // 3)][:3]
    note = None
    if config.method == "checklist" and config.resources.ner is None:
        note = "names and places stay as they are, no tagger is configured (augmentation.ner)"
    return BankEntry(key=key, note=note, examples=examples, **read_json(counts_path(cache, key)))


def _write_variants(cache: Path, key: str, made: Sequence[Variant], seconds: float) -> None:
    _write_edits(variants_path(cache, key), made)
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


def _write_edits(to: Path, made: Sequence[Variant]) -> None:
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
            text=np.frombuffer(b"".join(replacements), dtype=np.uint8),
            offsets=np.cumsum([0, *map(len, replacements)], dtype=np.int64),
            words=np.frombuffer("\n".join(brought).encode(), dtype=np.uint8),
        )
