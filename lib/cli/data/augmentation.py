"""What the commands of augmentation share: methods, reserved terms, resources."""

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from lib.errors import UserError
from lib.settings.load import Settings

if TYPE_CHECKING:
    from lib.augmentation.libraries import Resources


def searched_methods(config: Settings) -> list[str]:
    """Name the augmentation methods that the space may ask for."""
    from lib.augmentation.methods import strategies_methods

    return strategies_methods(config.space.strategies) if config.space.augments else []


def reserved_terms(config: Settings, criteria: dict[str, str]) -> tuple[str, ...]:
    """Return all terms that are never altered: those of the file, and the key terms of the corpus' criteria."""
    own = [term for name in criteria for term in config.words.criteria.get(name, ())]
    return tuple(sorted({*config.words.reserved, *own}))


def method_resources(options: Namespace, config: Settings, tfidf: Path | None) -> "Resources":
    from lib.augmentation.libraries import Resources

    ner = config.config.augmentation.ner
    if ner is not None and not Path(ner).exists():
        raise UserError(f"augmentation.ner: {ner} is missing; name a flair tagger's file, or null to do without")
    return Resources(
        options.results / "lexicon", tfidf, config.words.equivalents, Path(ner) if ner is not None else None
    )
