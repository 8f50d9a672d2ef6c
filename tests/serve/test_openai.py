"""The API of OpenAI, as its stock client uses it."""

import json
import math
import re
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from tests.serve.conftest import Running, running

from lilliput.writer import load

PROMPT = "The old river"


def test_the_models_are_listed(served: Running) -> None:
    assert [model.id for model in served.client.models.list()] == ["gpt", "lstm"]
    assert served.client.models.retrieve("lstm").id == "lstm"
    with pytest.raises(openai.NotFoundError, match="choose from gpt, lstm"):
        served.client.models.retrieve("other")


@pytest.mark.parametrize("model", ["gpt", "lstm"])
def test_a_completion_is_what_the_writer_writes(served: Running, model: str) -> None:
    options = {"temperature": 0.9, "top_p": 0.95, "presence_penalty": 0.1}
    reply = served.client.completions.create(model=model, prompt=PROMPT, seed=3, max_tokens=25, **options)
    writer = load(served.model(model).writer.folder or "")
    assert PROMPT + reply.choices[0].text == writer.write(PROMPT, seed=3, max_tokens=25, **options)
    assert reply.choices[0].finish_reason == "length"
    assert reply.usage is not None
    assert reply.usage.completion_tokens == 25
    assert reply.usage.prompt_tokens == len(writer.tokenizer.encode(PROMPT))


@pytest.mark.parametrize("seed", range(5))
def test_a_stream_equals_the_whole_reply(served: Running, seed: int) -> None:
    options = {"model": "gpt", "prompt": "le caf\u00e9 \u65e5", "seed": seed, "max_tokens": 60, "temperature": 1.5}
    whole = served.client.completions.create(**options, stop=["zz"], logprobs=2)
    chunks = list(served.client.completions.create(**options, stop=["zz"], logprobs=2, stream=True))
    assert "".join(chunk.choices[0].text for chunk in chunks) == whole.choices[0].text
    assert chunks[-1].choices[0].finish_reason == whole.choices[0].finish_reason
    tokens = [token for chunk in chunks for token in chunk.choices[0].logprobs.tokens]
    assert tokens == whole.choices[0].logprobs.tokens


def test_several_prompts_and_choices_are_numbered(served: Running) -> None:
    options = {"model": "gpt", "prompt": ["The", "A"], "n": 2, "seed": 5, "max_tokens": 8}
    whole = served.client.completions.create(**options)
    assert [choice.index for choice in whole.choices] == [0, 1, 2, 3]
    alone = served.client.completions.create(model="gpt", prompt="A", seed=7, max_tokens=8)
    assert whole.choices[2].text == alone.choices[0].text
    texts = ["", "", "", ""]
    stream = served.client.completions.create(**options, stream=True, stream_options={"include_usage": True})
    for chunk in stream:
        if chunk.choices:
            texts[chunk.choices[0].index] += chunk.choices[0].text
        else:
            assert chunk.usage == whole.usage
    assert texts == [choice.text for choice in whole.choices]


def test_token_ids_are_a_prompt(served: Running) -> None:
    ids = served.model("gpt").writer.tokenizer.encode(PROMPT).tolist()
    one = served.client.completions.create(model="gpt", prompt=ids, seed=1, max_tokens=5)
    two = served.client.completions.create(model="gpt", prompt=[ids, ids], seed=1, max_tokens=5)
    assert two.choices[0].text == one.choices[0].text
    assert one.usage is not None
    assert one.usage.prompt_tokens == len(ids)


@pytest.mark.parametrize("model", ["gpt", "lstm"])
@pytest.mark.parametrize("max_tokens", [0, 1])
def test_echo_scores_the_prompt(served: Running, model: str, max_tokens: int) -> None:
    writer = served.model(model).writer
    text = "The old caf\u00e9 runs under the hill."
    ids = writer.tokenizer.encode(text).tolist()
    reply = served.client.completions.create(model=model, prompt=ids, echo=True, logprobs=3, max_tokens=max_tokens)
    choice, scored = reply.choices[0], writer.score(text, top=3)
    assert choice.logprobs is not None
    assert choice.text.startswith(text)
    assert len(choice.logprobs.tokens) == len(ids) + max_tokens
    assert choice.logprobs.token_logprobs[0] is None
    given = choice.logprobs.token_logprobs[1 : len(ids)]
    assert given == pytest.approx([token.log_probability for token in scored[1:]], abs=1e-5)
    assert choice.logprobs.text_offset[: len(ids)] == [token.start for token in scored]
    for name, own, top in zip(
        choice.logprobs.tokens[1:], choice.logprobs.token_logprobs[1:], choice.logprobs.top_logprobs[1:], strict=True
    ):
        assert top[name] == pytest.approx(own)
        assert max(top.values()) == next(iter(top.values()))


