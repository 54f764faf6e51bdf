"""Base classes of all models that are read from files. They refuse unknown keys and cannot be changed."""

from pydantic import BaseModel, ConfigDict


class FrozenSchema(BaseModel):
    """Base of the parts of documents, which this program writes and reads."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class StrictSchema(BaseModel):
    """Base of the parts of files that a person writes. It refuses values of another type, and converts none."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
