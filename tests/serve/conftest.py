"""A server with two small runs, in a thread of this process and on a real port."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import openai
import pytest
from playwright.sync_api import Browser, Page
from tests.conftest import made_up_french, made_up_text
from tests.serve.browser import PROMPT, Watch, launched, watched

from lilliput.api import run_task
from lilliput.planning.resolve import resolve
from lilliput.serve.application import Application
from lilliput.serve.models import ServedModel, ServedModels
from lilliput.serve.server import Server, listen
from lilliput.serve.training.jobs import Trainings
from lilliput.writer import load

SMALL = {"training.steps": 30, "training.batch": 4, "training.evaluate_every": 30, "data.window": 32}
GPT = {"model.layers": 2, "model.width": 32, "model.heads": 2, "model.counts": True, "tokenizer.kind": "bpe"}
LSTM = {"model.kind": "lstm", "model.layers": 2, "model.width": 16}
ROWS, QUEUE = 8, 80


@dataclass
class Running:
    """A server that runs."""

    models: ServedModels
    application: Application
    url: str
    server: Server
    client: openai.OpenAI
    web: httpx.Client

    def model(self, name: str) -> ServedModel:
        model = self.models.get(name)
        assert model is not None
        return model


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two finished runs; tests only read them."""
    folder = tmp_path_factory.mktemp("serve")
    text = folder / "story.txt"
    # Characters of several bytes, which no token spells alone.
    text.write_text(made_up_text(8000) + "\nle caf\u00e9 \u65e5\u672c \U0001f600\n" * 20, encoding="utf-8")
    for name, settings in (("gpt", GPT | {"tokenizer.vocabulary": 120}), ("lstm", LSTM)):
        run_task(resolve([str(text)], settings=SMALL | settings), folder / name)
    return [folder / "gpt", folder / "lstm"]


def running(runs: list[Path], token: str | None = None, origins: tuple[str, ...] = ()) -> Iterator[Running]:
    """Run a server until the generator is closed."""
    models = ServedModels(runs, lambda text: None, rows=ROWS, most_waiting=QUEUE)
    trainings = Trainings(runs[0].parent / "runs")
    application = Application(models, trainings, token=token, origins=origins)
    listener = listen("127.0.0.1", 0)
    begun = threading.Event()
    server = Server(application, begun.set)
    thread = threading.Thread(target=lambda: server.run(sockets=[listener]))
    thread.start()
    assert begun.wait(60)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    client = openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
    try:
        with client, httpx.Client(base_url=url, timeout=60) as web:
            yield Running(models, application, url, server, client, web)
    finally:
        server.should_exit = True
        thread.join(60)
        trainings.close()
        models.close()
        listener.close()


@pytest.fixture(scope="module")
def verse(served: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedModel]:
    """A model of French verse that writes each line from its end, opened in the server that most tests share."""
    folder = tmp_path_factory.mktemp("verse")
    text = folder / "verse.txt"
    text.write_text(made_up_french(160), encoding="utf-8")
    settings = SMALL | {"model.layers": 1, "model.width": 32, "model.heads": 2, "model.counts": False}
    settings |= {"tokenizer.kind": "bpe", "tokenizer.vocabulary": 60, "tokenizer.reverse_lines": True}
    run_task(resolve([str(text)], settings=settings), folder / "verse")
    yield served.models.open(folder / "verse")
    served.models.remove("verse")


@pytest.fixture(scope="session")
def served(runs: list[Path]) -> Iterator[Running]:
    """The server that most tests share."""
    yield from running(runs)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A browser; not for all modules, because its event loop would run beside those of other tests."""
    yield from launched()


@pytest.fixture
def opened(chromium: Browser, served: Running) -> Iterator[tuple[Page, Watch]]:
    yield from watched(chromium, served.url)


@pytest.fixture
def page(opened: tuple[Page, Watch]) -> Page:
    """A page on which nothing unexpected may happen."""
    return opened[0]


def expected(served: Running, name: str, prompt: str = PROMPT, tokens: int = 30, **options: object) -> str:
    return load(served.model(name).writer.folder or "").write(prompt, seed=1, max_tokens=tokens, **options)
