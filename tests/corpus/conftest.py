import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


class Server:
    """A web server on loopback that serves bytes by path, with the faults that a test asks for."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.types: dict[str, str] = {}
        self.requests: list[tuple[str, str | None]] = []
        self.break_after: list[int] = []  # one entry a request: close the connection after so many bytes
        self.ranges = True
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked = self.headers.get("Range")
                server.requests.append((self.path, asked))
                if self.path not in server.files:
                    self.send_error(404)
                    return
                whole = server.files[self.path]
                start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and server.ranges else 0
                if asked and server.ranges and start >= len(whole):
                    self.send_response(416)
                    self.send_header("Content-Range", f"bytes */{len(whole)}")
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                body = whole[start:]
                self.send_response(206 if asked and server.ranges else 200)
                if asked and server.ranges:
                    self.send_header("Content-Range", f"bytes {start}-{len(whole) - 1}/{len(whole)}")
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Content-Type", server.types.get(self.path, "text/plain"))
                self.end_headers()
                if server.break_after:
                    self.wfile.write(body[: server.break_after.pop(0)])
                    self.close_connection = True
                else:
                    self.wfile.write(body)

            def log_message(self, *arguments: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.http.server_address[1]}"

    def paths(self) -> list[str]:
        return [path for path, _ in self.requests]


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    thread = threading.Thread(target=running.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield running
    running.http.shutdown()
    running.http.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def own_places(tmp_path_factory, monkeypatch):
    """Keep every test away from the user's cache, data, network and pip configuration."""
    cache = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("LILLIPUT_CACHE", str(cache))
    monkeypatch.delenv("LILLIPUT_DATA", raising=False)
    for variable in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_CERT", "PIP_PROXY", "PIP_FIND_LINKS"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return cache
