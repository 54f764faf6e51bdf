"""What a corpus folder holds. Apart from the tables, so that it is read without pandas."""

from typing import ClassVar

from lib.schemas.document import Document


class CorpusManifest(Document):
    """corpus.json: how many of what, and the hash that stands for all of it."""

    KIND: ClassVar[str] = "corpus"

    generated: bool
    corpus_hash: str
    posts: dict[str, int]
    annotations: dict[str, int]
    positives: dict[str, int]
    criteria: dict[str, str]
    oddities: dict[str, list[str]]
