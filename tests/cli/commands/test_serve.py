"""`lilliput serve` as a process."""

import re
import signal
import threading
import time
from pathlib import Path

import httpx
import pytest

from tests.cli.conftest import Lilliput, start


def test_another_host_needs_a_token(lilliput: Lilliput, finished: Path) -> None:
    refused = lilliput("serve", str(finished), "--host", "0.0.0.0")
    assert refused.code == 2
    assert "--token" in refused.err


def test_bad_input_has_one_line(lilliput: Lilliput, finished: Path) -> None:
    for arguments in (["none"], [str(finished), str(finished)], ["--host", "256.0.0.1", "--token", "x"]):
        refused = lilliput("serve", *arguments, "--port", "0")
        assert refused.code == 2, arguments
        assert refused.err.startswith("error: ")
        assert refused.err.count("\n") == 1


@pytest.mark.slow
def test_a_signal_lets_texts_end_and_refuses_new_ones(finished: Path) -> None:
    process = start("serve", str(finished), "--port", "0", "--rows", "2")
    assert process.stdout is not None
    line = process.stdout.readline()
    address = re.search(r"http://127\.0\.0\.1:\d+", line)
    assert address is not None, line
    url, results = address.group(), {}

    def read() -> None:
        body = {"model": "run", "prompt": "The", "max_tokens": 3000, "stream": True}
        with httpx.stream("POST", f"{url}/v1/completions", json=body, timeout=60) as reply:
            for part in reply.iter_text():
                results["text"] = results.get("text", "") + part

    with httpx.Client(base_url=url) as client:
        assert client.get("/health").status_code == 200
        reader = threading.Thread(target=read)
        reader.start()
        while "text" not in results:
            time.sleep(0.02)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        statuses = set()
        while process.poll() is None and 503 not in statuses:
            try:
                statuses.add(client.get("/health").status_code)
            except httpx.HTTPError:
                break
    reader.join(30)
    assert process.wait(30) == 0
    assert time.monotonic() - began < 20
    assert 503 in statuses
    assert results["text"].endswith("data: [DONE]\n\n")
    process.communicate()
