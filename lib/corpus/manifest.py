"""What a corpus folder holds, and who opened its test set; apart from the tables: it is read without pandas."""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from lib.files.documents import Document


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


class Opening(BaseModel):
    """A line of test_openings.jsonl: when the test set was opened, by which code, to judge what."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    when: str
    code_version: str
    config_hash: str
    model: str
