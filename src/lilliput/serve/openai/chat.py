"""`/v1/chat/completions`: plain continuation of the messages' texts, which stand on lines of their own."""

from collections.abc import Iterator
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from lilliput.generation.text import Piece
from lilliput.serve.errors import ERROR_RESPONSES
from lilliput.serve.models import ServedModels
from lilliput.serve.openai.answer import Answer, respond
from lilliput.serve.openai.schemas import ChatRequest
from lilliput.serve.openai.texts import logarithm, token_bytes, token_text
from lilliput.serve.worker import Ended, Event
from lilliput.tokenizers import Tokenizer


class _Message:
    """A message with its log-probabilities, if they are wanted."""

    def __init__(self, tokenizer: Tokenizer, logprobs: bool) -> None:
        self.tokens = 0
        self._tokenizer = tokenizer
        self._text = ""
        self._reason: str | None = None
        self._logprobs: list[dict[str, Any]] | None = [] if logprobs else None

    def add(self, event: Event) -> None:
        if isinstance(event, Piece):
            self._text += event.text
            self.tokens = event.tokens
            if self._logprobs is not None and event.token is not None:
                entry = self._token(event.token, logarithm(event.probability or 0.0))
                self._logprobs.append(entry | {"top_logprobs": [self._token(*pair) for pair in event.top]})
        elif isinstance(event, Ended):
            self._reason = event.reason

    def take(self, index: int, whole: bool) -> dict[str, Any]:
        content: dict[str, Any] = {"content": self._text}
        if whole:
            content = {"role": "assistant", "content": self._text, "refusal": None}
        elif not self._text:
            content = {}
        logprobs = None if self._logprobs is None else {"content": self._logprobs, "refusal": None}
        taken = {"index": index, "message" if whole else "delta": content, "logprobs": logprobs}
        self._text, self._logprobs = "", None if self._logprobs is None else []
        return taken | {"finish_reason": self._reason}

    def _token(self, token: int, log_probability: float) -> dict[str, Any]:
        data = list(token_bytes(self._tokenizer, token))
        return {"token": token_text(self._tokenizer, token), "logprob": log_probability, "bytes": data}


class _Chat(Answer):
    prefix, kind, chunk_kind = "chatcmpl", "chat.completion", "chat.completion.chunk"

    def __init__(self, request: ChatRequest, models: ServedModels) -> None:
        super().__init__(
            request, models, request.max_completion_tokens or request.max_tokens, request.top_logprobs or 0
        )
        self._prompt = request.prompt
        self.choices = [_Message(self.writer.tokenizer, bool(request.logprobs)) for _ in range(request.choices)]

    async def start(self) -> None:
        await self.begin([self._prompt], write=True)

    def opening(self) -> Iterator[dict[str, Any]]:
        for index in range(len(self.choices)):
            first = {"role": "assistant", "content": "", "refusal": None}
            yield {"index": index, "delta": first, "logprobs": None, "finish_reason": None}


def chat(models: ServedModels) -> APIRouter:
    """Return the route."""
    router = APIRouter(tags=["OpenAI"])

    @router.post("/v1/chat/completions", responses=ERROR_RESPONSES)
    async def create_chat_completion(body: ChatRequest, request: Request) -> Response:
        """Continue the texts of the messages."""
        return await respond(_Chat(body, models), request)

    return router
