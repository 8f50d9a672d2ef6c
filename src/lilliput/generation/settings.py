"""The settings of sampling. `filters` and `sampling` implement them."""

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from lilliput.corpus.text.cleaning import canonical
from lilliput.settings import Settings

Unit = Literal["word", "line", "sentence", "paragraph", "stanza"]
Temperature = Annotated[float, Field(ge=0, le=100)]


def _canonical(value: object) -> object:
    return canonical(value) if isinstance(value, str) else value


Text = Annotated[str, BeforeValidator(_canonical), Field(min_length=1)]
"""In the canonical form of training texts; any other form would never match."""


class SamplingSettings(Settings):
    """How to sample tokens. A text has at most `max_tokens` tokens and `max_characters` characters.

    `temperature` 0 always takes the most likely token; `temperatures` replaces it by several, used in turn. A text ends
    before a string of `stop`, or after the first word, line, sentence, paragraph or stanza (`until`). `bias` and `ban`
    name tokens by their text. The new text matches the regular expression `match`, has only characters of `allow` and
    none of `forbid`, and lines of at most `line_length` characters; `acrostic` gives the first letters of its lines.
    More than one of `beams` means beam search instead of sampling. `label` selects one kind of the training documents.
    """

    temperature: Temperature = 0.8
    temperatures: tuple[Temperature, ...] = ()
    top_k: int | None = Field(default=None, ge=1)
    top_p: float | None = Field(default=None, gt=0, le=1)
    min_p: float | None = Field(default=None, gt=0, le=1)
    typical: float | None = Field(default=None, gt=0, le=1)
    xtc_threshold: float = Field(default=0.1, gt=0, le=0.5)
    xtc_probability: float = Field(default=0.0, ge=0, le=1)
    repetition_penalty: float = Field(default=1.0, ge=0.01)
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    penalty_window: int = Field(default=64, ge=1)
    no_repeat_ngram: int | None = Field(default=None, ge=1)
    bias: dict[Text, float] = Field(default_factory=dict)
    ban: tuple[Text, ...] = ()
    max_tokens: int = Field(default=500, ge=1)
    max_characters: int | None = Field(default=None, ge=1)
    stop: tuple[Text, ...] = ()
    until: Unit | None = None
    match: Text | None = None
    allow: Text | None = None
    forbid: Text | None = None
    line_length: int | None = Field(default=None, ge=1)
    acrostic: Text | None = None
    beams: int = Field(default=1, ge=1, le=4096)
    beam_groups: int = Field(default=1, ge=1)
    diversity: float = Field(default=0.5, ge=0)
    length_penalty: float = 1.0
    label: Annotated[str, Field(min_length=1)] | None = None

    @field_validator("stop", "ban", "temperatures", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        return (value,) if isinstance(value, str | int | float) else value

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.beams % self.beam_groups:
            raise ValueError(
                f"beam_groups = {self.beam_groups} does not divide beams = {self.beams}: make beams a multiple of it"
            )
        return self


class SampleSettings(SamplingSettings):
    """The samples during training, and the defaults of `lilliput sample`."""

    prompts: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(min_length=1)] = ("\n",)

    @field_validator("prompts", mode="before")
    @classmethod
    def _one_prompt(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value
