"""What the page asks the server for."""

import json
import math
from typing import Any

import numpy as np
import pytest
from tests.serve.conftest import Running

from lilliput.generation.filters import softmax
from lilliput.generation.settings import SampleSettings
from lilliput.serve.playground.options import HELP
from lilliput.writer import load

TEXT = "The old river walks over the hill.\n"


def post(served: Running, path: str, **body: Any) -> Any:
    reply = served.web.post(f"/api/{path}", json=body)
    assert reply.status_code == 200, reply.text
    return reply.json()


def continued(served: Running, **body: Any) -> list[dict[str, Any]]:
    reply = served.web.post("/api/continue", json={"model": "gpt"} | body)
    assert reply.status_code == 200, reply.text
    return [json.loads(line) for line in reply.text.splitlines()]


def text_of(rows: list[dict[str, Any]]) -> str:
    return rows[0]["prompt"]["text"] + "".join(row["token"]["text"] for row in rows if "token" in row)


def test_the_models_are_described(served: Running) -> None:
    gpt, lstm = served.web.get("/api/models").json()["models"]
    assert (gpt["id"], gpt["kind"], gpt["counts"], gpt["heads"], gpt["layers"]) == ("gpt", "gpt", True, 2, 2)
    assert (lstm["kind"], lstm["counts"], lstm["heads"], lstm["verse"]) == ("lstm", False, 0, None)


def test_every_sampling_option_of_the_page_exists_and_has_bounds(served: Running) -> None:
    options = {option["name"]: option for option in served.web.get("/api/sampling").json()["options"]}
    assert options.keys() == HELP.keys()
    left_out = set(SampleSettings.model_fields) - options.keys()
    assert left_out == {"prompts", "beams", "beam_groups", "diversity", "length_penalty"}
    assert options["top_p"] == options["top_p"] | {"type": "number", "minimum": 0, "maximum": 1, "optional": True}
    assert options["until"]["choices"] == ["word", "line", "sentence", "paragraph", "stanza"]
    assert {options[name]["type"] for name in ("stop", "ban")} == {"texts"}
    assert (options["bias"]["type"], options["temperatures"]["type"]) == ("weights", "numbers")


@pytest.mark.parametrize("prompt", ["The old river", "The old riv", "caf\u00e9 "])
def test_a_continuation_is_what_the_writer_writes(served: Running, prompt: str) -> None:
    rows = continued(served, prompt=prompt, seed=3, top=4, options={"max_tokens": 30, "temperature": 1.2})
    writer = load(served.model("gpt").writer.folder or "")
    assert text_of(rows) == writer.write(prompt, seed=3, max_tokens=30, temperature=1.2)
    assert rows[-1]["end"] == rows[-1]["end"] | {"reason": "length", "tokens": 30}
    first = rows[1]["token"]
    assert len(rows[5]["token"]["top"]) == 4
    for id_, text, probability in first["top"]:
        assert text or id_ != first["id"]
        assert 0 <= probability <= 1


def test_a_branch_goes_on_from_any_token(served: Running) -> None:
    rows = continued(served, prompt="The old riv", seed=3, top=5, options={"max_tokens": 12})
    tokens = [row["token"] for row in rows if "token" in row]
    ids = rows[0]["prompt"]["ids"] + [token["id"] for token in tokens[:5]]
    other = next(id_ for id_, _, _ in tokens[5]["top"] if id_ != tokens[5]["id"])
    branch = continued(served, ids=[*ids, other], seed=3, options={"max_tokens": 4})
    assert branch[0]["prompt"]["ids"] == [*ids, other]
    tokenizer = served.model("gpt").writer.tokenizer
    whole = [*ids, other, *(row["token"]["id"] for row in branch if "token" in row)]
    assert tokenizer.decode(whole).startswith(text_of(branch).rstrip("\ufffd"))


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"prompt": "x", "ids": [1]}, "not both"),
        ({"ids": [99999]}, "vocabulary"),
        ({"options": {"temperatur": 1}}, "did you mean 'temperature'"),
        ({"options": {"beams": 4}}, "beams: not available"),
        ({"options": {"max_tokens": 10**9}}, "max_tokens"),
        ({"options": {"match": "("}}, "match"),
        ({"sed": 1}, "sed"),
    ],
)
def test_impossible_continuations_are_refused(served: Running, body: dict[str, Any], reason: str) -> None:
    reply = served.web.post(
        "/api/continue", json={"model": "gpt", "prompt": "x"} | body if "ids" not in body else body | {"model": "gpt"}
    )
    assert reply.status_code == 400
    assert reason in reply.json()["error"]["message"]


