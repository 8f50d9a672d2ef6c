"""`/v1/completions`: continue prompts, or score them."""

import time
import uuid
from asyncio import get_running_loop
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from lilliput.generation.text import Piece
from lilliput.serve.errors import ERROR_RESPONSES, ApiError, error_body
from lilliput.serve.models import ServedModels
from lilliput.serve.openai.schemas import CompletionRequest
from lilliput.serve.openai.texts import TokenLogprobs, biases, find, preparation, prompt_ids, seeds_of, settings_of
from lilliput.serve.streaming import DONE, Jobs, JobStream, reply, server_sent, unless_disconnected
from lilliput.serve.worker import Ended, Event, Failed, Prepared
from lilliput.tokenizers import TextStream
from lilliput.tokenizers.escape import unescape
from lilliput.writer.scoring import ScoredToken

DEFAULT_TOKENS = 16
"""The default of `max_tokens`, as in OpenAI's API."""


@dataclass
class _Choice:
    """One text of the reply, and what has not been sent of it."""

    text: str = ""
    logprobs: TokenLogprobs | None = None
    reason: str | None = None
    tokens: int = 0

    def add(self, event: Event) -> None:
        if isinstance(event, Piece):
            self.text += event.text
            self.tokens = event.tokens
            if self.logprobs is not None:
                self.logprobs.add_piece(event)
        elif isinstance(event, Ended):
            self.reason = event.reason

    def take(self, index: int) -> dict[str, Any]:
        """Return what has arrived since the last call."""
        logprobs = self.logprobs.take() if self.logprobs is not None else None
        taken = {"index": index, "text": self.text, "logprobs": logprobs, "finish_reason": self.reason}
        self.text = ""
        return taken


class _Completion:
    """One request and its reply."""

    def __init__(self, request: CompletionRequest, models: ServedModels) -> None:
        self._request, self._aside = request, models.aside
        model = find(models, request.model)
        self._writer = writer = model.writer
        most = DEFAULT_TOKENS if request.max_tokens is None else request.max_tokens
        settings = settings_of(request, model, max(1, most))
        self._ids = [prompt_ids(writer, prompt, settings) for prompt in request.prompts for _ in range(request.choices)]
        self._choices = [_Choice() for _ in self._ids]
        if request.logprobs is not None:
            for choice in self._choices:
                choice.logprobs = TokenLogprobs(writer.tokenizer, request.logprobs)
        prompts = [prompt for prompt in request.prompts for _ in range(request.choices)]
        filters, seeds = biases(request, model), seeds_of(request, len(prompts))
        prepare = [preparation(prompt, settings, seed, filters) for prompt, seed in zip(prompts, seeds, strict=True)]
        # A request that only scores its prompts needs no job.
        self.jobs = Jobs(model.worker, prepare, top=request.logprobs or 0) if most else None
        self._id, self._created = f"cmpl-{uuid.uuid4().hex}", int(time.time())

    async def start(self) -> None:
        """Begin all texts; with `echo`, add the prompts. Raises the errors of `Jobs.start`."""
        starts = [Prepared(ids, "") for ids in self._ids] if self.jobs is None else await self.jobs.start()
        if not self._request.echo:
            return
        scored = await get_running_loop().run_in_executor(self._aside, partial(self._scored, starts))
        for choice, start, tokens in zip(self._choices, starts, scored, strict=True):
            rest = unescape(start.rest)
            choice.text = TextStream(self._writer.tokenizer).push_all(start.ids) + rest
            if choice.logprobs is not None:
                choice.logprobs.add_scored(tokens)
                choice.logprobs.rest = rest
            if self.jobs is None:
                choice.reason = "length"

    def _scored(self, starts: Sequence[Prepared]) -> list[Sequence[ScoredToken]]:
        count = self._request.logprobs
        if count is None:
            return [()] * len(starts)
        unique = {tuple(start.ids) for start in starts}
        by_ids = {ids: self._writer.score_ids(ids, top=count) for ids in unique}
        return [by_ids[tuple(start.ids)] for start in starts]

    async def whole(self) -> dict[str, Any]:
        """Return the reply to a request without `stream`."""
        await self.start()
        if self.jobs is not None:
            async for news in self.jobs.events():
                for index, event in news:
                    if isinstance(event, Failed):
                        raise ApiError(event.status, event.message)
                    self._choices[index].add(event)
        return self._object([choice.take(index) for index, choice in enumerate(self._choices)], self._usage())

    async def parts(self) -> AsyncIterator[str]:
        """Yield the server-sent events of a stream; `start` comes before."""
        if self._request.echo:
            yield self._part(range(len(self._choices)))
        if self.jobs is not None:
            async for news in self.jobs.events():
                for index, event in news:
                    if isinstance(event, Failed):
                        yield server_sent(error_body(event.status, event.message))
                        return
                    self._choices[index].add(event)
                yield self._part(sorted({index for index, _ in news}))
        if self._request.includes_usage:
            yield server_sent(self._object([], self._usage()))
        yield DONE

    def _part(self, indices: Sequence[int]) -> str:
        return "".join(server_sent(self._object([self._choices[index].take(index)], None)) for index in indices)

    def _usage(self) -> dict[str, int]:
        prompt = sum(map(len, self._ids[:: self._request.choices]))
        written = sum(choice.tokens for choice in self._choices)
        return {"prompt_tokens": prompt, "completion_tokens": written, "total_tokens": prompt + written}

    def _object(self, choices: list[dict[str, Any]], usage: dict[str, int] | None) -> dict[str, Any]:
        return {
            "id": self._id,
            "object": "text_completion",
            "created": self._created,
            "model": self._request.model,
            "choices": choices,
            "usage": usage,
        }


def completions(models: ServedModels) -> APIRouter:
    """Return the route."""
    router = APIRouter(tags=["OpenAI"])

    @router.post("/v1/completions", responses=ERROR_RESPONSES)
    async def create_completion(body: CompletionRequest, request: Request) -> Response:
        """Continue prompts; with `echo` and `logprobs`, also score them."""
        completion = _Completion(body, models)
        if not body.stream:
            return reply(await unless_disconnected(request, completion.whole()))
        await unless_disconnected(request, completion.start())
        return JobStream(completion.parts(), completion.jobs, "text/event-stream")

    return router
