"""No request that fits the OpenAPI schema, or nearly fits it, may break the server.

LILLIPUT_API_CASES is the number of requests for each operation: 150 make some three thousand.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import Case, HookContext
from tests.conftest import made_up_text
from tests.serve.conftest import Running

from lilliput.serve.application import Application
from lilliput.serve.models import ServedModels
from lilliput.serve.playground.options import sampling_options
from lilliput.serve.training.jobs import Trainings

CASES = int(os.environ.get("LILLIPUT_API_CASES", "6"))
LIMITS = {"max_tokens": 20, "max_completion_tokens": 20, "max_characters": 50, "count": 3, "n": 2}
"""Larger values of these fields only take longer."""
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
REASONABLE = {
    "number": st.floats(0, 2),
    "integer": st.integers(0, 20),
    "text": st.sampled_from(["", "a", "[a-z]+ ?", "(", "\n", "\U0001f600"]),
    "texts": st.lists(st.text(max_size=5), max_size=3),
    "numbers": st.lists(st.floats(0, 2), max_size=3),
    "weights": st.dictionaries(st.sampled_from(["e", " the", "\n"]), st.floats(-5, 5), max_size=2),
}
"""Values by the type of a sampling option."""

_SERVER = Application(ServedModels([], lambda text: None, rows=1, most_waiting=0), Trainings(Path("none")))
SCHEMA = schemathesis.openapi.from_dict(_SERVER.routes.openapi())
OPERATIONS = [result.ok() for result in SCHEMA.get_all_operations()]


def option_values() -> st.SearchStrategy[dict[str, Any]]:
    """Some sampling options, mostly with values of the right type."""
    values = {}
    for option in sampling_options():
        choices = st.sampled_from(option["choices"] or [""])
        values[option["name"]] = st.one_of(REASONABLE.get(option["type"], choices), JSON_VALUES)
    names = st.lists(st.sampled_from(sorted(values)), max_size=3, unique=True)
    return names.flatmap(lambda chosen: st.fixed_dictionaries({name: values[name] for name in chosen}))


OPTIONS = option_values().map(lambda options: {"max_tokens": 20} | options)


def limited(value: Any) -> Any:
    """The same value with smaller numbers where these only say how long to write."""
    if not isinstance(value, dict):
        return value
    small = {name: limit for name, limit in LIMITS.items() if isinstance(value.get(name), int) and value[name] > limit}
    return {name: limited(part) for name, part in value.items()} | small


@SCHEMA.hook
def flatmap_body(context: HookContext, body: Any) -> st.SearchStrategy[Any]:
    """Most requests name a model and options that exist; otherwise they would all end there."""
    if not isinstance(body, dict):
        return st.just(body)
    better: dict[str, st.SearchStrategy[Any]] = {}
    if "model" in body:
        better["model"] = st.sampled_from(["gpt", "gpt", "lstm", body["model"]])
    if "options" in body:
        better["options"] = OPTIONS
    if "language" in body:
        better["language"] = st.sampled_from(["fr", "en", body["language"]])
    if "upload" in body and context.operation is not None and context.operation.path.endswith("plans"):
        better["upload"] = st.sampled_from(["UPLOAD", body["upload"]])
    short = {"max_tokens": 20} if {"prompt", "messages"} & body.keys() and "options" not in body else {}
    return st.fixed_dictionaries(better).map(lambda changes: limited(short | body | changes))


@pytest.fixture(scope="module")
def upload(served: Running, runs: list[Path]) -> Iterator[str]:
    """The key of a text on the server, beside a run that it lists."""
    link = served.application.trainings.parent / "gpt"
    content = made_up_text(3000).encode()
    key = served.web.post("/api/uploads", params={"name": "story.txt"}, content=content).json()["upload"]
    link.symlink_to(runs[0])
    yield key
    link.unlink()


@pytest.mark.slow
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
def test_no_request_breaks_the_server(operation: Any, served: Running, upload: str) -> None:
    with requests.Session() as session:

        @settings(
            max_examples=CASES,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def answers(case: Case) -> None:
            if isinstance(case.body, dict) and case.body.get("upload") == "UPLOAD":
                case.body["upload"] = upload
            if case.method == "GET" and "name" in case.path_parameters:
                case.path_parameters["name"] = "gpt"
            reply = case.call(base_url=served.url, session=session, timeout=120)
            assert reply.status_code < 500, f"{case.as_curl_command()}: {reply.status_code} {reply.text}"

        answers()
