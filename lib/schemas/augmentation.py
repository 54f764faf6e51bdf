"""The manifests of the lexicon and of the bank of augmented texts."""

from typing import ClassVar

from lib.pydantic_base import FrozenSchema
from lib.schemas.document import Document


class Lexicon(Document):
    """The contents of results/lexicon.

    Attributes:
        sources: The source of each resource.
        missing: The resources that were found in no source.
        fingerprint: The hash of all files.
    """

    KIND: ClassVar[str] = "lexicon"
    FILE: ClassVar[str] = "lexicon.json"

    sources: dict[str, str]
    missing: list[str]
    fingerprint: str


class BankEntry(FrozenSchema):
    """What a method did to the texts, with counts over all (text, strength, variant).

    Attributes:
        key: Name of the file in the cache.
        changed: Variants that differ from their text.
        unchanged: Variants that equal their text, also because of an error.
        refused: Groups of edits that were dropped because they touched a reserved term or changed a negation.
        errors: Errors of the library, by the type of exception.
        note: What a user should know about the method's result, or None.
        examples: Some (text, variant) pairs, for a generated corpus only.
        performance: Milliseconds per variant and bytes of the file.
    """

    key: str
    changed: int
    unchanged: int
    refused: int
    errors: dict[str, int]
    note: str | None
    examples: list[tuple[str, str]]
    performance: dict[str, float]


class SplitTfidf(FrozenSchema):
    """What was fitted on the training part of a split.

    Attributes:
        tfidf: Key of the TF-IDF fit.
        variants: Name of the file with the variants of the method `tfidf`.
    """

    tfidf: str
    variants: str


class BankManifest(Document):
    """The variants of an agent's texts by method.

    Attributes:
        agent: Name of the agent.
        texts: Number of texts.
        levels: The strengths.
        variants: Number of variants of each text, method and strength.
        methods: What each method did; `tfidf` with a fit on all development posts, as the final model uses it.
        splits: What each split that the graph trains on has for itself, by its name.
        performance: Seconds and bytes.
    """

    KIND: ClassVar[str] = "augmentation_bank"
    VERSION: ClassVar[int] = 2
    FILE: ClassVar[str] = "bank.json"

    agent: str
    texts: int
    levels: list[float]
    variants: int
    methods: dict[str, BankEntry]
    splits: dict[str, SplitTfidf]
    performance: dict[str, float]
