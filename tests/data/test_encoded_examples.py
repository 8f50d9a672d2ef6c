from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lilliput.corpus import END, Example
from lilliput.corpus.examples import gather
from lilliput.data.encoded_examples import (
    EncodedExamples,
    ExampleBatches,
    encode_examples,
    read_examples,
    write_examples,
)
from lilliput.errors import CorpusError, RunError
from lilliput.models import build
from lilliput.models.settings import GPTSettings, RecurrentSettings
from lilliput.objectives.next_token import next_token
from lilliput.tokenizers import Tokenizer, train

PAIRS = [Example("12+34=", "46"), Example("7+8=", "15"), Example("Wie? ", "So ist es, ja."), Example("é", "日本")]
words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters=END), min_size=1, max_size=6)


def tokenizer_of(kind: str, examples: list[Example], **options: object) -> Tokenizer:
    texts = [text for example in examples for text in (example.prompt, example.answer, END)]
    return train(kind, texts * 3, **options)  # type: ignore[arg-type]


def encoded(examples: list[Example] = PAIRS, kind: str = "char") -> tuple[EncodedExamples, Tokenizer]:
    tokenizer = tokenizer_of(kind, examples)
    return encode_examples(gather("made up", examples), tokenizer), tokenizer


@pytest.mark.parametrize("kind", ["char", "byte", "bpe", "wordpiece", "unigram", "word"])
def test_each_piece_is_encoded_by_itself(kind: str) -> None:
    examples = [*PAIRS, *[Example(f"How much is {n}? ", f"It is {n}.") for n in range(30)]]
    tokenizer = tokenizer_of(kind, examples, vocabulary=None if kind in ("char", "byte") else 45)
    known = encode_examples(gather("made up", examples), tokenizer)
    for index, example in enumerate(examples):
        assert known.prompt(index) == tokenizer.encode(example.prompt).tolist()
        assert known.answer(index) == [*tokenizer.encode(example.answer), *tokenizer.encode(END)]
        assert known.lengths_N[index] == len(known.prompt(index)) + len(known.answer(index))
        assert known.answer_lengths_N[index] == len(known.answer(index))
    assert known.positions == max(known.lengths_N) - 1


@settings(max_examples=50, deadline=None)
@given(pairs=st.lists(st.builds(Example, words, words), min_size=1, max_size=8), kind=st.sampled_from(["char", "byte"]))
def test_characters_that_the_tokenizer_does_not_know_come_back(pairs: list[Example], kind: str) -> None:
    tokenizer = tokenizer_of(kind, PAIRS)
    known = encode_examples(gather("any", pairs), tokenizer)
    for index, example in enumerate(pairs):
        assert tokenizer.decode(known.prompt(index)) == example.prompt
        assert tokenizer.decode(known.answer(index)) == example.answer + END


def test_a_normalisation_that_changes_lengths_keeps_the_bounds() -> None:
    examples = [Example("e\u0301e\u0301", "A"), Example("b", "C\u0327")]
    tokenizer = tokenizer_of("char", examples, normalize=("nfc", "lowercase"))
    known = encode_examples(gather("made up", examples), tokenizer)
    assert [tokenizer.decode(known.prompt(index)) for index in (0, 1)] == ["éé", "b"]
    assert [tokenizer.decode(known.answer(index)) for index in (0, 1)] == ["a" + END, "ç" + END]


def test_many_examples_are_encoded_in_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, tokenizer = encoded([*PAIRS] * 3)
    monkeypatch.setattr("lilliput.data.encoded_examples._ENCODED_AT_ONCE", 5)
    parts = encode_examples(gather("made up", [*PAIRS] * 3), tokenizer)
    assert parts.ids.tolist() == whole.ids.tolist()
    assert parts.bounds_N2.tolist() == whole.bounds_N2.tolist()


def test_only_answer_and_end_weigh_something() -> None:
    known, tokenizer = encoded()
    batch = known.batch(np.array([1, 0, 2]))
    assert batch.inputs_BT.shape == batch.targets_BT.shape == batch.weights_BT.shape == (3, known.positions)
    for row, index in enumerate([1, 0, 2]):
        ids = [*known.prompt(index), *known.answer(index)]
        length = len(ids)
        assert batch.inputs_BT[row, : length - 1].tolist() == ids[:-1]
        assert batch.targets_BT[row, : length - 1].tolist() == ids[1:]
        counted = batch.targets_BT[row][batch.weights_BT[row] > 0].tolist()
        assert counted == known.answer(index)
        assert tokenizer.decode(counted) == PAIRS[index].answer + END
    assert set(batch.weights_BT.unique().tolist()) == {0.0, 1.0}


