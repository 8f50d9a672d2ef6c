"""Requests of OpenAI's API. Unknown fields are ignored; known ones that a model cannot follow are refused by name."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from lilliput.serve.requests import JsonRequest

MOST_TOKENS = 16_384
"""Most tokens of one text."""
MOST_CHOICES = 128
"""Most texts that one request may ask for."""

TokenId = Annotated[int, Field(ge=0, lt=2**31)]
Ids = Annotated[list[TokenId], Field(min_length=1)]
Stop = Annotated[str, Field(min_length=1, max_length=1000)]


class StreamOptions(BaseModel):
    """Options of a stream."""

    include_usage: bool | None = False


class GenerationRequest(JsonRequest):
    """What completions and chat completions have in common, and three options that OpenAI does not have."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False, protected_namespaces=())

    model: str
    n: int | None = Field(default=None, ge=1, le=MOST_CHOICES)
    temperature: float | None = Field(default=None, ge=0, le=100)
    top_p: float | None = Field(default=None, gt=0, le=1)
    top_k: int | None = Field(default=None, ge=0, description="0 or null: no limit")
    min_p: float | None = Field(default=None, ge=0, le=1)
    repetition_penalty: float | None = Field(default=None, ge=0.01, le=100)
    presence_penalty: float | None = Field(default=None, ge=-2, le=2)
    frequency_penalty: float | None = Field(default=None, ge=-2, le=2)
    logit_bias: dict[str, Annotated[float, Field(ge=-100, le=100)]] | None = None
    stop: Stop | Annotated[list[Stop], Field(max_length=16)] | None = None
    seed: int | None = Field(default=None, ge=-(2**63), lt=2**64)
    stream: bool | None = False
    stream_options: StreamOptions | None = None

    @field_validator("logit_bias")
    @classmethod
    def _names_tokens(cls, value: dict[str, float] | None) -> dict[str, float] | None:
        for key in value or {}:
            if not (key.isascii() and key.isdigit() and len(key) < 10):
                raise ValueError(f"{key!r} is not the id of a token")
        return value

    def options(self) -> dict[str, Any]:
        """Return the options that were given, as `Writer.write` names them."""
        options: dict[str, Any] = {
            name: getattr(self, name)
            for name in ("temperature", "top_p", "repetition_penalty", "presence_penalty", "frequency_penalty")
            if getattr(self, name) is not None
        }
        # 0 means no limit for these two; the settings say None.
        options |= {name: getattr(self, name) or None for name in ("top_k", "min_p") if getattr(self, name) is not None}
        if self.temperature is not None:
            options["temperatures"] = ()
        return options

    def stops(self) -> tuple[str, ...]:
        """Return the strings that end a text."""
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())

    @property
    def choices(self) -> int:
        """Return the number of texts for each prompt."""
        return 1 if self.n is None else self.n

    @property
    def includes_usage(self) -> bool:
        """Return whether a stream ends with the numbers of tokens."""
        return self.stream_options is not None and bool(self.stream_options.include_usage)


def _refuse(request: Any, reasons: dict[str, str], harmless: dict[str, tuple[Any, ...]]) -> Any:
    """Raise ValueError if a request has a field that cannot be followed, unless its value changes nothing."""
    if isinstance(request, dict):
        for name, reason in reasons.items():
            if name in request and request[name] not in (None, [], {}, *harmless.get(name, ())):
                raise ValueError(f"{name} is not supported: {reason}")
    return request


class CompletionRequest(GenerationRequest):
    """A request to `/v1/completions`."""

    prompt: (
        str
        | Annotated[list[str], Field(min_length=1, max_length=MOST_CHOICES)]
        | Ids
        | Annotated[list[Ids], Field(min_length=1, max_length=MOST_CHOICES)]
        | None
    ) = None
    max_tokens: int | None = Field(default=None, ge=0, le=MOST_TOKENS)
    logprobs: int | None = Field(default=None, ge=0, le=20)
    echo: bool | None = False

    @model_validator(mode="before")
    @classmethod
    def _supported(cls, request: Any) -> Any:
        harmless = {"best_of": (1, request.get("n") if isinstance(request, dict) else 1)}
        reasons = {
            "suffix": "use lilliput sample --suffix",
            "best_of": "use n and choose by logprobs",
        }
        return _refuse(request, reasons, harmless)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.max_tokens == 0 and not self.echo:
            raise ValueError("max_tokens = 0 needs echo = true: without it the answer would be empty")
        if len(self.prompts) * self.choices > MOST_CHOICES:
            raise ValueError(f"prompts times n is {len(self.prompts) * self.choices}: ask for {MOST_CHOICES} at most")
        return self

    @property
    def prompts(self) -> list[str | list[int] | None]:
        """Return the prompts, each a text or token ids; None stands for the default prompt of the model."""
        prompt = self.prompt
        if prompt is None or isinstance(prompt, str):
            return [prompt]
        if isinstance(prompt[0], int):
            return [[id_ for id_ in prompt if isinstance(id_, int)]]
        return [part for part in prompt if not isinstance(part, int)]


class TextPart(BaseModel):
    """A part of a message."""

    type: Literal["text", "input_text"]
    text: str


class Message(BaseModel):
    """A message of a chat."""

    role: str = Field(min_length=1, max_length=100)
    content: str | list[TextPart] | None = None

    @property
    def text(self) -> str:
        """Return the text of the message."""
        if self.content is None or isinstance(self.content, str):
            return self.content or ""
        return "".join(part.text for part in self.content)


class ChatRequest(GenerationRequest):
    """A request to `/v1/chat/completions`."""

    messages: list[Message] = Field(min_length=1, max_length=1000)
    max_tokens: int | None = Field(default=None, ge=1, le=MOST_TOKENS)
    max_completion_tokens: int | None = Field(default=None, ge=1, le=MOST_TOKENS)
    logprobs: bool | None = False
    top_logprobs: int | None = Field(default=None, ge=0, le=20)

    @model_validator(mode="before")
    @classmethod
    def _supported(cls, request: Any) -> Any:
        reasons = {
            "tools": "the model continues texts and calls no functions",
            "functions": "the model continues texts and calls no functions",
            "response_format": "the model writes plain text",
            "audio": "the model writes plain text",
            "modalities": "the model writes plain text",
        }
        return _refuse(request, reasons, {"response_format": ({"type": "text"},), "modalities": (["text"],)})

    @model_validator(mode="after")
    def _has_text(self) -> Self:
        if not any(message.text for message in self.messages):
            raise ValueError("the messages have no text: give one with content")
        if self.top_logprobs and not self.logprobs:
            raise ValueError("top_logprobs needs logprobs = true")
        return self

    @property
    def prompt(self) -> str:
        """Return the text to continue: the texts of all messages, each on lines of its own."""
        return "\n".join(message.text for message in self.messages if message.text)
