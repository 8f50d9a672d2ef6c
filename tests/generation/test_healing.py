"""A prompt may end anywhere: what follows is distributed as if prompt and continuation were one text."""

import base64
import math
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import numpy as np
import pytest
from tests.generation.building import lively

from lilliput import tokenizers
from lilliput.corpus import END
from lilliput.generation import CudaGraphBackend, Engine, Filter, OnnxBackend, SamplingSettings, TorchBackend
from lilliput.generation.backends.backend import Backend, LogitsV
from lilliput.generation.healing import Healing, Start, log_shares
from lilliput.generation.settings import SampleSettings
from lilliput.models import GPTSettings, Model, RecurrentSettings, build
from lilliput.tokenizers import TextStream, Tokenizer
from lilliput.tokenizers.gpt2 import GPT2Tokenizer
from lilliput.writer import Writer

SENTENCES = {
    "the cat sat on the mat.": 8,
    "the catalogue is on the mat.": 4,
    "the man  is here,\n then he came.": 3,
    "then he came to the market 1234 times.": 5,
    "there is a manor, a mat and 12 cats.": 2,
    "the café is 日本 here.": 2,
    "it's theirs; that is that.": 3,
}
"""All that there is, and how often; each begins a line."""
TEXT = "\n".join(sentence for sentence, times in SENTENCES.items() for _ in range(times))
KINDS = {
    "char": ("char", None),
    "byte": ("byte", None),
    "bpe": ("bpe", 80),
    "bpe of few letters": ("bpe", 36),
    "wordpiece": ("wordpiece", 80),
    "unigram": ("unigram", 50),
    "word": ("word", 60),
    "gpt2": ("gpt2", None),
}
EVERY = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Tokenizer]:
    """A tokenizer of every kind; GPT-2's joins what is frequent here."""
    path = tmp_path_factory.mktemp("ranks") / "gpt2.tiktoken"
    joined = [" t", "he", " the", "at", " m", " mat", "is", " is", "th", "the", " c", " cat", "re", "’s", "  "]
    tokens = [bytes([value]) for value in range(256)] + [text.encode() for text in joined]
    path.write_text("".join(f"{base64.b64encode(token).decode()} {rank}\n" for rank, token in enumerate(tokens)))
    found: dict[str, Tokenizer] = {"gpt2": GPT2Tokenizer.from_file(path)}
    for name, (kind, vocabulary) in KINDS.items():
        if kind != "gpt2":
            found[name] = tokenizers.train(kind, TEXT, vocabulary)  # type: ignore[arg-type]
    return found


@cache
def network(vocabulary: int) -> Model:
    return build(RecurrentSettings(kind="lstm", width=4), vocabulary, 64)


@cache
def spellings(tokenizer: Tokenizer) -> dict[tuple[int, ...], int]:
    return {tuple(tokenizer.encode(f"\n{text}\n").tolist()): times for text, times in SENTENCES.items()}


@cache
def chances(tokenizer: Tokenizer, ids: tuple[int, ...]) -> LogitsV:
    """What may follow, where all sentences are known in the spelling of their tokenizer only."""
    weights_V, size = np.zeros(tokenizer.vocab_size), len(ids)
    for spelled, times in spellings(tokenizer).items():
        for text in (spelled, spelled[1:]):
            if text[:size] == ids and len(text) > size:
                weights_V[text[size]] += times
    # What is never met is no more than impossible: it must not be infinite.
    shares_V = (weights_V + 1e-12) / (weights_V + 1e-12).sum()
    logits_V: LogitsV = np.log(shares_V).astype(np.float32)
    return logits_V


class Toy(Backend):
    """Reads with `chances` in place of a network."""

    def __init__(self, tokenizer: Tokenizer, rows: int = 1) -> None:
        super().__init__(network(tokenizer.vocab_size), rows)
        self.tokenizer = tokenizer
        self.read: list[list[int]] = []

    @property
    def lengths(self) -> list[int]:
        return [len(text) for text in self.texts]

    @property
    def capacity(self) -> None:
        return None

    def reorder(self, rows: Sequence[int]) -> None:
        self.texts = [list(self.texts[row]) for row in rows]

    def prefill(self, row: int, ids: Sequence[int]) -> LogitsV:
        self.read.append(list(ids))
        return super().prefill(row, ids)

    def _read(self, row: int, ids: Sequence[int], before: Sequence[int], begins: bool) -> LogitsV:
        return chances(self.tokenizer, tuple(ids))

    def _step(self, tokens: Sequence[int]) -> LogitsV:
        return np.stack([chances(self.tokenizer, tuple(text)) for text in self.texts])


