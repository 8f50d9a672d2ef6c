"""The `[data]` section of a recipe."""

from typing import Annotated

from pydantic import Field, field_validator

from lilliput.corpus import SplitSettings
from lilliput.settings import Settings


class DataSettings(Settings):
    """Which text is learnt, which is held out, and how much of it the model sees at once."""

    corpus: tuple[str, ...] = ()
    """Files, folders or the name of one known corpus."""
    validation: str | None = None
    """A text of its own to be measured on; without it a part of the corpus is held out, as `split` says."""
    window: Annotated[int, Field(ge=1)] = 128
    """Context length in tokens; a shorter text shrinks it."""
    split: SplitSettings = SplitSettings()

    @field_validator("corpus", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value
