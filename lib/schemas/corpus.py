"""The manifests of the corpus and of its TF-IDF cache."""

from typing import Any, ClassVar

from lib.schemas.document import Document


class CorpusManifest(Document):
    """corpus.json, the counts, criteria and hash of a corpus.

    Attributes:
        generated: Whether the corpus was generated.
        corpus_hash: Hash of everything that a model could learn from, see `Corpus.hash`.
        posts: Number of posts by part.
        annotations: Number of annotations by part.
        positives: Number of positive annotations by part.
        groups: Number of groups of posts by part.
        unannotated_means: Whether a pair without an annotation is negative or unknown.
        excluded_criteria: Criteria that are left out of the scores.
        criteria: Criterion id to text.
        oddities: Kind of oddity to the rows where it was found.
    """

    KIND: ClassVar[str] = "corpus"
    VERSION: ClassVar[int] = 2
    FILE: ClassVar[str] = "corpus.json"

    generated: bool
    corpus_hash: str
    posts: dict[str, int]
    annotations: dict[str, int]
    positives: dict[str, int]
    groups: dict[str, int]
    unannotated_means: str
    excluded_criteria: tuple[str, ...]
    criteria: dict[str, str]
    oddities: dict[str, list[str]]


class TfidfManifest(Document):
    """manifest.json of the TF-IDF folder.

    Attributes:
        key: Hash of the texts and the settings.
        texts: Number of texts.
        features: Number of features.
        performance: Seconds of the fit, and whether it was reused.
    """

    KIND: ClassVar[str] = "tfidf"
    FILE: ClassVar[str] = "manifest.json"

    agent: str
    key: str
    texts: int
    features: int
    performance: dict[str, Any]
