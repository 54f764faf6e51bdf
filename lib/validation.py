"""The bases of all models that are read from files: unknown keys are refused, values never change."""

from pydantic import BaseModel, ConfigDict


class FrozenModel(BaseModel):
    """A part of a document that this program writes and reads again."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class StrictModel(BaseModel):
    """A part of a file that a person writes: a value of another type is refused, not converted."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