def test_rows_are_padded_to_the_longest_of_their_batch() -> None:
    known, _ = encoded()
    assert known.batch(np.array([0, 1])).inputs_BT.shape == (2, len("12+34=46"))
    assert known.batch(np.array([1])).inputs_BT.shape == (1, len("7+8=15"))


@pytest.mark.parametrize("model", [GPTSettings(layers=1, width=8, heads=2), RecurrentSettings(width=8)])
def test_prompt_and_padding_change_neither_loss_nor_gradient(model: GPTSettings | RecurrentSettings) -> None:
    known, tokenizer = encoded()
    network = build(model, tokenizer.vocab_size, known.positions)

    def gradient(places: list[int], targets: int | None = None) -> torch.Tensor:
        batch = known.batch(np.array(places))
        if targets is not None:  # other targets where nothing is weighed
            batch = replace(batch, targets_BT=batch.targets_BT.masked_fill(batch.weights_BT == 0, targets))
        network.zero_grad()
        next_token(network, batch).backward()
        return torch.cat([weight.grad.flatten() for weight in network.parameters() if weight.grad is not None])

    assert torch.equal(gradient([0, 1, 2]), gradient([0, 1, 2], targets=3))
    apart = gradient([0]) + gradient([1]) + gradient([2])
    assert torch.allclose(gradient([0, 1, 2]), apart, atol=1e-6)


@settings(max_examples=50, deadline=None)
@given(count=st.integers(1, 30), rows=st.integers(1, 70), seed=st.integers(0, 99), step=st.integers(0, 50))
def test_a_batch_is_a_function_of_seed_and_step(count: int, rows: int, seed: int, step: int) -> None:
    known, _ = encoded([Example(f"{number}?", "!") for number in range(count)])
    fresh = ExampleBatches(known, rows, seed).batch(step)
    used = ExampleBatches(known, rows, seed)
    used.batch(step + 3)
    assert torch.equal(used.batch(step).inputs_BT, fresh.inputs_BT)
    assert len(fresh.inputs_BT) == rows


def test_an_epoch_sees_every_example_once_and_the_next_in_another_order() -> None:
    examples = [Example(f"{number:02}", "!") for number in range(30)]
    known, tokenizer = encoded(examples)
    batches = ExampleBatches(known, 7, seed=3)  # 30 is no multiple of 7: batches lie across epochs
    rows = [tokenizer.decode(row[:2].tolist()) for step in range(30) for row in batches.batch(step).inputs_BT]
    epochs = [rows[start : start + 30] for start in range(0, 210, 30)]
    assert all(sorted(epoch) == [example.prompt for example in examples] for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 7
    other = ExampleBatches(known, 7, seed=4).batch(0)
    assert not torch.equal(other.inputs_BT, batches.batch(0).inputs_BT)


def test_examples_come_back_from_the_disk(tmp_path: Path) -> None:
    known, _ = encoded()
    write_examples(tmp_path / "tokens" / "training.npy", known)
    back = read_examples(tmp_path / "tokens" / "training.npy")
    assert back.ids.tolist() == known.ids.tolist()
    assert back.bounds_N2.tolist() == known.bounds_N2.tolist()
    assert isinstance(back.ids, np.memmap)
    assert np.load(tmp_path / "tokens" / "training.bounds.npy").ndim == 1


@pytest.mark.parametrize("bounds", [[], [1], [0, 31], [3, 2], [3, 999], [6, 9, 9, 31]])
def test_broken_bounds_are_told(tmp_path: Path, bounds: list[int]) -> None:
    known, _ = encoded()
    path = tmp_path / "training.npy"
    write_examples(path, known)
    np.save(tmp_path / "training.bounds.npy", np.array(bounds, np.uint32))
    with pytest.raises(RunError, match=r"its bounds do not match its tokens; start over with --fresh"):
        read_examples(path)
    (tmp_path / "training.bounds.npy").unlink()
    with pytest.raises(RunError, match="missing or damaged"):
        read_examples(path)


def test_an_example_that_is_longer_than_the_window_is_refused_with_its_place() -> None:
    examples = gather("q.jsonl", PAIRS, lines_N=np.array([1, 2, 5, 6]))
    tokenizer = tokenizer_of("char", PAIRS)
    longest = len("Wie? So ist es, ja.") + 1
    with pytest.raises(
        CorpusError, match=rf"q\.jsonl, line 5 has {longest} tokens.* at most 11 fit.*window={longest - 1}"
    ):
        encode_examples(examples, tokenizer, 10)
    assert encode_examples(examples, tokenizer, longest - 1).positions == longest - 1
