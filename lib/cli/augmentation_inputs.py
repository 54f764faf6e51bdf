"""Share the methods, reserved terms and resources of the augmentation commands."""

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from lib.errors import UserError
from lib.settings.load import Settings

if TYPE_CHECKING:
    from lib.augmentation.libraries import LexicalResources


def searched_methods(settings: Settings) -> list[str]:
    """Return the names of the augmentation methods that the space can suggest; [] without augmentation."""
    from lib.augmentation.methods import strategies_methods

    return strategies_methods(settings.space.augmentation_strategies) if settings.space.augments else []


def reserved_terms(settings: Settings, criteria: dict[str, str]) -> tuple[str, ...]:
    """Return all terms that augmentation never changes.

    Args:
        settings: Gives the reserved terms and the key terms of criteria.
        criteria: Criteria of the corpus, by name; only their names are used.

    Returns:
        The reserved terms and the key terms of these criteria, sorted.
    """
    own = [term for name in criteria for term in settings.words.criteria.get(name, ())]
    return tuple(sorted({*settings.words.reserved, *own}))


def method_resources(options: Namespace, settings: Settings, tfidf: Path | None) -> "LexicalResources":
    """Return the files and phrases that augmentation methods need.

    Args:
        options: Arguments of the command; only results is used, for the folder of the lexicon.
        settings: Gives the equivalent phrases and the file of the flair tagger.
        tfidf: Folder of an agent's TF-IDF cache; None to do without the method that needs it.

    Returns:
        The resources; none is loaded yet.

    Raises:
        UserError: The file of the flair tagger is missing.
    """
    from lib.augmentation.libraries import LexicalResources

    ner = settings.config.augmentation.ner
    if ner is not None and not Path(ner).exists():
        raise UserError(f"augmentation.ner: {ner} is missing; set it to a flair tagger's file or to null")
    return LexicalResources(
        options.results / "lexicon", tfidf, settings.words.equivalents, Path(ner) if ner is not None else None
    )
