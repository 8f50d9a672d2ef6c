"""The `[data]` section of a recipe."""

from typing import Annotated

from pydantic import Field, field_validator, model_validator

from lilliput.corpus.settings import LabelKind, ReadSettings, SplitSettings
from lilliput.settings import Settings

Share = Annotated[float, Field(ge=0, le=1)]


class ArithmeticSettings(Settings):
    """Sums to be learnt, made from the recipe's seed instead of read from a file."""

    digits: Annotated[int, Field(ge=1, le=18)] = 3
    """Most digits of a number that is added; every number from 0 on that has no more is as likely as any other."""
    operands: Annotated[int, Field(ge=2, le=9)] = 2
    """How many numbers are added."""
    reverse: bool = False
    """Whether the answer is written units first, in the order in which carries arise."""
    reverse_numbers: bool = False
    """Whether the numbers that are added are written units first as well."""
    padding: bool = False
    """Whether all numbers are filled with zeros to one length, before their first digit."""
    training: Annotated[int, Field(ge=1, le=10_000_000)] = 100_000
    """Problems to learn, all different."""
    validation: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    """Problems held out, drawn first; none of them is learnt, in whatever order its numbers stand."""
    edges: bool | None = None
    """Whether up to ten hand-picked problems (0+0, 99+1, 99+99, ...) are held out beside these; by default from four
    digits on, where chance alone hardly meets long carries."""
    carries: Share = 0.0
    """Share of the problems to learn in which a carry runs on through neighbouring digits; for two operands."""
    shorter: Share = 0.0
    """Share of the problems to learn in which each number has any number of digits, as likely as any other."""

    @model_validator(mode="after")
    def _fits(self) -> "ArithmeticSettings":
        if self.carries + self.shorter > 1:
            raise ValueError(f"carries and shorter are shares of one whole and come to {self.carries + self.shorter:g}")
        if self.carries and self.operands != 2:
            raise ValueError(f"carries are built for two operands, not {self.operands}; leave carries out")
        return self


class DataSettings(ReadSettings):
    """Which text is learnt, which is held out, and how much of it the model sees at once."""

    corpus: tuple[str, ...] = ()
    """Files, folders or the name of one known corpus; or one `.jsonl` file of prompts and answers."""
    validation: str | None = None
    """A separate text to validate on; without it a part of the corpus is held out, as `split` says."""
    window: Annotated[int, Field(ge=1)] = 128
    """Context length in tokens; a shorter text shrinks it, and so do prompts and answers that are all shorter."""
    split: SplitSettings = SplitSettings()
    labels: LabelKind | None = None
    """What tells the kinds of documents apart, of which one can be asked for: their files' names, their folders' names,
    or the field `label` of a table."""
    arithmetic: ArithmeticSettings | None = None
    """Sums in place of a text."""

    @field_validator("corpus", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_source(self) -> "DataSettings":
        if self.arithmetic is not None and (self.corpus or self.validation is not None):
            raise ValueError("data.arithmetic makes its own problems; leave out data.corpus and data.validation")
        return self
