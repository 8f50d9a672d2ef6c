"""From a request of OpenAI's API to texts that a model writes: prompts, settings, seeds, log-probabilities."""

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lilliput.generation.filters import Filter, bias
from lilliput.generation.settings import SampleSettings
from lilliput.generation.text import Piece
from lilliput.models import RecurrentSettings
from lilliput.serve.errors import ApiError
from lilliput.serve.models import ServedModel
from lilliput.serve.openai.schemas import GenerationRequest
from lilliput.serve.texts import Prompt
from lilliput.tokenizers import Tokenizer
from lilliput.tokenizers.escape import BROKEN, NIBBLE_RUN, to_hex
from lilliput.writer import Writer
from lilliput.writer.scoring import ScoredToken


def settings_of(request: GenerationRequest, model: ServedModel, max_tokens: int | None) -> SampleSettings:
    """Return the sampling options of a request. Raises GenerationError for impossible ones."""
    writer = model.writer
    options = request.options() | {"beams": 1, "beam_groups": 1}
    if max_tokens is not None:
        options["max_tokens"] = max_tokens
    if stops := request.stops():
        options["stop"] = tuple(dict.fromkeys([*stops, *writer.settings.stop]))
    return writer.sampling(options)


def seeds_of(request: GenerationRequest, count: int) -> list[int]:
    """Return a seed for each text: consecutive ones from that of the request, or else from a random one."""
    first = random.SystemRandom().randrange(2**32) if request.seed is None else request.seed
    return [(first + number) % 2**64 for number in range(count)]


def biases(request: GenerationRequest, model: ServedModel) -> list[Filter]:
    """Return the filters of `logit_bias`. Raises ApiError for a token that the model does not have."""
    by_token = {int(key): value for key, value in (request.logit_bias or {}).items()}
    if not by_token:
        return []
    if max(by_token) >= model.writer.model.vocab_size:
        raise ApiError(
            400,
            f"logit_bias: there is no token {max(by_token)}: the last one is {model.writer.model.vocab_size - 1}",
            param="logit_bias",
        )
    return [bias(by_token)]


def prompt_ids(writer: Writer, prompt: Prompt, settings: SampleSettings) -> list[int]:
    """Return the tokens of a prompt."""
    return writer.encode(writer.start(prompt), settings) if isinstance(prompt, str | None) else prompt


def require_fit(writer: Writer, ids: Sequence[int]) -> None:
    """Raise ApiError for a prompt that is longer than the context of a transformer."""
    recurrent = isinstance(writer.model.network_alone().settings, RecurrentSettings)
    if not recurrent and len(ids) > writer.model.context:
        raise ApiError(
            400,
            f"the prompt has {len(ids)} tokens, and the model reads {writer.model.context}: shorten the prompt",
            param="prompt",
            code="context_length_exceeded",
        )


def token_bytes(tokenizer: Tokenizer, token: int) -> bytes:
    """Return the bytes of one token. Tokens of small vocabularies may be half a byte, which is left out."""
    parts = NIBBLE_RUN.split(tokenizer.pieces[token])
    digits = "".join(to_hex(part) if index % 2 else part.encode("utf-8").hex() for index, part in enumerate(parts))
    return bytes.fromhex(digits[: len(digits) - len(digits) % 2])


def token_text(tokenizer: Tokenizer, token: int) -> str:
    """Return the text of one token, as OpenAI's API writes it: bytes that are no whole character as `bytes:\\xe2`."""
    text = tokenizer.decode([token])
    if BROKEN not in text or not NIBBLE_RUN.search(tokenizer.pieces[token]):
        return text
    # The id keeps the names of halves of bytes apart.
    data = token_bytes(tokenizer, token)
    return "bytes:" + ("".join(f"\\x{byte:02x}" for byte in data) or f"half-{token}")


@dataclass
class TokenLogprobs:
    """The log-probabilities of some tokens, as `/v1/completions` returns them."""

    tokenizer: Tokenizer
    count: int
    """Number of alternatives at each token."""
    offset: int = 0
    """Characters of the text before the tokens."""
    rest: str = ""
    """End of a healed prompt that is echoed: the first new token begins with it."""
    tokens: list[str] = field(default_factory=list)
    token_logprobs: list[float | None] = field(default_factory=list)
    top_logprobs: list[dict[str, float] | None] = field(default_factory=list)
    text_offset: list[int] = field(default_factory=list)

    def add(self, token: int, text: str, log_probability: float | None, top: Sequence[tuple[int, float]]) -> None:
        """Add a token, which adds `text` to the result."""
        name = token_text(self.tokenizer, token)
        alternatives: dict[str, float] = {}
        for id_, value in top[: self.count]:
            alternatives.setdefault(token_text(self.tokenizer, id_), value)
        if log_probability is not None:
            alternatives.setdefault(name, log_probability)
        self.tokens.append(name)
        self.token_logprobs.append(log_probability)
        self.top_logprobs.append(alternatives if log_probability is not None else None)
        self.text_offset.append(self.offset)
        self.offset += len(text)

    def add_piece(self, piece: Piece) -> None:
        """Add a token that the model wrote."""
        if piece.token is None or piece.probability is None:
            self.offset += len(piece.text)
        else:
            self.add(piece.token, self.rest + piece.text, logarithm(piece.probability), piece.top)
            self.rest = ""

    def add_scored(self, scored: Sequence[ScoredToken]) -> None:
        """Add the tokens of a prompt."""
        for token in scored:
            self.add(token.id, token.text, token.log_probability, token.top)

    def take(self) -> Mapping[str, Any]:
        """Return the object of the reply, and forget its tokens."""
        taken = {
            "tokens": self.tokens,
            "token_logprobs": self.token_logprobs,
            "top_logprobs": self.top_logprobs,
            "text_offset": self.text_offset,
        }
        self.tokens, self.token_logprobs, self.top_logprobs, self.text_offset = [], [], [], []
        return taken


def logarithm(probability: float) -> float:
    """Return the natural logarithm; OpenAI's value for what is nearly impossible instead of minus infinity."""
    return math.log(probability) if probability > 0 else -9999.0
