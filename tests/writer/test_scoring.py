"""The log-probability of each token of a text."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from tests.generation.building import lively

from lilliput import tokenizers
from lilliput.errors import GenerationError
from lilliput.evaluation.loss import score_tokens
from lilliput.generation.filters import softmax
from lilliput.generation.settings import SampleSettings
from lilliput.models import GPTSettings, RecurrentSettings
from lilliput.writer import Writer
from lilliput.writer.insight import next_logits, tokens_read

TEXT = "the old river runs by the mill, " * 3 + "\u65e5 \U0001f600 it runs."
MODELS: dict[str, Any] = {
    "gpt": GPTSettings(layers=2, width=16, heads=2),
    "lstm": RecurrentSettings(kind="lstm", layers=1, width=16),
    "mixture": GPTSettings(layers=1, width=16, heads=2, counts=True),
}
KINDS = {"char": 33, "bpe": 50}


def writer_of(model: str, kind: str = "char", context: int = 16, reverse: bool = False, **arguments: Any) -> Writer:
    learnt = "the old river runs by the mill, " * 20
    tokenizer = tokenizers.train(kind, learnt, vocabulary=KINDS[kind], reverse_lines=reverse)
    network = lively(MODELS[model], tokenizer.vocab_size, context)
    return Writer(network, tokenizer, SampleSettings(), **arguments)


@pytest.mark.parametrize("context", [3, 16, 500])
@pytest.mark.parametrize("model", MODELS)
def test_the_sum_is_the_loss_of_the_evaluation(model: str, context: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # A few rows of logits at a time.
    monkeypatch.setattr("lilliput.writer.scoring.LOGITS_AT_ONCE", 5 * KINDS["bpe"])
    writer = writer_of(model, "bpe", context)
    tokens = writer.score(TEXT)
    nats, targets = score_tokens(writer.model, np.array([token.id for token in tokens]), context, "sliding")
    assert targets == len(tokens) - 1
    assert tokens[0].log_probability is None
    assert -math.fsum(token.log_probability or 0.0 for token in tokens[1:]) == pytest.approx(nats, abs=1e-4)


@pytest.mark.parametrize("model", MODELS)
def test_within_the_context_a_score_is_the_probability_of_drawing_the_token(model: str) -> None:
    writer = writer_of(model, context=200)
    drawn = list(writer.stream("the", seed=2, max_tokens=40, allow="theoldrivunsbym ,"))
    scores = writer.score("the" + "".join(piece.text for piece in drawn))[3:]
    assert [token.id for token in scores] == [piece.token for piece in drawn if piece.token is not None]
    for token, piece in zip(scores, drawn, strict=False):
        assert math.exp(token.log_probability or 0.0) == pytest.approx(piece.probability, abs=1e-5)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("prompt", ["the", TEXT])
def test_a_prediction_is_that_of_the_text_that_was_written(model: str, prompt: str) -> None:
    # The context fills up several times.
    writer = writer_of(model, context=16)
    ids = writer.encode(prompt, writer.settings)
    for number, piece in enumerate(writer.stream(prompt, seed=2, max_tokens=50, allow="theoldrivunsbym ,")):
        if piece.token is None:
            break
        read = tokens_read(writer.model, len(ids), number)
        probabilities_V = softmax(next_logits(writer.model, ids, read).astype(np.float64))
        assert probabilities_V[piece.token] == pytest.approx(piece.probability, abs=1e-4)
        ids.append(piece.token)


@pytest.mark.parametrize("kind", KINDS)
def test_the_texts_join_to_the_text_and_each_begins_at_its_start(kind: str) -> None:
    tokens = writer_of("gpt", kind).score(TEXT)
    assert "".join(token.text for token in tokens) == TEXT
    assert all(TEXT.startswith(token.text, token.start) for token in tokens)
    # A character outside the vocabulary is several tokens; the last of them completes it.
    assert [token.text for token in tokens if token.start == TEXT.index("\u65e5")].count("") > 1


@pytest.mark.parametrize("kind", KINDS)
def test_tokens_of_reversed_lines_come_from_the_ends_of_the_lines(kind: str) -> None:
    text = "\n\nthe old river\n\u65e5 \U0001f600 it runs\n\nby"
    tokens = writer_of("gpt", kind, reverse=True).score(text)
    assert all(text.startswith(token.text, token.start) for token in tokens)
    ordered = sorted(tokens, key=lambda token: token.start)
    assert "".join(token.text for token in ordered) == text
    written = [token.text for token in tokens if token.text.strip()]
    assert (written[0][-1], written[-1][0]) == ("r", "b")
    # The parts of a character come before the one that completes it.
    parts = [index for index, token in enumerate(ordered) if not token.text]
    assert all(ordered[index + 1].start == ordered[index].start for index in parts)


def test_the_most_likely_tokens_come_with_their_log_probabilities() -> None:
    writer = writer_of("gpt")
    tokens = writer.score("the old river", top=5)
    assert tokens[0].top == ()
    ids = torch.tensor([[token.id for token in tokens]])
    with torch.inference_mode():
        logs_TV = writer.model(ids)[0].log_softmax(-1).numpy()
    for position, token in enumerate(tokens[1:]):
        order = np.argsort(-logs_TV[position], kind="stable")[:5]
        assert [id_ for id_, _ in token.top] == order.tolist()
        np.testing.assert_allclose([value for _, value in token.top], logs_TV[position][order], atol=1e-5)
    assert len(writer.score("the", top=10**6)[1].top) == writer.tokenizer.vocab_size
    assert writer.score("the")[1].top == ()


def test_the_text_is_cleaned_and_one_token_has_no_score() -> None:
    writer = writer_of("gpt")
    assert writer.score("the\r\nold") == writer.score("the\nold")
    assert [token.log_probability for token in writer.score("t")] == [None]


def test_a_label_stands_before_the_text_and_is_not_shown() -> None:
    writer = writer_of("gpt", labels={"verse": "\U000f0000"})
    plain, labelled = writer.score("the old"), writer.score("the old", label="verse")
    assert "".join(token.text for token in labelled) == "the old"
    assert len(labelled) > len(plain)
    assert [token.id for token in labelled[-len(plain) :]] == [token.id for token in plain]
    assert labelled[-1].log_probability != plain[-1].log_probability
    with pytest.raises(GenerationError, match="no label 'prose'"):
        writer.score("the old", label="prose")


def test_scoring_leaves_the_mode_of_the_model() -> None:
    writer = writer_of("lstm")
    writer.model.train()
    writer.score("the old")
    assert writer.model.training


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("", {}, "text: should have at least one character"),
        ("\ufeff", {}, "text: should have at least one character"),
        (None, {}, "text: should be a text"),
        (["a"], {}, "text: should be a text"),
        ("a", {"top": -1}, "top: should be a whole number, 0 or more"),
        ("a", {"top": 1.5}, "top: should be a whole number, 0 or more"),
    ],
)
def test_wrong_arguments_are_refused(text: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(GenerationError, match=message):
        writer_of("gpt").score(text, **options)


def test_weights_that_are_not_finite_are_an_error() -> None:
    writer = writer_of("gpt")
    with torch.no_grad():
        next(writer.model.parameters()).fill_(math.nan)
    with pytest.raises(GenerationError, match="not finite"):
        writer.score("the old")
