"""`lilliput train --live`: a page with the curves of a run, from a process of its own while the training lasts."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import typer

LAST_LOOK = 3.0
"""Seconds that the page stays after the end: it asks every two seconds, and should show how the run ended."""


@contextmanager
def live_page(folder: Path) -> Iterator[None]:
    """Serve the page while the block runs, and print its address once it answers."""
    name = folder.resolve().name
    command = ["serve", "--runs", str(folder.resolve().parent), "--watch", f"{os.getpid()}:{name}"]
    process = subprocess.Popen(
        [sys.executable, "-m", "lilliput", *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C is for the training
    )
    # A daemon: a server that never answers must not hold up the end.
    threading.Thread(target=_tell, args=(process, name), daemon=True).start()
    try:
        yield
        if process.poll() is None:
            time.sleep(LAST_LOOK)
    finally:
        process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(LAST_LOOK)
        process.kill()
        process.wait()


def _tell(process: "subprocess.Popen[str]", name: str) -> None:
    assert process.stdout is not None, "the output is a pipe"
    assert process.stderr is not None, "the errors are a pipe"
    with process.stdout, process.stderr:
        address = next((word for word in process.stdout.readline().split() if word.startswith("http")), None)
        if address is not None:
            typer.echo(f"live: {address}/#runs/{name}", err=True)
        elif error := process.stderr.read().strip():
            typer.echo(f"no live page: {error.removeprefix('error: ')}", err=True)
        process.stderr.read()  # until the end, so that the server never waits for a full pipe
