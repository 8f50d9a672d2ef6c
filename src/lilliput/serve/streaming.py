"""Read the events of jobs while a client waits, and cancel the jobs of a client that goes away."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from fastapi import Request
from fastapi.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from lilliput.serve.errors import ApiError
from lilliput.serve.worker import BatchWorker, Ended, Event, Failed, Job, Prepared
from lilliput.writer import Writer
from lilliput.writer.prepared_text import PreparedText

Result = TypeVar("Result")
AT_ONCE = 64
"""Most events that are put together into one part of a reply, if the client or the network is slower than the model."""


class Jobs:
    """The texts of one request, numbered from 0."""

    def __init__(
        self, worker: BatchWorker, prepare: Sequence[Callable[[Writer], PreparedText]], *, top: int = 0
    ) -> None:
        self._events: asyncio.Queue[tuple[int, Event]] = asyncio.Queue()
        self._jobs = [Job(function, top, index, self._events) for index, function in enumerate(prepare)]
        self._open = set(range(len(self._jobs)))
        self._early: list[tuple[int, Event]] = []
        self._worker = worker

    async def start(self) -> list[Prepared]:
        """Submit the jobs; return what each starts from, once the model has read all prompts.

        So errors come before the first byte of a reply: raises ApiError if a job failed, and BusyError if the queue is
        full. Then no job goes on.
        """
        self._worker.submit(self._jobs)
        prepared: dict[int, Prepared] = {}
        try:
            while len(prepared) < len(self._jobs):
                index, event = await self._events.get()
                if isinstance(event, Prepared):
                    prepared[index] = event
                elif isinstance(event, Failed) and index not in prepared:
                    raise ApiError(event.status, event.message)
                else:
                    self._early.append((index, event))
        except BaseException:
            self.cancel()
            raise
        return [prepared[index] for index in range(len(self._jobs))]

    async def events(self) -> AsyncIterator[list[tuple[int, Event]]]:
        """Yield the events of all jobs with their numbers until all have ended, those that wait together.

        If the caller stops earlier, the jobs are cancelled.
        """
        try:
            news = self._early
            while True:
                self._open -= {index for index, event in news if isinstance(event, Ended | Failed)}
                if news:
                    yield news
                if not self._open:
                    return
                news = [await self._events.get()]
                with suppress(asyncio.QueueEmpty):
                    while len(news) < AT_ONCE:
                        news.append(self._events.get_nowait())
        finally:
            self.cancel()

    def cancel(self) -> None:
        """Cancel the jobs that have not ended."""
        for job in self._jobs:
            job.cancel()


async def unless_disconnected(request: Request, work: Awaitable[Result]) -> Result:
    """Return the result of `work`, or cancel it as soon as the client has gone away."""
    task = asyncio.ensure_future(work)
    watch = asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait({task, watch}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ApiError(499, "the client has gone away")
        return task.result()
    finally:
        for running in (task, watch):
            running.cancel()


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


class JobStream(StreamingResponse):
    """A reply that sends each part as soon as it is there, and cancels its jobs however it ends."""

    def __init__(self, parts: AsyncIterator[str], jobs: Jobs | None, media_type: str) -> None:
        super().__init__(parts, media_type=media_type, headers={"X-Accel-Buffering": "no"})
        self._jobs = jobs

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the parts."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            if self._jobs is not None:
                self._jobs.cancel()


def line(value: Any) -> str:
    """Return a value as one line of JSON, in ASCII: a model may write half of a surrogate pair."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False) + "\n"


def reply(value: Any) -> Response:
    """Return a value as the JSON of a reply."""
    return Response(line(value), media_type="application/json")


DONE = "data: [DONE]\n\n"
"""The last event of a stream in OpenAI's API."""


def server_sent(value: Any) -> str:
    """Return a value as a server-sent event."""
    return f"data: {line(value)}\n"
