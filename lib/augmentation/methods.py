"""The seventeen methods with the lexical data that they need, and the methods that are refused."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from lib.errors import UserError, unknown_name
from lib.settings.hyperparameters import AugmentationStrategy

Library = Literal["nlpaug", "textattack"]
Resource = Literal["wordnet", "stopwords", "tagger"]


@dataclass(frozen=True)
class Method:
    """A method of a library.

    Attributes:
        library: The library.
        what: What the method does, and the name of its class.
        needs: The lexical data that it reads.
    """

    library: Library
    what: str
    needs: tuple[Resource, ...] = ()


METHODS: dict[str, Method] = {
    "keyboard": Method("nlpaug", "a neighbouring key, as in typing errors (KeyboardAug)"),
    "ocr": Method("nlpaug", "a character that looks alike, as in errors of reading (OcrAug)"),
    "random_char": Method("nlpaug", "any other character (RandomCharAug, substitute)"),
    "random_word": Method("nlpaug", "neighbouring words change places (RandomWordAug, swap)"),
    "reserved": Method("nlpaug", "an equivalent phrase of the configured groups (ReservedAug)"),
    "spelling": Method("nlpaug", "usual spelling mistakes (SpellingAug)"),
    "split": Method("nlpaug", "a word is cut in two (SplitAug)"),
    "synonym": Method("nlpaug", "WordNet synonyms by part of speech (SynonymAug)", ("wordnet", "tagger")),
    "antonym": Method("nlpaug", "WordNet antonyms (AntonymAug)", ("wordnet", "tagger")),
    "tfidf": Method("nlpaug", "words of little TF-IDF weight replace each other (TfIdfAug)"),
    "char_swap": Method(
        "textattack", "characters swapped, replaced, lost, inserted (CharSwapAugmenter)", ("stopwords",)
    ),
    "deletion": Method("textattack", "words are left out (DeletionAugmenter)", ("stopwords",)),
    "swap": Method("textattack", "words change places (SwapAugmenter)", ("stopwords",)),
    "synonym_insertion": Method(
        "textattack", "a synonym of some word is inserted (SynonymInsertionAugmenter)", ("stopwords", "wordnet")
    ),
    "easy_data": Method("textattack", "one of EDA's four operations (EasyDataAugmenter)", ("stopwords", "wordnet")),
    "checklist": Method("textattack", "numbers, contractions, names and places (CheckListAugmenter)"),
    "wordnet": Method("textattack", "WordNet synonyms (WordNetAugmenter)", ("stopwords", "wordnet")),
}

_MODEL = "runs a language model for every text, which is too slow for a search, and its weights are not pinned here"
REFUSED = {
    "contextual_word_embs": _MODEL,
    "back_translation": _MODEL,
    "back_transcription": _MODEL,
    "clare": _MODEL,
    "abstractive_summary": _MODEL,
    "lambada": _MODEL,
    "embedding": "downloads 500 MB of word vectors on first use",
    "word_embs": "downloads gigabytes of word vectors on first use",
}


def check_method(name: str) -> None:
    """Raise UserError with the reason if a method is refused, or with the nearest name if it is unknown.

    Raises:
        UserError: The method is refused or unknown.
    """
    if name in REFUSED:
        raise UserError(f"method '{name}' is refused: {REFUSED[name]} (known: {', '.join(METHODS)})")
    if name not in METHODS:
        raise UserError(unknown_name("method", name, list(METHODS)))


def strategy_methods(strategy: AugmentationStrategy) -> tuple[str, ...]:
    """Return the names of the methods that a strategy draws from."""
    return tuple(n for n, method in METHODS.items() if strategy in {"all", "custom", method.library})


def strategies_methods(strategies: Iterable[AugmentationStrategy]) -> list[str]:
    """Return the names of the methods that any of the strategies draws from, without duplicates."""
    return list(dict.fromkeys(name for strategy in strategies for name in strategy_methods(strategy)))


def expected_method_shares(hyper: Mapping[str, float | str | bool | int]) -> dict[str, float]:
    """Return the expected share of training examples that each method is drawn for in an epoch.

    The share is approximate if an example gets several methods of unequal weight, since they are drawn without
    replacement.

    Args:
        hyper: The parameters of a trial under the names of the search space.

    Returns:
        A share in [0, 1] for each of the seventeen methods.
    """
    if not hyper["aug.enabled"]:
        return dict.fromkeys(METHODS, 0.0)
    names = strategy_methods(hyper["aug.strategy"])  # type: ignore[arg-type]
    custom = hyper["aug.strategy"] == "custom"
    weights = {name: float(hyper[f"aug.weight_{name}"]) if custom else 1.0 for name in names}
    total = sum(weights.values()) or 1.0
    often = float(hyper["aug.p_apply"]) * int(hyper["aug.ops_per_sample"])
    most = float(hyper["aug.p_apply"])
    return {name: min(most, often * weights.get(name, 0.0) / total) for name in METHODS}
