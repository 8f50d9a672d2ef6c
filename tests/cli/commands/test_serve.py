"""`lilliput serve` as a process."""

import re
import signal
import threading
import time
from pathlib import Path

import httpx
import pytest

from tests.cli.conftest import TINY, Lilliput, start


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
        body = {"model": "run", "prompt": "The", "max_tokens": 1000, "stream": True}
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


@pytest.mark.slow
def test_a_live_page_shows_the_training_and_stops_it() -> None:
    settings = ("--set", "training.steps=100000", "--set", "training.evaluate_every=50000")
    process = start("train", "story.txt", *TINY, *settings, "--out", "my runs/live", "--live")
    assert process.stderr is not None
    line = next(line for line in process.stderr if line.startswith("live: "))
    address, _, name = line.removeprefix("live: ").strip().partition("/#runs/")
    assert name == "live"
    with httpx.Client(base_url=address) as client:
        while not (run := client.get("/api/runs/live").json()).get("step"):
            time.sleep(0.05)
        assert (run["state"], run["steps"]) == ("training", 100000)
        assert len(run["curve"]) > 0
        assert client.post("/api/runs/live/stop").json() == {}
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "stopped after step " in err
    with pytest.raises(httpx.ConnectError):
        httpx.get(address)
