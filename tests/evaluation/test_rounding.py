"""What 8 bits cost, on a run's own held-out text."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tests.training.building import example_recipe, recipe, run, sums

from lilliput.data.encoded_examples import read_examples
from lilliput.evaluation.answers import score_answers
from lilliput.evaluation.rounding import measure_rounding
from lilliput.models import build
from lilliput.writer import Writer, load


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rounding") / "run"
    run(folder, recipe())
    return folder


def test_eight_bits_change_the_loss_a_little(trained: Path) -> None:
    writer = load(trained, bits=8)
    found = measure_rounding(writer)
    assert found is not None
    assert 0 < abs(found.rounded - found.exact) < 0.02
    # The same by one pass over the same places.
    tokens = np.load(trained / "tokens" / "validation.npy")
    time = min(65, writer.model.context)
    rows = min(32, len(tokens) // time)
    starts = np.linspace(0, len(tokens) - time, rows).astype(int)
    ids_BT = torch.from_numpy(np.stack([tokens[start : start + time] for start in starts]).astype(np.int64))
    with torch.no_grad():
        logits_BTV = writer.model(ids_BT[:, :-1])
    expected = torch.nn.functional.cross_entropy(logits_BTV.flatten(0, 1), ids_BT[:, 1:].flatten())
    assert found.exact == pytest.approx(float(expected), abs=1e-4)
    assert found.tokens == rows * (time - 1)


def test_without_rounding_nothing_changes(trained: Path) -> None:
    found = measure_rounding(load(trained))
    assert found is not None
    assert found.rounded == pytest.approx(found.exact, abs=1e-5)


def test_too_little_text_is_not_measured(trained: Path) -> None:
    writer = load(trained, bits=8)
    assert measure_rounding(Writer(writer.model, writer.tokenizer, writer.settings)) is None
    long = build(writer.model.settings, writer.model.vocab_size, 10**6)
    short = Writer(long, writer.tokenizer, writer.settings, writer.folder)
    tokens = np.load(trained / "tokens" / "validation.npy")
    assert (measure_rounding(short) is None) == (len(tokens) < 65)


def test_of_answers_only_their_tokens_count(tmp_path: Path) -> None:
    run(tmp_path / "run", example_recipe(), text=sums())
    writer = load(tmp_path / "run", bits=8)
    found = measure_rounding(writer)
    assert found is not None
    # Fewer than are looked at, so these are all.
    expected = score_answers(writer.model, read_examples(tmp_path / "run" / "tokens" / "validation.npy"))
    assert found.tokens == expected.tokens
    assert found.exact == pytest.approx(expected.loss_nats_per_token, abs=1e-4)
    assert 0 < abs(found.rounded - found.exact) < 0.05
