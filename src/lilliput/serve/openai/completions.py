"""`/v1/completions`: continue prompts, or score them."""

from asyncio import get_running_loop
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from lilliput.generation.text import Piece
from lilliput.serve.errors import ERROR_RESPONSES
from lilliput.serve.models import ServedModels
from lilliput.serve.openai.answer import Answer, respond
from lilliput.serve.openai.schemas import CompletionRequest
from lilliput.serve.openai.texts import TokenLogprobs
from lilliput.serve.worker import Ended, Event, Prepared
from lilliput.tokenizers import TextStream
from lilliput.tokenizers.escape import unescape
from lilliput.writer.scoring import ScoredToken

DEFAULT_TOKENS = 16
"""The default of `max_tokens`, as in OpenAI's API."""


class _Text:
    """A text with its log-probabilities, if they are wanted."""

    def __init__(self, logprobs: TokenLogprobs | None) -> None:
        self.text, self.tokens, self.logprobs = "", 0, logprobs
        self.reason: str | None = None

    def add(self, event: Event) -> None:
        if isinstance(event, Piece):
            self.text += event.text
            self.tokens = event.tokens
            if self.logprobs is not None:
                self.logprobs.add_piece(event)
        elif isinstance(event, Ended):
            self.reason = event.reason

    def take(self, index: int, whole: bool) -> dict[str, Any]:
        logprobs = self.logprobs.take() if self.logprobs is not None else None
        taken = {"index": index, "text": self.text, "logprobs": logprobs, "finish_reason": self.reason}
        self.text = ""
        return taken


class _Completion(Answer):
    prefix, kind, chunk_kind = "cmpl", "text_completion", "text_completion"

    def __init__(self, request: CompletionRequest, models: ServedModels) -> None:
        self._most = DEFAULT_TOKENS if request.max_tokens is None else request.max_tokens
        super().__init__(request, models, max(1, self._most), request.logprobs or 0)
        self._prompts, self._echo, self._count = request.prompts, bool(request.echo), request.logprobs
        self._texts = [_Text(self._new_logprobs()) for _ in range(len(request.prompts) * request.choices)]
        self.choices = self._texts

    def _new_logprobs(self) -> TokenLogprobs | None:
        return None if self._count is None else TokenLogprobs(self.writer.tokenizer, self._count)

    async def start(self) -> None:
        # A request that only scores its prompts writes nothing.
        starts = await self.begin(self._prompts, write=self._most > 0)
        if not self._echo:
            return
        scored = await get_running_loop().run_in_executor(self.aside, partial(self._scored, starts))
        for text, start, tokens in zip(self._texts, starts, scored, strict=True):
            rest = unescape(start.rest)
            text.text = TextStream(self.writer.tokenizer).push_all(start.ids) + rest
            if text.logprobs is not None:
                text.logprobs.add_scored(tokens)
                text.logprobs.rest = rest
            if self.jobs is None:
                text.reason = "length"

    def _scored(self, starts: Sequence[Prepared]) -> list[Sequence[ScoredToken]]:
        if self._count is None:
            return [()] * len(starts)
        unique = {tuple(start.ids) for start in starts}
        by_ids = {ids: self.writer.score_ids(ids, top=self._count) for ids in unique}
        return [by_ids[tuple(start.ids)] for start in starts]

    def opening(self) -> Iterator[dict[str, Any]]:
        if self._echo:
            yield from (text.take(index, False) for index, text in enumerate(self._texts))


def completions(models: ServedModels) -> APIRouter:
    """Return the route."""
    router = APIRouter(tags=["OpenAI"])

    @router.post("/v1/completions", responses=ERROR_RESPONSES)
    async def create_completion(body: CompletionRequest, request: Request) -> Response:
        """Continue prompts; with `echo` and `logprobs`, also score them."""
        return await respond(_Completion(body, models), request)

    return router