def test_text_that_was_healed_is_echoed_once(served: Running) -> None:
    reply = served.client.completions.create(
        model="gpt", prompt="The old riv", echo=True, logprobs=0, max_tokens=4, seed=2
    )
    choice = reply.choices[0]
    assert choice.text.startswith("The old riv")
    assert choice.logprobs is not None
    offsets = choice.logprobs.text_offset
    for token, begins, ends in zip(choice.logprobs.tokens, offsets, [*offsets[1:], None], strict=True):
        assert token.startswith("bytes:") or token == choice.text[begins:ends]
    stream = served.client.completions.create(
        model="gpt", prompt="The old riv", echo=True, max_tokens=4, seed=2, stream=True
    )
    assert "".join(chunk.choices[0].text for chunk in stream) == choice.text


def test_logit_bias_forces_and_bans_tokens(served: Running) -> None:
    writer = served.model("lstm").writer
    token = writer.tokenizer.encode("z").tolist()[0] if "z" in writer.tokenizer.pieces else 5
    forced = served.client.completions.create(model="lstm", prompt="The", max_tokens=3, logit_bias={str(token): 100})
    assert forced.choices[0].text == writer.tokenizer.decode([token] * 3)
    with pytest.raises(openai.BadRequestError, match="there is no token"):
        served.client.completions.create(model="lstm", prompt="The", logit_bias={"99999": 1})


def test_a_stop_string_ends_the_text(served: Running) -> None:
    whole = served.client.completions.create(model="lstm", prompt="The", max_tokens=40, seed=2).choices[0].text
    stop = whole[10:12]
    reply = served.client.completions.create(model="lstm", prompt="The", max_tokens=40, seed=2, stop=stop)
    assert reply.choices[0].text == whole[: whole.index(stop)]
    assert reply.choices[0].finish_reason == "stop"


def test_a_chat_continues_the_texts_of_its_messages(served: Running) -> None:
    messages = [
        {"role": "system", "content": "The old river"},
        {"role": "user", "content": [{"type": "text", "text": "walks"}]},
    ]
    options = {"model": "gpt", "messages": messages, "max_completion_tokens": 12, "seed": 4}
    reply = served.client.chat.completions.create(**options, logprobs=True, top_logprobs=2, n=2)
    plain = served.client.completions.create(model="gpt", prompt="The old river\nwalks", max_tokens=12, seed=4)
    message = reply.choices[0].message
    assert (message.role, message.content) == ("assistant", plain.choices[0].text)
    assert reply.choices[0].logprobs is not None
    entries = reply.choices[0].logprobs.content or []
    assert len(entries) == 12
    assert all(len(entry.top_logprobs) == 2 and entry.logprob <= 0 for entry in entries)
    chunks = list(served.client.chat.completions.create(**options, stream=True))
    assert chunks[0].choices[0].delta.role == "assistant"
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == message.content


def test_bytes_of_a_chat_s_tokens_are_those_of_its_text(served: Running) -> None:
    options = {"model": "lstm", "messages": [{"role": "user", "content": "caf"}], "max_tokens": 40, "temperature": 3}
    choice = served.client.chat.completions.create(**options, seed=1, logprobs=True).choices[0]
    assert choice.logprobs is not None
    data = b"".join(bytes(entry.bytes or []) for entry in choice.logprobs.content or [])
    assert data.decode("utf-8", "replace") == choice.message.content


