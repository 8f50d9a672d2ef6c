"""What completions and chat completions have in common: a request becomes texts, and these a reply or a stream."""

import asyncio
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any, ClassVar, Protocol

from fastapi import Request
from fastapi.responses import Response

from lilliput.generation.settings import SampleSettings
from lilliput.serve.errors import ApiError, error_body
from lilliput.serve.models import ServedModels
from lilliput.serve.openai.schemas import GenerationRequest
from lilliput.serve.openai.texts import biases, prompt_ids, require_fit, seeds_of, settings_of
from lilliput.serve.streaming import DONE, Jobs, JobStream, reply, server_sent, unless_disconnected
from lilliput.serve.texts import Prompt, preparation
from lilliput.serve.worker import Event, Failed, Prepared


class ReplyChoice(Protocol):
    """One text of a reply, and what has not been sent of it."""

    tokens: int
    """Number of tokens that the model has written."""

    def add(self, event: Event) -> None:
        """Add what has arrived."""

    def take(self, index: int, whole: bool) -> dict[str, Any]:
        """Return what has arrived since the last call, as a part of a whole reply or of a stream."""


class Answer(ABC):
    """One request and its reply."""

    prefix: ClassVar[str]
    """Of the id."""
    kind: ClassVar[str]
    """The name of the object in OpenAI's API."""
    chunk_kind: ClassVar[str]
    """The name of a part of a stream."""

    def __init__(self, request: GenerationRequest, models: ServedModels, max_tokens: int | None, top: int) -> None:
        self.request, self.aside = request, models.aside
        self.model = models.find(request.model)
        self.writer = self.model.writer
        self.settings: SampleSettings = settings_of(request, self.model, max_tokens)
        self.jobs: Jobs | None = None
        self.choices: Sequence[ReplyChoice] = ()
        self.ids: list[list[int]] = []
        """The tokens of each prompt."""
        self._top, self._filters = top, biases(request, self.model)
        self._head = {
            "id": f"{self.prefix}-{uuid.uuid4().hex}",
            "created": int(time.time()),
            "model": request.model,
        }

    async def begin(self, prompts: Sequence[Prompt], write: bool) -> list[Prepared]:
        """Encode the prompts and, with `write`, begin all texts; return what each starts from.

        Raises GenerationError for a prompt that does not fit, and the errors of `Jobs.start`.
        """
        # A prompt may have a megabyte: the server goes on meanwhile.
        self.ids = await asyncio.to_thread(
            lambda: [prompt_ids(self.writer, prompt, self.settings) for prompt in prompts]
        )
        copies = self.request.choices
        if not write:
            return [Prepared(ids, "") for ids in self.ids for _ in range(copies)]
        for ids in self.ids:
            require_fit(self.writer, ids)
        repeated = [prompt for prompt in prompts for _ in range(copies)]
        seeds = seeds_of(self.request, len(repeated))
        pairs = zip(repeated, seeds, strict=True)
        prepare = [preparation(prompt, self.settings, seed, self._filters) for prompt, seed in pairs]
        self.jobs = Jobs(self.model.worker, prepare, top=self._top)
        return await self.jobs.start()

    @abstractmethod
    async def start(self) -> None:
        """Begin all texts, so that errors come before the first byte of a reply."""

    @abstractmethod
    def opening(self) -> Iterator[dict[str, Any]]:
        """Yield the choices of a stream that come before the first token."""

    async def whole(self) -> dict[str, Any]:
        """Return the reply to a request without `stream`."""
        await self.start()
        async for news in self._news():
            for index, event in news:
                if isinstance(event, Failed):
                    raise ApiError(event.status, event.message)
                self.choices[index].add(event)
        choices = [choice.take(index, True) for index, choice in enumerate(self.choices)]
        return self._object(self.kind, choices, self._usage())

    async def parts(self) -> AsyncIterator[str]:
        """Yield the server-sent events of a stream; `start` comes before."""
        for choice in self.opening():
            yield self._chunk([choice])
        async for news in self._news():
            for index, event in news:
                if isinstance(event, Failed):
                    yield server_sent(error_body(event.status, event.message))
                    return
                self.choices[index].add(event)
            indices = sorted({index for index, _ in news})
            yield "".join(self._chunk([self.choices[index].take(index, False)]) for index in indices)
        if self.request.includes_usage:
            yield self._chunk([], self._usage())
        yield DONE

    async def _news(self) -> AsyncIterator[list[tuple[int, Event]]]:
        if self.jobs is not None:
            async for news in self.jobs.events():
                yield news

    def _usage(self) -> dict[str, int]:
        prompt, written = sum(map(len, self.ids)), sum(choice.tokens for choice in self.choices)
        return {"prompt_tokens": prompt, "completion_tokens": written, "total_tokens": prompt + written}

    def _chunk(self, choices: list[dict[str, Any]], usage: dict[str, int] | None = None) -> str:
        return server_sent(self._object(self.chunk_kind, choices, usage))

    def _object(self, kind: str, choices: list[dict[str, Any]], usage: dict[str, int] | None) -> dict[str, Any]:
        return self._head | {"object": kind, "choices": choices, "usage": usage}


async def respond(answer: Answer, request: Request) -> Response:
    """Return the reply of a route. The texts end if the client goes away."""
    if not answer.request.stream:
        return reply(await unless_disconnected(request, answer.whole()))
    await unless_disconnected(request, answer.start())
    return JobStream(answer.parts(), answer.jobs, "text/event-stream")
