"""Who may talk to the server."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.serve.conftest import Running, running

from lilliput.serve.security import MOST_BYTES, is_loopback


@pytest.fixture(scope="module")
def guarded(runs: list[Path]) -> Iterator[Running]:
    yield from running(runs[1:], token="s3cret", origins=("https://friend.example",))


def test_another_name_for_this_address_is_refused(served: Running) -> None:
    for host in ("evil.example", "evil.example:80", "127.0.0.1.evil.example", "[::1", ""):
        assert served.web.get("/v1/models", headers={"Host": host}).status_code in (400, 421), host
    for host in ("localhost:1", "127.0.0.1", "[::1]:5"):
        assert served.web.get("/v1/models", headers={"Host": host}).status_code == 200, host


def test_requests_from_pages_of_other_sites_are_refused(served: Running) -> None:
    body = {"model": "lstm", "prompt": "x", "max_tokens": 1}
    for origin in ("https://evil.example", "null", "http://127.0.0.1:1"):
        reply = served.web.post("/v1/completions", json=body, headers={"Origin": origin})
        assert reply.status_code == 403, origin
        assert "access-control-allow-origin" not in reply.headers
    assert served.web.get("/v1/models", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert served.web.post("/v1/completions", json=body, headers={"Origin": served.url}).status_code == 200


def test_the_token_is_needed_and_compared_whole(guarded: Running) -> None:
    for given in ({}, {"Authorization": "Bearer s3cre"}, {"Authorization": "Bearer s3cret!"}, {"Authorization": ""}):
        reply = guarded.web.get("/v1/models", headers=given)
        assert reply.status_code == 401
        assert "Bearer TOKEN" in reply.json()["error"]["message"]
    assert guarded.web.get("/v1/models", headers={"Authorization": "Bearer s3cret"}).status_code == 200
    assert guarded.web.get("/health").status_code == 200
    assert guarded.web.get("/metrics").status_code == 401


def test_a_site_that_is_allowed_may_use_the_api(guarded: Running) -> None:
    friend = {"Origin": "https://friend.example"}
    asked = guarded.web.options("/v1/completions", headers=friend | {"Access-Control-Request-Method": "POST"})
    assert asked.status_code == 204
    assert asked.headers["access-control-allow-origin"] == "https://friend.example"
    reply = guarded.web.get("/v1/models", headers=friend | {"Authorization": "Bearer s3cret"})
    assert reply.headers["access-control-allow-origin"] == "https://friend.example"
    assert guarded.web.get("/v1/models", headers=friend).status_code == 401


def test_large_bodies_are_refused(served: Running) -> None:
    large = b'{"model": "lstm", "prompt": "' + b"x" * MOST_BYTES + b'"}'
    assert served.web.post("/v1/completions", content=large).status_code == 413

    def parts() -> Iterator[bytes]:  # without a length in advance
        for start in range(0, len(large), 100_000):
            yield large[start : start + 100_000]

    headers = {"Content-Type": "application/json"}
    assert served.web.post("/v1/completions", content=parts(), headers=headers).status_code == 413


def test_a_path_is_never_a_model(served: Running, runs: list[Path]) -> None:
    for name in (str(runs[0]), "../gpt", "gpt/", "", "."):
        reply = served.web.post("/v1/completions", json={"model": name, "prompt": "x"})
        assert reply.status_code == 404, name
    assert httpx.get(f"{served.url}/page/../../../errors.py").status_code == 404
    assert served.web.get("/page/%2e%2e/worker.py").status_code == 404


def test_every_reply_forbids_scripts_from_elsewhere(served: Running) -> None:
    for path in ("/", "/v1/models", "/nothing"):
        headers = served.web.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"


@pytest.mark.parametrize(
    ("host", "own"),
    [("127.0.0.1", True), ("::1", True), ("[::1]", True), ("localhost", True), ("0.0.0.0", False), ("a.b", False)],
)
def test_loopback(host: str, own: bool) -> None:
    assert is_loopback(host) is own
