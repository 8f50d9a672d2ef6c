"""Run the application with uvicorn, and end it gracefully.

After SIGTERM or SIGINT, new requests get the status 503, and the texts that are being written may finish for
`GRACE` seconds. A second signal ends at once.
"""

import asyncio
import signal
import socket
import time
from collections.abc import Callable
from types import FrameType

import uvicorn

from lilliput.errors import RunError
from lilliput.serve.application import Application

GRACE = 7.0
"""Seconds that texts have to finish; two more are left to send them."""
PORT = 8000
PORTS_TRIED = 20


class Server(uvicorn.Server):
    """A server that answers 503 before it ends."""

    def __init__(self, application: Application, started: Callable[[], None]) -> None:
        config = uvicorn.Config(
            application,
            lifespan="off",
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=2,
            timeout_keep_alive=60,  # clients that reuse a connection expect a minute
            h11_max_incomplete_event_size=64 * 1024,
        )
        super().__init__(config)
        self._application, self._on_start = application, started
        self._deadline: float | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to listen."""
        await super().startup(sockets)
        self._on_start()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop; stop at once at the second signal."""
        if self._deadline is not None:
            self.force_exit = self.should_exit = True
            return
        self._deadline = time.monotonic() + GRACE
        self._application.stopping = True

    async def on_tick(self, counter: int) -> bool:
        """Return whether to end; uvicorn asks ten times a second."""
        if self._deadline is not None:
            writing = any(model.worker.active or model.worker.waiting for model in self._application.models)
            late = time.monotonic() > self._deadline
            if late and not self.should_exit:
                # Texts that have not finished end with an error that says why, not with a broken connection.
                for model in self._application.models:
                    await asyncio.to_thread(model.worker.close)
            self.should_exit |= late or not (writing or self._application.answering)
        return await super().on_tick(counter)


def listen(host: str, port: int | None) -> socket.socket:
    """Return a listening socket; without a `port`, that of the first free one from `PORT` on.

    Raises RunError if the address cannot be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    ports = range(PORT, PORT + PORTS_TRIED) if port is None else [port]
    reason: OSError | None = None
    for number in ports:
        listener = socket.socket(family)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host.strip("[]"), number))
        except (OSError, OverflowError) as error:
            listener.close()
            reason = error if isinstance(error, OSError) else OSError(str(error))
        else:
            return listener
    where = f"{host}:{port}" if port is not None else f"{host}, ports {ports[0]} to {ports[-1]}"
    text = (reason.strerror or str(reason)) if reason else ""
    raise RunError(f"cannot listen at {where}: {text}. Choose another --port or --host")


def serve(application: Application, listener: socket.socket, started: Callable[[], None]) -> None:
    """Answer requests until a signal ends the server; `started` is called once it listens."""
    server = Server(application, started)
    previous = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        server.run(sockets=[listener])
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
