"""Many clients at once: they share a batch, and none of them leaves anything behind."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from tests.serve.conftest import QUEUE, ROWS, Running

from lilliput.serve.worker import BatchWorker, BusyError, Job


def body(seed: int, tokens: int, **more: object) -> dict[str, object]:
    return {"model": "lstm", "prompt": "The old", "seed": seed, "max_tokens": tokens, **more}


def wait_until_free(served: Running) -> None:
    """Wait until nobody uses a row; a leaked one would make this fail."""
    worker = served.model("lstm").worker
    for _ in range(500):
        if not worker.active and not worker.waiting:
            return
        time.sleep(0.02)
    raise AssertionError(f"{worker.active} rows and {worker.waiting} places are still taken")


def test_texts_are_the_same_alone_and_in_company(served: Running) -> None:
    def write(seed: int) -> str:
        reply = served.web.post("/v1/completions", json=body(seed, 20 + seed % 7))
        return str(reply.json()["choices"][0]["text"])

    alone = [write(seed) for seed in range(40)]
    with ThreadPoolExecutor(40) as clients:
        assert list(clients.map(write, range(40))) == alone
    wait_until_free(served)


@pytest.mark.slow
def test_clients_that_go_away_free_their_rows(served: Running) -> None:
    worker = served.model("lstm").worker
    before = worker.tokens

    async def visit(client: httpx.AsyncClient, number: int) -> None:
        async with client.stream("POST", "/v1/completions", json=body(number, 5000, stream=True)) as reply:
            if number % 2:
                await anext(reply.aiter_raw())

    async def all_visits() -> None:
        limits = httpx.Limits(max_connections=20)
        async with httpx.AsyncClient(base_url=served.url, timeout=60, limits=limits) as client:
            await asyncio.gather(*(visit(client, number) for number in range(200)))

    asyncio.run(all_visits())
    wait_until_free(served)
    # Each would have drawn 5,000.
    assert worker.tokens - before < 200 * 500


def test_a_client_that_goes_away_before_the_answer_is_noticed(served: Running) -> None:
    worker = served.model("lstm").worker
    before = worker.tokens
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{served.url}/v1/completions", json=body(1, 16_000), timeout=0.3)
    wait_until_free(served)
    assert worker.tokens - before < 16_000


@pytest.mark.slow
def test_slow_readers_hold_up_nobody(served: Running) -> None:
    async def read_slowly(client: httpx.AsyncClient, seed: int) -> str:
        async with client.stream("POST", "/v1/completions", json=body(seed, 300, stream=True)) as reply:
            await asyncio.sleep(1)
            return "".join([part async for part in reply.aiter_text()])

    async def both() -> tuple[list[str], float]:
        async with httpx.AsyncClient(base_url=served.url, timeout=60) as client:
            slow = [asyncio.create_task(read_slowly(client, seed)) for seed in range(20)]
            quick = await client.post("/v1/completions", json=body(3, 10))
            assert quick.status_code == 200
            return await asyncio.gather(*slow), 0.0

    texts, _ = asyncio.run(both())
    assert all(text.endswith("data: [DONE]\n\n") for text in texts)
    wait_until_free(served)


def test_64_streams_at_once_are_complete(served: Running) -> None:
    async def read(client: httpx.AsyncClient, seed: int) -> str:
        async with client.stream("POST", "/v1/completions", json=body(seed, 12, stream=True)) as reply:
            return "".join([part async for part in reply.aiter_text()])

    async def together() -> list[str]:
        async with httpx.AsyncClient(base_url=served.url, timeout=60, limits=httpx.Limits()) as client:
            return await asyncio.gather(*(read(client, seed) for seed in range(64)))

    assert all(text.endswith("data: [DONE]\n\n") for text in asyncio.run(together()))
    wait_until_free(served)


def test_a_request_that_never_fits_is_not_told_to_wait(served: Running) -> None:
    refused = served.web.post("/v1/completions", json=body(1, 5, n=ROWS + QUEUE + 1))
    assert refused.status_code == 400
    assert "--queue" in refused.json()["error"]["message"]


def test_a_full_queue_refuses_with_a_time_to_wait(served: Running) -> None:
    most = body(1, 200, n=ROWS + QUEUE)
    with httpx.stream("POST", f"{served.url}/v1/completions", json=most | {"stream": True}) as first:
        assert first.status_code == 200
        second = served.web.post("/v1/completions", json=body(1, 5, n=QUEUE + 1))
        assert second.status_code == 503
        assert second.headers["retry-after"] == "1"
        assert second.json()["error"]["code"] == "overloaded"
    wait_until_free(served)
    assert served.web.post("/v1/completions", json=body(1, 5)).status_code == 200


def test_a_defect_fails_its_jobs_and_not_the_thread(served: Running) -> None:
    writer = served.model("lstm").writer
    worker = BatchWorker(writer, rows=2)

    def broken(writer: object) -> None:
        raise RuntimeError("broken")

    async def ask(prepare: object) -> object:
        events: asyncio.Queue[tuple[int, object]] = asyncio.Queue()
        worker.submit([Job(prepare, 0, 0, events)])
        return (await events.get())[1]

    failed = asyncio.run(ask(broken))
    assert "the model failed: broken" in failed.message
    started = asyncio.run(ask(lambda writer: writer.prepare_ids([1, 2], 1, writer.sampling({"max_tokens": 2}))))
    assert started.ids == [1, 2]
    worker.close()
    with pytest.raises(BusyError):
        worker.submit([])
