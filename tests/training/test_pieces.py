"""A run that holds out pieces from all over its text."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lilliput.corpus import SplitSettings, split
from lilliput.errors import RunError
from lilliput.evaluation import rounding
from lilliput.evaluation.rounding import measure_rounding
from lilliput.runs.folder import RunFolder
from lilliput.segments import segments
from lilliput.training.evaluator import evaluate_run
from lilliput.training.events import Finished, Note
from lilliput.writer import load
from tests.training.building import corpus, finished, recipe, run, stop_after

PIECES = {"data.split.by": "pieces", "model.counts": True, "training.steps": 6, "training.evaluate_every": 3}
TEXT = corpus(15_000)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Any]]:
    folder = tmp_path_factory.mktemp("pieces") / "run"
    return folder, run(folder, recipe(**PIECES), text=TEXT)


def test_training_and_validation_segments_alternate_and_form_the_whole_text(
    trained: tuple[Path, list[Any]],
) -> None:
    folder, events = trained
    held = RunFolder(folder)
    tokenizer, texts = held.load_tokenizer(), []
    for path in (held.training_tokens, held.validation_tokens):
        tokens = held.read_tokens(path)
        parts = segments(len(tokens), held.read_starts(path, len(tokens)))
        texts.append(tuple(tokenizer.decode(tokens[part.start : part.stop].tolist()) for part in parts))
    learnt, held_out = texts
    assert len(learnt) == len(held_out) == 3
    assert "".join(one + other for one, other in zip(learnt, held_out, strict=True)) == TEXT.text
    parts = split(TEXT, SplitSettings(by="pieces"))
    assert (parts.training_segments, parts.validation_segments) == (learnt, held_out)
    notes = [event.text for event in events if isinstance(event, Note)]
    assert "held out: 3 pieces, evenly spread over the text" in notes


def test_eval_repeats_the_final_evaluation(trained: tuple[Path, list[Any]]) -> None:
    folder, events = trained
    last = finished(events)
    assert last.evaluation is not None
    assert last.evaluation["sampled_share"] == 1
    assert evaluate_run(load(folder), folder) == last.evaluation


def test_a_continued_run_learns_the_same(trained: tuple[Path, list[Any]], tmp_path: Path) -> None:
    folder, events = trained
    run(tmp_path / "run", recipe(**PIECES), text=TEXT, stop=stop_after(2))
    last = run(tmp_path / "run", recipe(**PIECES), text=TEXT)[-1]
    assert isinstance(last, Finished)
    assert last.evaluation == finished(events).evaluation
    weights = [(path / "weights.safetensors").read_bytes() for path in (folder, tmp_path / "run")]
    assert weights[0] == weights[1]


def test_eight_bits_are_measured_within_the_pieces(trained: tuple[Path, list[Any]]) -> None:
    folder, _ = trained
    held = RunFolder(folder)
    tokens = held.read_tokens(held.validation_tokens)
    parts = segments(len(tokens), held.read_starts(held.validation_tokens, len(tokens)))
    numbers = np.repeat(np.arange(3), list(map(len, parts)))
    ((prompts, others),) = rounding._of_text(np.arange(len(tokens), dtype=np.uint32), 65, parts)
    for prompt, other in zip(prompts, others, strict=True):
        assert len(set(numbers[prompt + other])) == 1
    assert measure_rounding(load(folder)) is not None


def test_lost_segment_starts_are_detected(trained: tuple[Path, list[Any]], tmp_path: Path) -> None:
    folder, _ = trained
    shutil.copytree(folder, tmp_path / "run")
    (tmp_path / "run" / "tokens" / "training.starts.npy").unlink()
    with pytest.raises(RunError, match=r"training\.starts\.npy: the token file is missing"):
        load(tmp_path / "run")
