"""Requests of the page."""

from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field, model_validator

from lilliput.serve.openai.schemas import TokenId
from lilliput.serve.requests import JsonRequest

MOST_ALTERNATIVES = 50
"""Most alternatives shown for a token."""
MOST_ITEMS = 500
"""Most new items of one request."""
Text = Annotated[str, Field(min_length=1)]
Alternatives = Annotated[int, Field(ge=0, le=MOST_ALTERNATIVES)]


class PageRequest(JsonRequest):
    """A request of the page; an unknown key is a mistake."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, protected_namespaces=())


class ModelRequest(PageRequest):
    """A request about a model."""

    model: str


class ContinueRequest(ModelRequest):
    """A text to continue: a prompt, or the tokens of one."""

    prompt: str | None = None
    ids: Annotated[list[TokenId], Field(min_length=1)] | None = None
    seed: int = Field(default=1, ge=0, lt=2**64)
    top: Alternatives = 10
    options: dict[str, Any] = Field(default_factory=dict)
    """Sampling options, as `Writer.write` names them."""

    @model_validator(mode="after")
    def _one_start(self) -> Self:
        if self.prompt is not None and self.ids is not None:
            raise ValueError("give a prompt or ids, not both")
        return self


class ItemsRequest(ModelRequest):
    """New items of a list or a collection."""

    count: int = Field(default=20, ge=1, le=MOST_ITEMS)
    prompt: str = ""
    seed: int = Field(default=1, ge=0, lt=2**64)
    options: dict[str, Any] = Field(default_factory=dict)


class TextRequest(ModelRequest):
    """A text to look at."""

    text: Text


class ScoreRequest(TextRequest):
    """A text to score."""

    top: Alternatives = 10


class PredictionRequest(ModelRequest):
    """The tokens before the one to predict; the last `written` of them continue a prompt, the first with `rest`."""

    ids: list[TokenId] = Field(min_length=1)
    written: int = Field(default=0, ge=0)
    rest: str = ""
    top: Alternatives = 10
    options: dict[str, Any] | None = None
    """Sampling options, as `Writer.write` names them; without any, the prediction of the model alone."""

    @model_validator(mode="after")
    def _has_a_prompt(self) -> Self:
        if self.written >= len(self.ids):
            raise ValueError("written: fewer than ids, because a prompt has at least one token")
        return self


class InsideRequest(TextRequest):
    """A layer, and a head of a transformer."""

    layer: int = Field(default=0, ge=0, lt=10_000)
    head: int = Field(default=0, ge=0, lt=10_000)


class VerseRequest(PageRequest):
    """Verse to measure."""

    text: Text
    language: str
