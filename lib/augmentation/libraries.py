"""Create the augmenters of nlpaug and TextAttack.

The libraries are imported on first use, which takes seconds. Only processes that compute variants do so.
"""

import os
import random
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lib.augmentation.methods import METHODS
from lib.errors import UserError

Augment = Callable[[str], str]


@dataclass(frozen=True)
class LexicalResources:
    """The data that methods read.

    Attributes:
        lexicon: Folder of lexical data in the layout of NLTK.
        tfidf: Folder of an agent's TF-IDF cache, for `tfidf`.
        equivalents: Groups of phrases that may replace each other, for `reserved`.
        ner: flair tagger of names and places, for `checklist`, which changes neither without one.
    """

    lexicon: Path
    tfidf: Path | None = None
    equivalents: tuple[tuple[str, ...], ...] = ()
    ner: Path | None = None


def make_augmenter(method: str, strength: float, resources: LexicalResources) -> Augment:
    """Return a function that augments a text with the class of a library.

    Call this and the function within `local_data`. The classes draw from the global generators of `random` and numpy,
    so call the function within `seeded_generators`, too.

    Args:
        method: The name of a known method.
        strength: The share of words that may be altered, in (0, 1].
        resources: The data that methods read.

    Returns:
        A function that maps a text to its variant.

    Raises:
        UserError: The method is `tfidf`, and there is no TF-IDF cache.
    """
    if METHODS[method].library == "nlpaug":
        augmenter = _nlpaug(method, strength, resources)
        return lambda text: str((augmenter.augment(text) or [text])[0])
    augmenter = _textattack(method, strength, resources)
    return lambda text: str((augmenter.augment(text) or [text])[0])


@contextmanager
def seeded_generators(seed: int) -> Iterator[None]:
    """Seed the global generators of `random` and numpy within the block, and restore their states after it.

    Args:
        seed: Seed of both generators; numpy gets it modulo 2^32.
    """
    python_state, numpy_state = random.getstate(), np.random.get_state()
    random.seed(seed)
    np.random.seed(seed % 2**32)
    try:
        yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)


@contextmanager
def environment_variables(**values: str) -> Iterator[None]:
    """Set environment variables within the block, and restore them after it.

    Args:
        values: The variables.
    """
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def local_data(lexicon: Path) -> Iterator[None]:
    """Restrict NLTK to the lexicon, prevent its downloads, and keep TextAttack and flair out of $HOME in the block.

    A needless warning of transformers is silenced, too. TextAttack and flair read their folders when they are first
    imported, which must happen within such a block.

    Args:
        lexicon: Folder of lexical data in the layout of NLTK. TextAttack and flair get a folder in it.
    """
    cache = lexicon.resolve() / "textattack"
    cache.mkdir(parents=True, exist_ok=True)
    (cache / "post_install_check_3").touch()  # without it, importing TextAttack downloads data
    import nltk

    folders, download = list(nltk.data.path), nltk.download
    with (
        environment_variables(TA_CACHE_DIR=str(cache), FLAIR_CACHE_ROOT=str(cache / "flair")),
        warnings.catch_warnings(),
    ):
        warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")
        nltk.data.path[:], nltk.download = [str(lexicon)], lambda *_, **__: True
        try:
            yield
        finally:
            nltk.data.path[:], nltk.download = folders, download


def _nlpaug(method: str, strength: float, resources: LexicalResources) -> Any:
    import nlpaug.augmenter.char as nac
    import nlpaug.augmenter.word as naw

    groups = [list(group) for group in resources.equivalents]
    characters = {"aug_word_p": strength, "aug_word_max": None}
    some = {"aug_p": strength, "aug_max": None}
    makers: dict[str, Callable[[], Any]] = {
        "keyboard": lambda: nac.KeyboardAug(**characters),
        "ocr": lambda: nac.OcrAug(**characters),
        "random_char": lambda: nac.RandomCharAug(action="substitute", **characters),
        # A swap alters two words.
        "random_word": lambda: naw.RandomWordAug(action="swap", aug_p=strength / 2, aug_max=None),
        "reserved": lambda: naw.ReservedAug(reserved_tokens=groups, case_sensitive=False, **some),
        "spelling": lambda: naw.SpellingAug(**some),
        "split": lambda: naw.SplitAug(**some),
        "synonym": lambda: naw.SynonymAug(aug_src="wordnet", **some),
        "antonym": lambda: naw.AntonymAug(**some),
        "tfidf": lambda: naw.TfIdfAug(model_path=str(resources.tfidf), **some),
    }
    if method == "tfidf" and resources.tfidf is None:
        raise UserError("method 'tfidf' reads the TF-IDF cache of an agent; give its name with --agent")
    augmenter = makers[method]()
    if method == "tfidf":
        # nlpaug reads the cache once a process, so the cache of another split would stay in use.
        augmenter.model = augmenter.get_model(force_reload=True)
    return augmenter


def _textattack(method: str, strength: float, resources: LexicalResources) -> Any:
    from textattack.augmentation import recipes as ta

    options = {"pct_words_to_swap": strength, "transformations_per_example": 1}
    if method == "checklist":
        return _checklist(ta.CheckListAugmenter(**options), resources.ner)
    classes = {
        "char_swap": ta.CharSwapAugmenter,
        "deletion": ta.DeletionAugmenter,
        "swap": ta.SwapAugmenter,
        "synonym_insertion": ta.SynonymInsertionAugmenter,
        "easy_data": ta.EasyDataAugmenter,
        "wordnet": ta.WordNetAugmenter,
    }
    return classes[method](**options)


def _checklist(augmenter: Any, ner: Path | None) -> Any:
    from textattack.transformations import WordSwapChangeLocation, WordSwapChangeName

    if ner is None:
        tagged = (WordSwapChangeLocation, WordSwapChangeName)
        parts = augmenter.transformation.transformations
        augmenter.transformation.transformations = [part for part in parts if not isinstance(part, tagged)]
        return augmenter
    from flair.models import SequenceTagger
    from textattack.shared.utils import strings

    strings._flair_taggers["ner"] = SequenceTagger.load(str(ner))
    return augmenter