class ToyWriter(Writer):
    """Writes with the toy in place of a model."""

    def __init__(self, tokenizer: Tokenizer, **settings: Any) -> None:
        given = {"temperature": 1.0, "stop": ".", "max_tokens": 200}
        self.toy = Toy(tokenizer)
        super().__init__(self.toy.model, tokenizer, SampleSettings.model_validate(given | settings))

    def backend(self, rows: int) -> Backend:
        """Return the toy for so many texts."""
        return Toy(self.tokenizer, rows)


def continuations(tokenizer: Tokenizer, toy: Toy, prompt: str) -> dict[str, float]:
    """How probable each way is to end the line that the prompt began."""
    healing = Healing(tokenizer)
    starts = healing.heal(toy, tokenizer.encode(prompt).tolist()).starts
    own: list[list[Filter]] = [[healing.filter(start, ())] if start.rest else [] for start in starts]
    shares = log_shares(starts, SamplingSettings(temperature=1.0), own)
    found: dict[str, float] = {}
    for start, filters, share in zip(starts, own, shares, strict=True):
        for text, probability in ways(tokenizer, toy, start, filters, list(start.ids), math.exp(share)):
            found[text] = found.get(text, 0.0) + probability
    return found


def ways(
    tokenizer: Tokenizer, toy: Toy, start: Start, filters: Sequence[Filter], ids: list[int], probability: float
) -> Iterator[tuple[str, float]]:
    text = TextStream(tokenizer, len(start.rest)).push_all(ids[len(start.ids) :])
    if "." in text:
        yield text.partition(".")[0] + ".", probability
        return
    logits_V = toy.prefill(0, ids)
    for change in filters:
        logits_V = change(logits_V, ids)
    shares_V = np.exp(logits_V - np.logaddexp.reduce(logits_V))
    for token in np.flatnonzero(shares_V * probability > 1e-6).tolist():
        yield from ways(tokenizer, toy, start, filters, [*ids, token], probability * float(shares_V[token]))


def truth(prompt: str) -> dict[str, float]:
    held = {text.removeprefix(prompt): times for text, times in SENTENCES.items() if text.startswith(prompt)}
    return {text: times / sum(held.values()) for text, times in held.items()}


@EVERY
def test_a_text_behind_a_cut_prompt_is_distributed_as_behind_the_whole(kind: str, made: dict[str, Tokenizer]) -> None:
    tokenizer = made[kind]
    toy = Toy(tokenizer)
    cuts = {sentence[:end] for sentence in SENTENCES for end in range(1, len(sentence))}
    for number, prompt in enumerate(sorted(cuts)):
        before = "\n" * (number % 2)
        found, wanted = continuations(tokenizer, toy, before + prompt), truth(prompt)
        for text in found.keys() | wanted.keys():
            assert found.get(text, 0) == pytest.approx(wanted.get(text, 0), abs=5e-3), (before + prompt, text)


CUTS = ("the ca", "the man ", "the man  is", "then", "there is a m", "the café is 日", "it'", "t")


def held(prompt: str) -> dict[str, int]:
    return {sentence: times for sentence, times in SENTENCES.items() if sentence.startswith(prompt)}


@EVERY
def test_texts_that_are_drawn_keep_the_prompt_and_go_on_as_learnt(kind: str, made: dict[str, Tokenizer]) -> None:
    writer = ToyWriter(made[kind])
    for cut in CUTS:
        texts = writer.write_many([cut] * 8)
        assert {text + "." for text in texts} <= held(cut).keys()
        assert texts == [writer.write(cut, seed=seed) for seed in range(1, 9)]
        assert writer.write(cut, temperature=0.0) + "." in held(cut)
    # Each has the share that it has in the text.
    drawn = writer.write_many(["the cat"] * 150)
    assert drawn.count("the cat sat on the mat") == pytest.approx(100, abs=25)


@EVERY
def test_beam_search_knows_how_probable_each_text_is(kind: str, made: dict[str, Tokenizer]) -> None:
    writer = ToyWriter(made[kind])
    for cut in CUTS:
        found = writer.search(cut, beams=8, length_penalty=0)
        for text, share in truth(cut).items():
            best = next(one for one in found if cut + one.text + "." == cut + text)
            assert math.exp(best.log_probability) == pytest.approx(share, abs=5e-3)


