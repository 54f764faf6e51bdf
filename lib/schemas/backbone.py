"""The document of a backbone folder."""

from typing import Any, ClassVar

from lib.schemas.document import Document


class BackboneManifest(Document):
    """The contents of a backbone folder, and their source."""

    KIND: ClassVar[str] = "backbone"
    FILE: ClassVar[str] = "backbone.json"

    name: str
    source: dict[str, Any]
    resolved: str
    architecture: str
    parameters: int
    fingerprint: str
