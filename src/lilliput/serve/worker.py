"""One thread that writes the texts of all clients of a model together.

Requests join and leave a running batch (`generation.slots`). Each has a `Job`. The thread draws one token for every job
in turn and hands the new pieces of text to the event loop of the server, all those of a step at once. The queue of
waiting jobs is bounded. A cancelled job leaves before the next step.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from lilliput.errors import GenerationError, LilliputError
from lilliput.generation import Slots
from lilliput.generation.sampling import Token
from lilliput.generation.text import Piece
from lilliput.writer import Writer
from lilliput.writer.prepared_text import PreparedText

ROWS = 32
"""Texts that a model writes at the same time."""
MOST_WAITING = 128
"""Texts that wait for a row."""
JOINS_AT_ONCE = 8
"""Prompts read between two steps: while they are read, the texts that are being written wait."""

Reason = Literal["stop", "length"]


class BusyError(Exception):
    """The queue is full, or the server is about to stop."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """The model has read the prompt: `ids`; the first new token begins with `rest` (`PreparedText`)."""

    ids: Sequence[int]
    rest: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The text has ended at a stop string or unit ("stop") or at `max_tokens` ("length"), after this many tokens."""

    reason: Reason
    tokens: int


@dataclass(frozen=True, slots=True)
class Failed:
    """The text cannot be written or continued."""

    message: str
    status: int = 400
    """As in HTTP: 400 if the request asks for what is impossible."""


Event = Prepared | Piece | Ended | Failed


@dataclass(eq=False)
class Job:
    """One text to write. Its events arrive in `events`, each with its `index`, in the event loop that made the job."""

    prepare: Callable[[Writer], PreparedText]
    """Called in the thread of the worker."""
    top: int
    """Number of alternatives for each token."""
    index: int
    events: "asyncio.Queue[tuple[int, Event]]"
    """May be shared by several jobs."""
    cancelled: bool = False
    submitted: float = field(default_factory=time.perf_counter)
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)
    text: PreparedText | None = None

    def cancel(self) -> None:
        """Leave the batch before its next step. May be called several times, and after the end."""
        self.cancelled = True


class BatchWorker:
    """Writes the texts of one model. `close` ends the thread."""

    def __init__(self, writer: Writer, rows: int = ROWS, most_waiting: int = MOST_WAITING) -> None:
        self.rows, self.most_waiting = rows, most_waiting
        self.tokens = 0
        """Number of tokens drawn so far."""
        self.on_first_token: Callable[[float], None] = lambda seconds: None
        """Called in the thread of the worker with the time from a job's request to its first token."""
        self._writer = writer
        self._waiting: deque[Job] = deque()
        self._active: dict[int, Job] = {}
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="lilliput-worker", daemon=True)
        self._thread.start()

    @property
    def active(self) -> int:
        """Return the number of texts that are being written."""
        return len(self._active)

    @property
    def waiting(self) -> int:
        """Return the number of texts that wait for a row."""
        return len(self._waiting)

    def submit(self, jobs: Sequence[Job]) -> None:
        """Add jobs to the queue. Raises BusyError if they do not all fit now; then none is added.

        Raises GenerationError for more jobs than ever fit.
        """
        most = self.rows + self.most_waiting
        if len(jobs) > most:
            raise GenerationError(
                f"the request asks for {len(jobs)} texts, and the server takes {most}: ask for fewer, or start the "
                "server with a larger --queue"
            )
        with self._changed:
            free = max(0, self.rows - len(self._active)) + self.most_waiting
            if self._closed or len(self._waiting) + len(jobs) > free:
                raise BusyError
            self._waiting += jobs
            self._changed.notify()

    def close(self) -> None:
        """End the thread after its step. Jobs that are not complete fail."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        slots: Slots | None = None
        while True:
            with self._changed:
                while not (self._waiting or self._active or self._closed):
                    self._changed.wait()
                if self._closed:
                    break
            news: list[tuple[Job, Event]] = []
            try:
                slots = slots or Slots(self._writer.backend(self.rows))
                self._leave(slots)
                self._join(slots, news)
                self._step(slots, news)
            except Exception as error:  # a defect must not end the thread: later requests would wait for ever
                news += [(job, _defect(error)) for job in self._drop()]
                slots = None
            _deliver(news)
        _deliver([(job, Failed("the server stops", 503)) for job in self._drop()])

    def _drop(self) -> list[Job]:
        """Forget all jobs and return them."""
        with self._changed:
            jobs = [*self._active.values(), *self._waiting]
            self._waiting.clear()
            self._active.clear()
        return jobs

    def _leave(self, slots: Slots) -> None:
        with self._changed:
            self._waiting = deque(job for job in self._waiting if not job.cancelled)
        for slot, job in list(self._active.items()):
            if job.cancelled:
                slots.free(slot)
                del self._active[slot]

    def _join(self, slots: Slots, news: list[tuple[Job, Event]]) -> None:
        for _ in range(JOINS_AT_ONCE):
            if not self._waiting or len(self._active) >= self.rows:
                return
            job = self._waiting.popleft()
            try:
                text = job.text = job.prepare(self._writer)
                slot, token = slots.add(text.ids, text.sampler(job.top))
            except LilliputError as error:
                news.append((job, Failed(str(error))))
                continue
            except Exception as error:
                news.append((job, _defect(error)))
                continue
            news.append((job, Prepared(text.ids, text.rest)))
            self._active[slot] = job
            self.on_first_token(time.perf_counter() - job.submitted)
            self._push(slots, slot, token, news)
            _deliver(news)  # the first token need not wait for the prompts of others
            news.clear()

    def _step(self, slots: Slots, news: list[tuple[Job, Event]]) -> None:
        for slot, token in slots.step().items():
            if isinstance(token, Token):
                self._push(slots, slot, token, news)
            else:
                news.append((self._active.pop(slot), Failed(str(token))))

    def _push(self, slots: Slots, slot: int, token: Token, news: list[tuple[Job, Event]]) -> None:
        job = self._active[slot]
        text = job.text
        assert text is not None, "a job in the batch is prepared"
        self.tokens += 1
        news.append((job, text.push(token)))
        if not text.over:
            return
        slots.free(slot)
        del self._active[slot]
        rest = text.finish()
        if rest is not None:
            news.append((job, rest))
        try:
            text.ending.check()
        except GenerationError as error:
            news.append((job, Failed(str(error))))
        else:
            news.append((job, Ended("stop" if text.ending.over else "length", text.tokens)))


def _defect(error: Exception) -> Failed:
    return Failed(f"the model failed: {' '.join(str(error).split())}", 500)


def _deliver(news: Sequence[tuple[Job, Event]]) -> None:
    """Put events into the queues of their jobs, with one call for each event loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[Job, Event]]] = {}
    for job, event in news:
        if not job.cancelled:
            by_loop.setdefault(job.loop, []).append((job, event))
    for loop, events in by_loop.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(_put, events)


def _put(events: Sequence[tuple[Job, Event]]) -> None:
    for job, event in events:
        job.events.put_nowait((job.index, event))
