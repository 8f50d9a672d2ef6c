"""Tokens per second and time to the first token of `lilliput serve`, beside one batch and llama.cpp's server.

    pip install xllamacpp gguf
    python benchmarks/serving.py RUN... [--rounds 3] [--tokens 128] [--machine "two cores"] [--save]

1, 8 and 32 clients stream completions from a server that is a process of its own; each asks again as soon as its text
is complete, and no text ends early. Beside it, a process that has loaded the same run writes 32 texts at once with
`Writer.write_many`, as `lilliput sample --count 32` does. llama.cpp is that of the wheel `xllamacpp`, with random
weights in Llama's shape: as many blocks of the same width, without the counts and the embeddings of several tokens that
a run may have. The sides take turns, round after round; figures are medians, and so are the ratios, which are taken
within a round. At the end, 1,000 short texts are asked for one by one and 32 at a time: the same seed has to give the
same text. `--save` writes `results/serving.json`.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import decode
from record import RESULTS, add_record

RESULT = RESULTS / "serving.json"
CLIENTS = (1, 8, 32)
TEXTS = 32
REQUESTS = 64
"""Fewest texts of a measurement; every client asks for two at least."""
SHORT = 16
"""Tokens of the texts that are compared."""
PROMPTS = ("The ", "A", "When I ", "\n", "And so the old ")
Request = dict[str, Any]


async def exchange(port: int, body: Request) -> tuple[list[tuple[float, Request]], float]:
    """Send a request on a connection of its own; return the objects of the answer with their times, and the start.

    The bare protocol: a client library would cost the server's cores as much as the server does.
    """
    began = time.perf_counter()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    content = json.dumps(body).encode()
    head = f"POST /v1/completions HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
    writer.write(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)
    found: list[tuple[float, Request]] = []
    async for line in reader:
        text = line.strip().removeprefix(b"data: ")
        if text.startswith(b"{"):
            found.append((time.perf_counter(), json.loads(text)))
        elif line.startswith(b"HTTP/") and b" 200 " not in line:
            raise SystemExit(f"the server refuses {body}: {(line + await reader.read()).decode()}")
    writer.close()
    return found, began


class Load:
    """Clients that stream texts from a server; `request` makes the body of the request with a number."""

    def __init__(self, port: int, request: Callable[[int], Request]) -> None:
        self._port, self._request = port, request
        self._waits: list[float] = []
        self._tokens = 0

    async def _client(self, first: int, texts: int) -> None:
        for number in range(first, first + texts):
            found, began = await exchange(self._port, self._request(number))
            pieces = [
                (moment, part["choices"][0])
                for moment, part in found
                if part.get("choices") and part["choices"][0]["text"]
            ]
            self._waits.append(pieces[0][0] - began)
            self._tokens += next(part["usage"]["completion_tokens"] for _, part in found[::-1] if part.get("usage"))

    def measure(self, clients: int) -> dict[str, float]:
        """Return tokens per second of all clients together, and milliseconds to a text's first token."""
        self._waits, self._tokens = [], 0
        each = max(2, REQUESTS // clients // (4 if clients == 1 else 1))

        async def together() -> None:
            await asyncio.gather(*(self._client(1 + client * each, each) for client in range(clients)))

        began = time.perf_counter()
        asyncio.run(together())
        seconds = time.perf_counter() - began
        waits = sorted(1000 * wait for wait in self._waits)
        last = waits[min(len(waits) - 1, round(0.95 * len(waits)))]
        return {"tokens_per_second": self._tokens / seconds, "p50_ms": statistics.median(waits), "p95_ms": last}


@contextmanager
def served(run: Path) -> Iterator[int]:
    """Run `lilliput serve` on a free port; yield the port."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "lilliput", "serve", str(run), "--port", "0", "--runs", folder]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=_unbuffered()) as process:
            assert process.stdout is not None
            line = process.stdout.readline()
            if "http://" not in line:
                raise SystemExit(f"the server did not start: {' '.join(command)}")
            yield int(line.split(":")[2].split()[0])
            process.terminate()


@contextmanager
def answering(*arguments: str) -> Iterator[Callable[[], str]]:
    """Run this file as another process; yield a function that asks it once for a line."""
    command = [sys.executable, __file__, *arguments]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=_unbuffered()
    ) as process:

        def ask() -> str:
            assert process.stdin is not None and process.stdout is not None
            process.stdin.write("\n")
            process.stdin.flush()
            while line := process.stdout.readline():
                if line.startswith("answer: "):  # a library may print lines of its own
                    return line.removeprefix("answer: ")
            raise SystemExit(f"this process ended: {' '.join(command)}")

        yield ask
        process.kill()


def _unbuffered() -> dict[str, str]:
    return os.environ | {"PYTHONUNBUFFERED": "1"}


def write_in_turn(run: Path, tokens: int) -> None:
    """Write a batch of texts for every line that comes in, and print its tokens per second."""
    from lilliput.writer import load

    writer = load(run)
    options: dict[str, Any] = {"max_tokens": tokens, "stop": (), "until": None}
    writer.write_many([PROMPTS[0]] * TEXTS, **options | {"max_tokens": 5})
    for seed, _ in enumerate(sys.stdin):
        began = time.perf_counter()
        writer.write_many([PROMPTS[0]] * TEXTS, seed=1 + seed * TEXTS, **options)
        print("answer:", TEXTS * tokens / (time.perf_counter() - began), flush=True)


def serve_llama(model: Path, tokens: int) -> None:
    """Serve a file of llama.cpp's, and print the port for every line that comes in."""
    import xllamacpp

    settings = xllamacpp.CommonParams()
    settings.model.path = str(model)
    settings.n_ctx = TEXTS * (tokens + 16)
    settings.n_parallel = TEXTS
    settings.port = 0
    settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = decode.threads()
    server = xllamacpp.Server(settings)
    for _ in sys.stdin:
        print("answer:", server.listening_address.rsplit(":", 1)[1].strip("/"), flush=True)


def llama_shape(run: Path) -> dict[str, int]:
    """Return the shape of a file of llama.cpp's with the same blocks; nothing for another network than a GPT."""
    stored = json.loads((run / "model.json").read_text(encoding="utf-8"))
    if stored["settings"]["kind"] != "gpt":
        return {}
    sizes = {name: stored["settings"][name] for name in ("width", "layers", "heads", "feed_forward")}
    return sizes | {"context": stored["context"], "vocabulary": stored["vocab_size"]}


def differences(port: int, model: str, texts: int) -> int:
    """Return how many of so many texts differ between alone and in the company of others."""

    async def text(number: int) -> str:
        body = {"model": model, "prompt": PROMPTS[number % len(PROMPTS)], "max_tokens": SHORT, "seed": number}
        ((_, reply),) = (await exchange(port, body))[0]
        written: str = reply["choices"][0]["text"]
        return written

    async def alone() -> list[str]:
        return [await text(number) for number in range(texts)]

    async def in_company() -> list[str]:
        places = asyncio.Semaphore(TEXTS)

        async def one(number: int) -> str:
            async with places:
                return await text(number)

        return await asyncio.gather(*map(one, range(texts)))

    pairs = zip(asyncio.run(alone()), asyncio.run(in_company()), strict=True)
    return sum(one != other for one, other in pairs)


def compare(run: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """Measure all sides of a run in turn."""
    tokens, shape = arguments.tokens, {} if arguments.no_llama else llama_shape(run)
    common = {"max_tokens": tokens, "stream": True, "stream_options": {"include_usage": True}}
    rows: dict[str, list[dict[str, float]]] = {}
    with ExitStack() as stack:
        port = stack.enter_context(served(run))
        body = {"model": run.name, "prompt": PROMPTS[0]} | common
        sides = {"served": Load(port, lambda number: body | {"seed": number})}
        if shape:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            decode.CASES["serving"] = shape
            decode.write_gguf("serving", False, folder / "model.gguf")
            ask = stack.enter_context(answering("--llama", str(folder / "model.gguf"), str(tokens)))
            theirs = {"prompt": [decode.FIRST], "temperature": 0.8, "ignore_eos": True, "cache_prompt": False} | common
            sides["llama.cpp"] = Load(int(ask()), lambda number: theirs | {"seed": number})
        write = stack.enter_context(answering("--write", str(run), str(tokens)))
        for load in sides.values():
            load.measure(CLIENTS[-1])
        for _ in range(arguments.rounds):
            rows.setdefault("write_many 32", []).append({"tokens_per_second": float(write())})
            for clients in CLIENTS:
                for name, load in sides.items():
                    rows.setdefault(f"{name} {clients}", []).append(load.measure(clients))
        different = differences(port, run.name, arguments.texts)
    figures = {
        name: {key: round(statistics.median(row[key] for row in each), 1) for key in each[0]}
        for name, each in rows.items()
    }
    pairs = [("served 32", "write_many 32"), ("served 32", "served 1")]
    pairs += [(f"served {clients}", f"llama.cpp {clients}") for clients in CLIENTS if shape]
    ratios = {f"{one} / {other}": _ratio(rows[one], rows[other]) for one, other in pairs}
    for name, figure in figures.items():
        print(f"{run.name:10} {name:16}", figure, flush=True)
    print("      medians of the ratios of each round:", ratios)
    print(f"      {different} of {arguments.texts} texts differ between alone and in company of {TEXTS}", flush=True)
    report = {"run": run.name, "tokens": tokens, "rounds": arguments.rounds, "figures": figures, "ratios": ratios}
    return report | {"texts_compared": arguments.texts, "texts_that_differ": different}


def _ratio(ones: list[dict[str, float]], others: list[dict[str, float]]) -> float:
    key = "tokens_per_second"
    return round(statistics.median(one[key] / other[key] for one, other in zip(ones, others, strict=True)), 3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("runs", type=Path, nargs="*", metavar="RUN")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tokens", type=int, default=128, help="tokens of every text")
    parser.add_argument("--texts", type=int, default=1000, help="texts that are compared, alone and in company")
    parser.add_argument("--no-llama", action="store_true", help="leave llama.cpp's server out")
    parser.add_argument("--machine", default="two cores")
    parser.add_argument("--save", action="store_true")
    parser.add_argument("--write", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--llama", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.write:
        write_in_turn(Path(arguments.write[0]), int(arguments.write[1]))
    elif arguments.llama:
        serve_llama(Path(arguments.llama[0]), int(arguments.llama[1]))
    else:
        if not arguments.runs:
            parser.error("name a run")
        rows = [compare(run.resolve(), arguments) for run in arguments.runs]
        if arguments.save:
            command = f"python benchmarks/serving.py {' '.join(map(str, arguments.runs))} --rounds {arguments.rounds}"
            add_record(RESULT, arguments.machine, {"command": command, "threads": decode.threads(), "rows": rows})


if __name__ == "__main__":
    main()