def test_scores_and_tokens_join_to_the_text(served: Running) -> None:
    scored = post(served, "score", model="gpt", text=TEXT, top=3)["tokens"]
    expected = served.model("gpt").writer.score(TEXT)
    assert [token["log_probability"] for token in scored] == [token.log_probability for token in expected]
    assert "".join(token["text"] for token in scored) == TEXT
    tokens = post(served, "tokens", model="gpt", text=TEXT)["tokens"]
    assert [token["id"] for token in tokens] == [token["id"] for token in scored]


def test_the_voices_together_are_the_model(served: Running) -> None:
    writer = served.model("gpt").writer
    ids = writer.tokenizer.encode(TEXT * 2).tolist()[:-3]
    found = post(served, "prediction", model="gpt", ids=ids, top=50)
    shares, voices = found["shares"], found["voices"]
    assert sum(shares.values()) == pytest.approx(1, abs=1e-5)
    probabilities_V = softmax(writer.backend(1).prefill(0, ids).astype(np.float64))
    said = {name: {id_: value for id_, _, value in voices[name]} for name in voices}
    for id_, _, probability, sampled in found["tokens"]:
        assert sampled is None
        assert probability == pytest.approx(probabilities_V[id_], abs=1e-4)
        if id_ in said["network"] and id_ in said["counts"]:
            mixed = sum(shares[name] * said[name].get(id_, 0) for name in shares)
            assert probability == pytest.approx(mixed, abs=1e-4)
    assert post(served, "prediction", model="lstm", ids=[1])["voices"] is None


@pytest.mark.parametrize("model", ["gpt", "lstm"])
def test_a_prediction_with_options_is_how_the_writer_draws(served: Running, model: str) -> None:
    writer = served.model(model).writer
    options: dict[str, Any] = {"temperature": 0.5, "top_k": 5, "repetition_penalty": 1.3, "allow": "aeiounrst "}
    prompt = writer.tokenizer.encode("The old river ").tolist()
    written = writer.tokenizer.encode("rust ").tolist()
    body = {"model": model, "ids": prompt + written, "written": len(written), "top": 50}
    found = post(served, "prediction", **body, options=options)["tokens"]
    allowed = {id_: share for id_, _, _, share in found if share > 0}
    assert sum(allowed.values()) == pytest.approx(1, abs=0.01)
    assert len(allowed) <= 5
    assert all(set(text) <= set(options["allow"]) for id_, text, *_ in found if id_ in allowed)
    # One draw after the same tokens, for each seed.
    drawn = [
        next(
            token.id
            for token in writer.tokens(
                [prompt + written],
                writer.sampling(options | {"max_tokens": 1}),
                [seed],
                [writer.prepare_ids(prompt, 0, writer.sampling(options)).filters],
            )[0]
        )
        for seed in range(60)
    ]
    assert set(drawn) <= allowed.keys()
    likely = max(allowed, key=allowed.__getitem__)
    assert abs(drawn.count(likely) / 60 - allowed[likely]) < 0.3


