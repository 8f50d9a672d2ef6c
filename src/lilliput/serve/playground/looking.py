"""Routes of the page that look: at the tokens of a text, inside a model, at copies and at verse."""

import asyncio
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from fastapi import APIRouter
from fastapi.responses import Response

from lilliput.errors import GenerationError
from lilliput.generation.filters import Logits, softmax
from lilliput.generation.sampling import sampling_probabilities
from lilliput.generation.slots import checked
from lilliput.serve.errors import ERROR_RESPONSES
from lilliput.serve.models import ServedModel, ServedModels
from lilliput.serve.playground.options import sampling
from lilliput.serve.playground.schemas import InsideRequest, PredictionRequest, ScoreRequest, TextRequest, VerseRequest
from lilliput.serve.streaming import reply
from lilliput.tokenizers import place_tokens
from lilliput.verse.forms import read_stanzas
from lilliput.verse.languages import open_language
from lilliput.verse.measures import rhymed_share
from lilliput.writer import Writer
from lilliput.writer.insight import attention_weights, has_attention, next_logits, states, tokens_read, voices

MOST_INSIDE = 256
"""Most tokens of a picture of attention or states."""


def _tokens(writer: Writer, ids: Sequence[int]) -> list[dict[str, Any]]:
    return [{"id": id_, "text": text} for id_, (text, _) in zip(ids, place_tokens(writer.tokenizer, ids), strict=True)]


def _score(model: ServedModel, body: ScoreRequest) -> dict[str, Any]:
    decode = model.writer.tokenizer.decode
    return {
        "tokens": [
            {
                "id": token.id,
                "text": token.text,
                "log_probability": token.log_probability,
                "top": [[id_, decode([id_]), round(math.exp(value), 6)] for id_, value in token.top],
            }
            for token in model.writer.score(body.text, top=body.top)
        ]
    }


def _prediction(model: ServedModel, body: PredictionRequest) -> dict[str, Any]:
    writer = model.writer
    ids = checked(writer.model, body.ids)
    read, start = tokens_read(writer.model, len(ids), body.written), len(ids) - body.written
    logits_V = next_logits(writer.model, ids, read)
    probabilities_V = softmax(logits_V.astype(np.float64))
    sampled_V = None
    if body.options is not None:
        settings = sampling(writer, body.options)
        filters = writer.filters(ids[:start], body.rest, settings)
        sampled_V = sampling_probabilities(logits_V, ids, settings, start, filters)

    def top(values_V: Logits) -> list[list[Any]]:
        order = np.argsort(-values_V, kind="stable")[: body.top].tolist()
        return [[id_, writer.tokenizer.decode([id_]), round(float(values_V[id_]), 6)] for id_ in order]

    # Four digits that count, so that rounding makes no probability 0.
    tokens = [
        [*token, None if sampled_V is None else float(f"{sampled_V[token[0]]:.4g}")] for token in top(probabilities_V)
    ]
    found = voices(writer.model, ids, read)
    if found is None:
        return {"tokens": tokens, "shares": None, "voices": None}
    guess = [] if found.guess is None else [[found.guess, writer.tokenizer.decode([found.guess]), 1.0]]
    shares = {"network": found.network_share, "counts": found.counts_share, "guess": found.guess_share}
    return {
        "tokens": tokens,
        "shares": {name: round(share, 6) for name, share in shares.items()},
        "voices": {"network": top(found.network_V), "counts": top(found.counts_V), "guess": guess},
    }


def _inside(model: ServedModel, body: InsideRequest) -> dict[str, Any]:
    writer, network = model.writer, model.writer.model
    ids = writer.encode(body.text, writer.settings)
    if not ids:
        raise GenerationError("the text has no tokens: give at least one character")
    attends = has_attention(network)
    shown = ids[-min(MOST_INSIDE, network.context) :] if attends else ids[-MOST_INSIDE:]
    values = attention_weights(network, shown, body.layer, body.head) if attends else states(network, shown, body.layer)
    return {
        "kind": "attention" if attends else "state",
        "tokens": [token["text"] for token in _tokens(writer, ids)[-len(shown) :]],
        "values": [[round(value, 4) for value in row] for row in values.tolist()],
    }


def _novelty(model: ServedModel, body: TextRequest) -> dict[str, Any]:
    if not any(character.isalnum() for character in body.text):
        return {"spans": [], "longest": 0, "copied": None}
    measured = model.learnt.measure(body.text)
    return {
        "spans": [list(span) for span in model.learnt.copied_spans(body.text)],
        "longest": measured.longest.words if measured.longest else 0,
        "copied": measured.copied,
    }


def _verse(body: VerseRequest) -> dict[str, Any]:
    stanzas = read_stanzas(body.text, open_language(body.language))
    marked = [
        (line.text, {"text": line.text, "letter": letter, "syllables": list(line.syllables)})
        for stanza in stanzas
        for line, letter in zip(stanza.lines, stanza.scheme, strict=True)
    ]
    rows: list[dict[str, Any] | None] = []
    for text in body.text.split("\n"):
        # Lines outside stanzas have no letter and no syllables.
        if marked and text.strip() == marked[0][0].strip():
            rows.append(marked.pop(0)[1])
        else:
            rows.append({"text": text, "letter": "", "syllables": []} if text.strip() else None)
    return {"lines": rows, "rhymed": round(rhymed_share(stanzas), 4) if stanzas else None}


def looking(models: ServedModels) -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix="/api", tags=["page"], responses=ERROR_RESPONSES)

    async def aside(work: Callable[..., dict[str, Any]], *arguments: Any) -> Response:
        return reply(await asyncio.get_running_loop().run_in_executor(models.aside, work, *arguments))

    @router.post("/score")
    async def score(body: ScoreRequest) -> Response:
        """Score the tokens of a text."""
        return await aside(_score, models.find(body.model), body)

    @router.post("/tokens")
    async def tokens(body: TextRequest) -> Response:
        """Return the tokens of a text."""
        writer = models.find(body.model).writer
        return reply({"tokens": _tokens(writer, writer.encode(body.text, writer.settings))})

    @router.post("/prediction")
    async def prediction(body: PredictionRequest) -> Response:
        """Return the probabilities of the next token: of the model, with sampling options, and of each part."""
        return await aside(_prediction, models.find(body.model), body)

    @router.post("/inside")
    async def inside(body: InsideRequest) -> Response:
        """Return the attention of a head, or the states of a layer."""
        return await aside(_inside, models.find(body.model), body)

    @router.post("/novelty")
    async def novelty(body: TextRequest) -> Response:
        """Return the spans of a text that are copied from the training text."""
        return await aside(_novelty, models.find(body.model), body)

    @router.post("/verse")
    async def verse(body: VerseRequest) -> Response:
        """Return the rhymes and syllables of verse."""
        return await aside(_verse, body)

    return router
