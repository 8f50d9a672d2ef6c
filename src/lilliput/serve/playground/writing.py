"""Routes of the page that write: continuations token by token, and new items."""

import asyncio
import math
from collections.abc import AsyncIterator
from time import perf_counter
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse

from lilliput.errors import LilliputError
from lilliput.generation.text import Piece
from lilliput.serve.errors import ERROR_RESPONSES, error_body
from lilliput.serve.models import ServedModel, ServedModels
from lilliput.serve.playground.options import sampling, sampling_options
from lilliput.serve.playground.schemas import ContinueRequest, ItemsRequest
from lilliput.serve.streaming import Jobs, JobStream, line, reply, unless_disconnected
from lilliput.serve.texts import preparation
from lilliput.serve.worker import Ended, Failed, Prepared
from lilliput.tokenizers import TextStream
from lilliput.tokenizers.escape import unescape

NDJSON = "application/x-ndjson"


class _Continuation:
    """One text that the page asks for."""

    def __init__(self, request: ContinueRequest, model: ServedModel) -> None:
        self._writer = model.writer
        self._prompt = None if request.ids is not None else model.writer.start(request.prompt)
        settings = sampling(model.writer, request.options)
        text = preparation(request.ids or request.prompt, settings, request.seed)
        self.jobs = Jobs(model.worker, [text], top=request.top)
        self._texts: dict[int, str] = {}
        self._start = Prepared((), "")
        # Reversed lines: each token has its own text, which the page puts in its place. Limits need whole lines.
        limited = settings.stop or settings.until or settings.max_characters
        backwards = self._writer.tokenizer.reverse_lines and not limited
        self._parts = TextStream(self._writer.tokenizer, hold_lines=False) if backwards else None

    async def start(self) -> None:
        """Begin to write; raises the errors of `Jobs.start`."""
        (self._start,) = await self.jobs.start()

    async def parts(self) -> AsyncIterator[str]:
        """Yield the lines of the reply."""
        began = perf_counter()
        ids = list(self._start.ids)
        text = TextStream(self._writer.tokenizer).push_all(ids) if self._prompt is None else self._prompt
        backwards = self._writer.tokenizer.reverse_lines
        yield line({"prompt": {"ids": ids, "text": text, "rest": self._start.rest, "backwards": backwards}})
        async for news in self.jobs.events():
            rows: list[dict[str, Any]] = []
            for _, event in news:
                if isinstance(event, Piece):
                    rows.append({"token": self._token(event)})
                elif isinstance(event, Ended):
                    seconds = round(perf_counter() - began, 3)
                    rows.append({"end": {"reason": event.reason, "tokens": event.tokens, "seconds": seconds}})
                elif isinstance(event, Failed):
                    rows.append(error_body(event.status, event.message))
            yield "".join(map(line, rows))

    def _token(self, piece: Piece) -> dict[str, Any]:
        # The first token after a healed prompt begins with the end of the prompt, and so do its alternatives.
        rest = self._start.rest if piece.tokens == 1 else ""
        pieces = self._writer.tokenizer.pieces
        top = [
            [id_, self._text(id_)[len(unescape(rest)) :], round(math.exp(value), 6)]
            for id_, value in piece.top
            if pieces[id_].startswith(rest)
        ]
        probability = None if piece.probability is None else round(piece.probability, 6)
        return {"id": piece.token, "text": self._shown(piece), "probability": probability, "top": top}

    def _shown(self, piece: Piece) -> str:
        if self._parts is None or piece.token is None:
            return piece.text
        text = self._parts.push(piece.token)
        letters = text.rstrip("\n")
        return letters[::-1] + text[len(letters) :]

    def _text(self, id_: int) -> str:
        if id_ not in self._texts:
            self._texts[id_] = self._writer.tokenizer.decode([id_])
        return self._texts[id_]


async def _lines_of_items(models: ServedModels, model: ServedModel, body: ItemsRequest) -> AsyncIterator[str]:
    """Yield the lines of a reply with new items."""
    loop = asyncio.get_running_loop()
    async with model.items_lock:  # its counts are those of one request
        writer = model.items
        writer.counts.update(dict.fromkeys(writer.counts, 0))
        items = writer.new(body.count, body.prompt, seed=body.seed, **body.options)
        found = 0
        try:
            while (item := await loop.run_in_executor(models.aside, next, items, None)) is not None:
                found += 1
                yield line({"item": item})
        except LilliputError as error:
            yield line(error_body(400, str(error)))
            return
        counts = writer.counts
        copied = counts["copied"] + counts["held_out"]
        figures = {"new": found, "copied": copied, "repeated": counts["twice"], "unfinished": counts["unfinished"]}
        yield line({"end": figures})


def writing(models: ServedModels) -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix="/api", tags=["page"])

    @router.get("/models", responses=ERROR_RESPONSES)
    async def describe_models() -> Response:
        """Describe the models."""
        loop = asyncio.get_running_loop()
        described = [await loop.run_in_executor(models.aside, model.describe) for model in models]
        return reply({"models": described})

    @router.get("/sampling", responses=ERROR_RESPONSES)
    async def describe_sampling() -> Response:
        """Describe the sampling options."""
        return reply({"options": sampling_options()})

    @router.post("/continue", responses=ERROR_RESPONSES)
    async def continue_text(body: ContinueRequest, request: Request) -> Response:
        """Continue a text, token by token."""
        continuation = _Continuation(body, models.find(body.model))
        await unless_disconnected(request, continuation.start())
        return JobStream(continuation.parts(), continuation.jobs, NDJSON)

    @router.post("/items", responses=ERROR_RESPONSES)
    async def new_items(body: ItemsRequest) -> Response:
        """Write new items."""
        model = models.find(body.model)
        sampling(model.writer, body.options)
        # Opened here, so that a run without texts is refused before the reply begins.
        await asyncio.get_running_loop().run_in_executor(models.aside, lambda: model.items)
        return StreamingResponse(_lines_of_items(models, model, body), media_type=NDJSON)

    return router
