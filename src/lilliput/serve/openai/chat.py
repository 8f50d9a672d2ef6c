"""`/v1/chat/completions`: plain continuation of the messages' texts, which stand on lines of their own."""

import time
import uuid
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from lilliput.generation.text import Piece
from lilliput.serve.errors import ERROR_RESPONSES, ApiError, error_body
from lilliput.serve.models import ServedModels
from lilliput.serve.openai.schemas import ChatRequest
from lilliput.serve.openai.texts import biases, find, logarithm, preparation, seeds_of, settings_of, token_text
from lilliput.serve.streaming import DONE, Jobs, JobStream, reply, server_sent, unless_disconnected
from lilliput.serve.worker import Ended, Event, Failed


class _Message:
    """One text of the reply, and what has not been sent of it."""

    def __init__(self, logprobs: bool) -> None:
        self.tokens = 0
        self._text = ""
        self._reason: str | None = None
        self._logprobs: list[dict[str, Any]] | None = [] if logprobs else None

    def add(self, event: Event, entry: dict[str, Any] | None) -> None:
        if isinstance(event, Piece):
            self._text += event.text
            self.tokens = event.tokens
            if self._logprobs is not None and entry is not None:
                self._logprobs.append(entry)
        elif isinstance(event, Ended):
            self._reason = event.reason

    def take(self, index: int, key: str) -> dict[str, Any]:
        """Return what has arrived since the last call, as a `message` or a `delta`."""
        content: dict[str, Any] = {"content": self._text}
        if key == "message":
            content = {"role": "assistant", "content": self._text, "refusal": None}
        elif not self._text:
            content = {}
        logprobs = None if self._logprobs is None else {"content": self._logprobs, "refusal": None}
        taken = {"index": index, key: content, "logprobs": logprobs, "finish_reason": self._reason}
        self._text, self._logprobs = "", None if self._logprobs is None else []
        return taken


class _Chat:
    """One request and its reply."""

    def __init__(self, request: ChatRequest, models: ServedModels) -> None:
        self._request = request
        model = find(models, request.model)
        self._tokenizer = model.writer.tokenizer
        settings = settings_of(request, model, request.max_completion_tokens or request.max_tokens)
        self._prompt_tokens = len(model.writer.encode(model.writer.start(request.prompt), settings))
        filters, seeds = biases(request, model), seeds_of(request, request.choices)
        prepare = [preparation(request.prompt, settings, seed, filters) for seed in seeds]
        self.jobs = Jobs(model.worker, prepare, top=request.top_logprobs or 0)
        self._messages = [_Message(bool(request.logprobs)) for _ in prepare]
        self._id, self._created = f"chatcmpl-{uuid.uuid4().hex}", int(time.time())

    async def start(self) -> None:
        """Begin all texts; raises the errors of `Jobs.start`."""
        await self.jobs.start()

    async def whole(self) -> dict[str, Any]:
        """Return the reply to a request without `stream`."""
        await self.start()
        async for news in self.jobs.events():
            for index, event in news:
                if isinstance(event, Failed):
                    raise ApiError(event.status, event.message)
                self._messages[index].add(event, self._entry(event))
        choices = [message.take(index, "message") for index, message in enumerate(self._messages)]
        return self._object("chat.completion", choices, self._usage())

    async def parts(self) -> AsyncIterator[str]:
        """Yield the server-sent events of a stream; `start` comes before."""
        for index in range(len(self._messages)):
            first = {"role": "assistant", "content": "", "refusal": None}
            yield self._chunk([{"index": index, "delta": first, "logprobs": None, "finish_reason": None}])
        async for news in self.jobs.events():
            for index, event in news:
                if isinstance(event, Failed):
                    yield server_sent(error_body(event.status, event.message))
                    return
                self._messages[index].add(event, self._entry(event))
            indices = sorted({index for index, _ in news})
            yield "".join(self._chunk([self._messages[index].take(index, "delta")]) for index in indices)
        if self._request.includes_usage:
            yield self._chunk([], self._usage())
        yield DONE

    def _entry(self, event: Event) -> dict[str, Any] | None:
        """Return the log-probabilities of a token."""
        if not self._request.logprobs or not isinstance(event, Piece) or event.token is None:
            return None
        token = self._token(event.token, logarithm(event.probability or 0.0))
        return token | {"top_logprobs": [self._token(id_, value) for id_, value in event.top]}

    def _token(self, token: int, log_probability: float) -> dict[str, Any]:
        text = token_text(self._tokenizer, token)
        data = list(text.encode("utf-8", "surrogatepass"))
        if text.startswith("bytes:\\x"):
            digits = text.removeprefix("bytes:").replace("\\x", "")
            data = list(bytes.fromhex(digits[: len(digits) - len(digits) % 2]))  # a token may be half a byte
        return {"token": text, "logprob": log_probability, "bytes": data}

    def _usage(self) -> dict[str, int]:
        written = sum(message.tokens for message in self._messages)
        total = self._prompt_tokens + written
        return {"prompt_tokens": self._prompt_tokens, "completion_tokens": written, "total_tokens": total}

    def _chunk(self, choices: list[dict[str, Any]], usage: dict[str, int] | None = None) -> str:
        return server_sent(self._object("chat.completion.chunk", choices, usage))

    def _object(self, kind: str, choices: list[dict[str, Any]], usage: dict[str, int] | None) -> dict[str, Any]:
        return {
            "id": self._id,
            "object": kind,
            "created": self._created,
            "model": self._request.model,
            "choices": choices,
            "usage": usage,
        }


def chat(models: ServedModels) -> APIRouter:
    """Return the route."""
    router = APIRouter(tags=["OpenAI"])

    @router.post("/v1/chat/completions", responses=ERROR_RESPONSES)
    async def create_chat_completion(body: ChatRequest, request: Request) -> Response:
        """Continue the texts of the messages."""
        completion = _Chat(body, models)
        if not body.stream:
            return reply(await unless_disconnected(request, completion.whole()))
        await unless_disconnected(request, completion.start())
        return JobStream(completion.parts(), completion.jobs, "text/event-stream")

    return router
