"""`/tokenize`, `/detokenize` and `/tokenizer_info`, as vLLM names them, for programs that evaluate models."""

from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response
from pydantic import ConfigDict

from lilliput.corpus.text.cleaning import canonical
from lilliput.generation.slots import checked
from lilliput.serve.errors import ERROR_RESPONSES, ApiError
from lilliput.serve.models import ServedModel, ServedModels
from lilliput.serve.openai.schemas import TokenId
from lilliput.serve.requests import JsonRequest
from lilliput.serve.streaming import reply


class _Request(JsonRequest):
    model_config = ConfigDict(extra="ignore", protected_namespaces=())

    model: str | None = None
    """May be left out if the server offers one model."""


class TokenizeRequest(_Request):
    """A text to encode."""

    prompt: str


class DetokenizeRequest(_Request):
    """Tokens to decode."""

    tokens: list[TokenId]


def _only(models: ServedModels, name: str | None) -> ServedModel:
    if name is not None:
        return models.find(name)
    if len(models) != 1:
        raise ApiError(400, f"the server offers {len(models)} models: name one", param="model")
    return next(iter(models))


def tokenization(models: ServedModels) -> APIRouter:
    """Return the routes."""
    router = APIRouter(tags=["tokens"], responses=ERROR_RESPONSES)

    @router.get("/tokenizer_info")
    async def tokenizer_info(model: str | None = None) -> Response:
        """Describe the tokenizer. A text begins like a line, so the line end stands for both special tokens."""
        served = _only(models, model)
        tokenizer = served.writer.tokenizer
        line_end = "\n" if len(tokenizer.encode("\n")) == 1 else None
        return reply(
            {
                "tokenizer_class": tokenizer.kind,
                "vocab_size": tokenizer.vocab_size,
                "model_max_length": served.writer.model.context,
                "bos_token": line_end,
                "eos_token": line_end,
            }
        )

    @router.post("/tokenize")
    async def tokenize(body: TokenizeRequest) -> Response:
        """Encode a text."""
        served = _only(models, body.model)
        ids = served.writer.tokenizer.encode(canonical(body.prompt)).tolist()
        found: dict[str, Any] = {"count": len(ids), "max_model_len": served.writer.model.context, "tokens": ids}
        return reply(found)

    @router.post("/detokenize")
    async def detokenize(body: DetokenizeRequest) -> Response:
        """Decode tokens."""
        writer = _only(models, body.model).writer
        return reply({"prompt": writer.tokenizer.decode(checked(writer.model, body.tokens)) if body.tokens else ""})

    return router