def test_the_fields_that_clients_expect_are_there(served: Running) -> None:
    body = {"model": "gpt", "messages": [{"role": "user", "content": "The"}], "max_tokens": 2, "unknown": 1}
    choice = served.web.post("/v1/chat/completions", json=body).json()["choices"][0]
    assert choice["logprobs"] is None
    assert choice["message"]["refusal"] is None
    choice = served.web.post("/v1/completions", json={"model": "gpt", "prompt": "The"}).json()["choices"][0]
    assert choice["logprobs"] is None


REFUSED = {
    "temperature": ('{"model": "gpt", "prompt": "x", "temperature": NaN}', "finite"),
    "max_tokens": ('{"model": "gpt", "prompt": "x", "max_tokens": 1000000000}', "max_tokens"),
    "not json": ("{", "not valid JSON"),
    "no body": ("", "JSON object"),
    "a list": ("[]", "JSON object"),
    "empty prompt": ('{"model": "gpt", "prompt": []}', "prompt"),
    "ids": ('{"model": "gpt", "prompt": [70000]}', "vocabulary"),
    "long prompt": (json.dumps({"model": "gpt", "prompt": "the river " * 100}), "shorten the prompt"),
    "suffix": ('{"model": "gpt", "prompt": "x", "suffix": "y"}', "suffix is not supported"),
    "best_of": ('{"model": "gpt", "prompt": "x", "best_of": 3}', "best_of is not supported"),
    "nothing": ('{"model": "gpt", "prompt": "x", "max_tokens": 0}', "echo"),
    "many": ('{"model": "gpt", "prompt": ["x", "y"], "n": 128}', "128 at most"),
    "bias": ('{"model": "gpt", "prompt": "x", "logit_bias": {"a": 1}}', "id of a token"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_answered_is_refused_with_a_reason(served: Running, case: str) -> None:
    body, reason = REFUSED[case]
    reply = served.web.post("/v1/completions", content=body, headers={"Content-Type": "application/json"})
    assert reply.status_code == 400
    error = reply.json()["error"]
    assert reason in error["message"]
    assert error["type"] == "invalid_request_error"
    assert error.keys() == {"message", "type", "param", "code"}


def test_tools_and_pictures_are_refused_by_name(served: Running) -> None:
    chat = {"model": "gpt", "messages": [{"role": "user", "content": "x"}]}
    reply = served.web.post("/v1/chat/completions", json=chat | {"tools": [{"type": "function"}]})
    assert "tools is not supported" in reply.json()["error"]["message"]
    picture = [{"type": "image_url", "image_url": {"url": "data:"}}]
    reply = served.web.post("/v1/chat/completions", json=chat | {"messages": [{"role": "user", "content": picture}]})
    assert reply.status_code == 400


def test_half_of_a_surrogate_pair_is_refused(served: Running) -> None:
    body = '{"model": "gpt", "prompt": "\\ud800 x", "max_tokens": 3, "echo": true}'
    reply = served.web.post("/v1/completions", content=body, headers={"Content-Type": "application/json"})
    assert reply.status_code == 400
    assert reply.json()["error"]["message"].startswith("prompt: has half of a surrogate pair")
    nested = f'{{"model": "gpt", "prompt": "x", "max_tokens": 1, "other": {"[" * 700}{"]" * 700}}}'
    reply = served.web.post("/v1/completions", content=nested, headers={"Content-Type": "application/json"})
    assert reply.status_code == 200
    for body in ('{"model": "\\ud800"}', '{"model": "gpt", "prompt": "x", "stop": ["\\udfff"]}'):
        reply = served.web.post("/v1/completions", content=body, headers={"Content-Type": "application/json"})
        assert reply.status_code == 400
    # A whole pair is one character.
    body = '{"model": "gpt", "prompt": "\\ud83d\\ude00", "max_tokens": 1}'
    reply = served.web.post("/v1/completions", content=body, headers={"Content-Type": "application/json"})
    assert reply.status_code == 200


def test_requests_with_a_seed_draw_the_same_and_others_do_not(served: Running) -> None:
    def write(**options: int) -> str:
        reply = served.client.completions.create(model="lstm", prompt="The", max_tokens=30, temperature=1, **options)
        return reply.choices[0].text

    assert write(seed=-5) == write(seed=-5)
    assert len({write() for _ in range(4)}) > 1


def test_health_and_metrics(served: Running) -> None:
    assert served.web.get("/health").json() == {"status": "ok"}
    before = served.model("lstm").worker.tokens
    served.client.completions.create(model="lstm", prompt="The", max_tokens=7)
    text = served.web.get("/metrics").text
    assert f'lilliput_generated_tokens_total{{model="lstm"}} {before + 7:.1f}' in text
    assert 'lilliput_requests_total{path="/v1/completions",status="200"}' in text
    assert "lilliput_first_token_seconds_bucket" in text


def test_an_unknown_path_and_method_are_errors_of_the_same_form(served: Running) -> None:
    assert "nothing at /v1/other" in served.web.get("/v1/other").json()["error"]["message"]
    assert served.web.get("/v1/completions").status_code == 405


def test_probabilities_are_those_of_the_model(served: Running) -> None:
    reply = served.client.completions.create(model="gpt", prompt="The", max_tokens=6, temperature=0, logprobs=1)
    logprobs = reply.choices[0].logprobs
    assert logprobs is not None
    for name, value, top in zip(logprobs.tokens, logprobs.token_logprobs, logprobs.top_logprobs, strict=True):
        assert top == {name: pytest.approx(value)}
        assert 0 < math.exp(value) <= 1


def test_an_answer_in_parts_is_sent_in_parts(served: Running) -> None:
    body = {"model": "lstm", "prompt": "The", "max_tokens": 200, "stream": True}
    with httpx.stream("POST", f"{served.url}/v1/completions", json=body) as reply:
        assert reply.headers["content-type"].startswith("text/event-stream")
        parts = list(reply.iter_raw())
    assert len(parts) > 3
    assert b"".join(parts).endswith(b"data: [DONE]\n\n")


def test_the_example_of_the_page_runs(served: Running, capsys: pytest.CaptureFixture[str]) -> None:
    page = (Path(__file__).parents[2] / "docs" / "server.md").read_text(encoding="utf-8")
    examples = re.findall(r"^```python server\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert examples
    for example in examples:
        assert 'model="poems"' in example
        names: dict[str, Any] = {}
        exec(example.replace("http://127.0.0.1:8000", served.url).replace('"poems"', '"gpt"'), names)
        names["client"].close()
    assert len(capsys.readouterr().out) > 50


def test_programs_for_evaluation_can_count_tokens(served: Running) -> None:
    tokenizer = served.model("gpt").writer.tokenizer
    info = served.web.get("/tokenizer_info", params={"model": "gpt"}).json()
    assert (info["vocab_size"], info["bos_token"], info["eos_token"]) == (tokenizer.vocab_size, "\n", "\n")
    counted = served.web.post("/tokenize", json={"model": "gpt", "prompt": PROMPT}).json()
    assert counted["tokens"] == tokenizer.encode(PROMPT).tolist()
    assert counted["count"] == len(counted["tokens"])
    decoded = served.web.post("/detokenize", json={"model": "gpt", "tokens": counted["tokens"]}).json()
    assert decoded == {"prompt": PROMPT}
    assert "name one" in served.web.post("/tokenize", json={"prompt": PROMPT}).json()["error"]["message"]
    assert served.web.post("/detokenize", json={"model": "gpt", "tokens": [70000]}).status_code == 400


def test_texts_that_take_too_long_at_the_end_get_an_error(runs: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lilliput.serve.server.GRACE", 0.2)
    body = {"model": "lstm", "prompt": "The", "max_tokens": 16_000}
    for stopping in running(runs[1:]):
        with (
            ThreadPoolExecutor(1) as pool,
            stopping.web.stream("POST", "/v1/completions", json=body | {"stream": True}) as reply,
        ):
            whole = pool.submit(httpx.post, f"{stopping.url}/v1/completions", json=body, timeout=60)
            lines = reply.iter_lines()
            next(lines)
            while stopping.model("lstm").worker.active < 2:
                time.sleep(0.01)
            stopping.server.handle_exit(signal.SIGTERM, None)
            last = [line for line in lines if line][-1]
        assert json.loads(last.removeprefix("data: "))["error"]["message"] == "the server stops"
        assert whole.result().status_code == 503
        assert whole.result().json()["error"]["message"] == "the server stops"