def test_the_first_token_after_a_healed_prompt_begins_with_its_rest(served: Running) -> None:
    prompt = continued(served, prompt="The old riv", seed=3, options={"max_tokens": 2})[0]["prompt"]
    assert prompt["rest"]
    body = {"model": "gpt", "ids": prompt["ids"], "rest": prompt["rest"], "top": 50, "options": {}}
    pieces = served.model("gpt").writer.tokenizer.pieces
    found = post(served, "prediction", **body)["tokens"]
    assert any(share > 0 for *_, share in found)
    assert all(share == 0 or pieces[id_].startswith(prompt["rest"]) for id_, _, _, share in found)


def test_predictions_that_cannot_be_made_are_refused(served: Running) -> None:
    for body, reason in (
        ({"ids": [1], "written": 1}, "written"),
        ({"ids": [1], "options": {"temperature": -1}}, "temperature"),
        ({"ids": [1], "options": {"temperature": 1e300}}, "temperature"),
        ({"ids": [10**6]}, "vocabulary"),
        ({"ids": []}, "ids"),
    ):
        refused = served.web.post("/api/prediction", json={"model": "gpt"} | body)
        assert refused.status_code == 400, body
        assert reason in refused.json()["error"]["message"]


def test_attention_rows_are_shares_of_what_came_before(served: Running) -> None:
    found = post(served, "inside", model="gpt", text=TEXT, layer=1, head=1)
    assert found["kind"] == "attention"
    values = np.array(found["values"])
    assert values.shape == (len(found["tokens"]), len(found["tokens"]))
    assert np.allclose(values.sum(1), 1, atol=0.01)
    assert not np.triu(values, 1).any()
    refused = served.web.post("/api/inside", json={"model": "gpt", "text": TEXT, "layer": 2})
    assert "layer 2: this model has 2, numbered from 0" in refused.json()["error"]["message"]


def test_states_are_those_after_each_token(served: Running) -> None:
    found = post(served, "inside", model="lstm", text="The old", layer=0)
    longer = post(served, "inside", model="lstm", text="The old river", layer=0)
    assert found["kind"] == "state"
    assert longer["values"][: len(found["values"])] == found["values"]
    assert np.abs(np.array(found["values"])).max() <= 1


def test_copied_spans_are_found(served: Running) -> None:
    folder = served.model("gpt").writer.folder
    assert folder is not None
    learnt = load(folder).tokenizer.decode(np.load(folder / "tokens" / "training.npy")[200:330].tolist())
    found = post(served, "novelty", model="gpt", text="Zebras xylophone. " + learnt)
    assert found["longest"] >= 5
    begins, ends = found["spans"][0]
    assert 10 < begins < ends
    assert post(served, "novelty", model="gpt", text="\n")["spans"] == []


def test_verse_has_letters_and_syllables(served: Running) -> None:
    found = post(served, "verse", text="The day is bright\nI see the light\n\nAlone\n", language="en")
    assert [line and line["letter"] for line in found["lines"]] == ["A", "A", None, "", None]
    assert found["lines"][0]["syllables"] == [4, 4]
    assert found["rhymed"] == 1
    assert served.web.post("/api/verse", json={"text": "x", "language": "xx"}).status_code == 400


def test_new_items_are_not_in_the_text(served: Running) -> None:
    reply = served.web.post("/api/items", json={"model": "gpt", "count": 3, "seed": 1})
    rows = [json.loads(line) for line in reply.text.splitlines()]
    items = [row["item"] for row in rows if "item" in row]
    assert len(set(items)) == 3
    assert rows[-1]["end"]["new"] == 3
    again = served.web.post("/api/items", json={"model": "gpt", "count": 3, "seed": 1})
    assert again.text == reply.text


def test_probabilities_fit_the_scores(served: Running) -> None:
    rows = continued(served, model="lstm", prompt="The", seed=1, options={"max_tokens": 20})
    text = text_of(rows)
    scored = served.model("lstm").writer.score(text)[3:]
    for row, token in zip((row for row in rows if "token" in row), scored, strict=True):
        assert row["token"]["probability"] == pytest.approx(math.exp(token.log_probability or 0), abs=1e-4)
