"""The `[data]` section of a recipe."""

from typing import Annotated

from pydantic import Field, field_validator, model_validator

from lilliput.corpus.settings import LabelKind, ReadSettings, SplitSettings
from lilliput.settings import Settings

Share = Annotated[float, Field(ge=0, le=1)]


class ArithmeticSettings(Settings):
    """Sums, generated from the recipe's seed instead of read from a file."""

    digits: Annotated[int, Field(ge=1, le=18)] = 3
    """Maximum digits of an operand; operands are uniform over all numbers with at most this many digits."""
    operands: Annotated[int, Field(ge=2, le=9)] = 2
    """Number of operands."""
    reverse: bool = False
    """Write the answer units first, in the order of the carries."""
    reverse_numbers: bool = False
    """Write the operands units first, too."""
    padding: bool = False
    """Pad all numbers with leading zeros to one length."""
    training: Annotated[int, Field(ge=1, le=10_000_000)] = 100_000
    """Number of training problems, all different."""
    validation: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    """Number of validation problems, drawn first; none is in the training set, in any order of its operands."""
    edges: bool | None = None
    """Hold out up to ten extra edge cases (0+0, 99+1, 99+99, ...); by default from four digits on, since random
    problems rarely have long carries."""
    carries: Share = 0.0
    """Share of the training problems with a carry through neighbouring digits; for two operands."""
    shorter: Share = 0.0
    """Share of the training problems with a uniform number of digits for each operand."""

    @model_validator(mode="after")
    def _fits(self) -> "ArithmeticSettings":
        if self.carries + self.shorter > 1:
            raise ValueError(f"carries + shorter is {self.carries + self.shorter:g}: lower them to a sum of at most 1")
        if self.carries and self.operands != 2:
            raise ValueError(f"carries needs two operands, not {self.operands}: remove carries")
        return self


class DataSettings(ReadSettings):
    """The training text, the validation text, and the context length."""

    corpus: tuple[str, ...] = ()
    """Files, folders or the name of one known corpus; or one `.jsonl` file of prompts and answers."""
    validation: str | None = None
    """A separate validation text; by default a part of the corpus, chosen by `split`."""
    window: Annotated[int, Field(ge=1)] = 128
    """Context length in tokens; shrinks to a shorter text, or to the longest prompt with its answer."""
    split: SplitSettings = SplitSettings()
    labels: LabelKind | None = None
    """Label each document by its file name, its folder name, or the field `label` of a table; `lilliput sample --label`
    then writes one kind of text."""
    arithmetic: ArithmeticSettings | None = None
    """Sums instead of a text."""

    @field_validator("corpus", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_source(self) -> "DataSettings":
        if self.arithmetic is not None and (self.corpus or self.validation is not None):
            raise ValueError("data.arithmetic generates its own problems. Remove data.corpus and data.validation")
        return self