@EVERY
def test_a_text_that_leads_to_a_suffix_begins_with_the_prompt(kind: str, made: dict[str, Tokenizer]) -> None:
    writer = ToyWriter(made[kind])
    best = writer.fill("the cat ", "mat", max_tokens=60)[0]
    assert best.text == "sat on the "
    assert math.exp(best.log_probability) == pytest.approx(1, abs=1e-2)
    assert writer.fill("the ca", " sat", max_tokens=60)[0].text == "t"


# The others lack letters, and what is spelled in parts matches nothing.
@pytest.mark.parametrize("kind", ["char", "byte", "bpe", "wordpiece", "word", "gpt2"])
def test_what_has_to_match_is_the_text_behind_the_prompt(kind: str, made: dict[str, Tokenizer]) -> None:
    writer = ToyWriter(made[kind])
    for cut, match, begins in (
        ("the ", r"c[^.]*\.", "the c"),
        ("the m", r"an[^.]*\.", "the man"),
        ("there is ", r"a m[^.]*\.", "there is a m"),
        ("then he came", r" t[^.]*\.", "then he came t"),
    ):
        assert writer.write(cut, match=match, stop=()) in held(begins)
    assert writer.write("then ", acrostic="h", stop=()) == "then he came to the market 1234 times.\n"


@EVERY
def test_a_ban_reaches_the_token_that_begins_with_the_rest(kind: str, made: dict[str, Tokenizer]) -> None:
    writer = ToyWriter(made[kind])
    # What stands in the prompt is no matter, and what is completed behind it is.
    assert set(writer.write_many(["the cat"] * 8, ban="cat ")) == {"the catalogue is on the mat"}
    assert set(writer.write_many(["the cat"] * 8, ban="cat")) == {
        "the cat sat on the mat",
        "the catalogue is on the mat",
    }


@EVERY
def test_filters_of_the_caller_cannot_break_the_prompt(kind: str, made: dict[str, Tokenizer]) -> None:
    writer = ToyWriter(made[kind])
    text = writer.write("the ca", filters=[lambda logits_V, ids: np.zeros_like(logits_V)], max_tokens=4, stop=())
    assert text.startswith("the ca")


def test_where_no_token_reaches_over_the_end_nothing_is_given_back(made: dict[str, Tokenizer]) -> None:
    for kind in ("char", "byte"):
        toy = Toy(made[kind])
        for cut in CUTS:
            ids = made[kind].encode(cut).tolist()
            healed = Healing(made[kind]).heal(toy, ids)
            assert [start.ids for start in healed.starts] == [ids]
        assert toy.read == []
    # Behind a full stop nothing can be meant but what follows.
    ids = made["bpe"].encode("the cat sat on the mat.").tolist()
    assert Healing(made["bpe"]).heal(Toy(made["bpe"]), ids).removed == 0


def test_what_learnt_answers_reads_a_prompt_as_it_was_learnt(made: dict[str, Tokenizer]) -> None:
    prompt = "the ca"
    whole = ToyWriter(made["bpe"], stop=[".", END])
    (start,) = whole._prompts.heal(whole.backend(1), made["bpe"].encode(prompt).tolist()).starts
    assert list(start.ids) == made["bpe"].encode(prompt).tolist()


@pytest.mark.parametrize("kind", ["bpe", "word", "gpt2"])
def test_all_readings_find_the_same_starts(kind: str, made: dict[str, Tokenizer]) -> None:
    tokenizer = made[kind]
    model = lively(GPTSettings(width=16, heads=2), tokenizer.vocab_size, 32)
    backends = [
        TorchBackend(model, 1),
        TorchBackend(model, 3),
        OnnxBackend(Engine(model), 1),
        CudaGraphBackend(model, 2),
    ]
    for cut in ("the ca", "then he came to the ma", "t"):
        found = [Healing(tokenizer).heal(backend, tokenizer.encode(cut).tolist()) for backend in backends]
        assert all(len(healed.starts) > 1 for healed in found)
        for healed in found[1:]:
            assert [(list(one.ids), one.rest) for one in healed.starts] == [
                (list(one.ids), one.rest) for one in found[0].starts
            ]
            assert healed.log_probability == pytest.approx(found[0].log_probability, abs=1e-3)
