"""A text read as a stream gives the same run as the text read at once."""

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lilliput.corpus import Corpus, LargeText, label_documents, open_large, read_files
from lilliput.corpus.files import contents, large_texts
from lilliput.corpus.text.streams import cut_stream
from lilliput.data import encoding
from lilliput.errors import CorpusError, RunError
from lilliput.planning.resolve import resolve
from lilliput.runs.folder import RunFolder
from lilliput.training.data import large_text
from tests.conftest import made_up_text
from tests.training.building import finished, recipe, run

KINDS = {
    "char": {"tokenizer.kind": "char"},
    "byte": {"tokenizer.kind": "byte"},
    "bpe": {"tokenizer.kind": "bpe", "tokenizer.vocabulary": 60},
}


@pytest.fixture
def text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of a few thousand characters that counts as large, in many pieces."""
    monkeypatch.setattr(large_texts, "LARGE", 1000)
    monkeypatch.setattr(large_texts, "WHOLE", 500)
    monkeypatch.setattr(contents, "PIECE", 128)
    monkeypatch.setattr(cut_stream, "__defaults__", (128,))
    monkeypatch.setattr(large_text, "_DECODED_AT_ONCE", 300)
    file = tmp_path / "long.txt"
    file.write_text(made_up_text(6000), encoding="utf-8")
    return file


def assert_same_run(tmp_path: Path) -> None:
    """Compare the runs of a text read at once and of the same text as a stream."""
    folders = [RunFolder(tmp_path / name) for name in ("whole", "streamed")]
    for name in ("training_tokens", "validation_tokens"):
        one, other = (np.load(getattr(folder, name)) for folder in folders)
        assert one.dtype == other.dtype
        assert np.array_equal(one, other)
    whole, streamed = (folder.read_json(folder.facts) for folder in folders)
    assert streamed["text"].pop("files")
    assert whole == streamed
    for name in ("weights.safetensors", "evaluation.json", "tokenizer/tokenizer.json"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "streamed" / name).read_bytes(), name


def test_labels_and_documents_of_a_stream_are_those_of_a_text_read_at_once(tmp_path: Path, text: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    lines = [{"text": made_up_text(150, seed), "label": "ab"[seed % 2]} for seed in range(30)]
    rows.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    settings = recipe(**{"data.labels": "field", "data.split.by": "document", "tokenizer.kind": "char"})
    whole = label_documents(read_files([rows]), "field")
    finished(run(tmp_path / "whole", settings, text=whole))
    streamed = replace(open_large([rows]), label_kind="field")
    finished(run(tmp_path / "streamed", settings, text=streamed))
    assert_same_run(tmp_path)


@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS.keys())
def test_streamed_equals_read_at_once(tmp_path: Path, text: Path, options: dict[str, object]) -> None:
    settings = recipe(**options)
    finished(run(tmp_path / "whole", settings, text=read_files([text])))
    finished(run(tmp_path / "streamed", settings, text=open_large([text])))
    assert_same_run(tmp_path)


def test_an_interrupted_preparation_continues(tmp_path: Path, text: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = recipe(**KINDS["bpe"])
    stages: list[tuple[str, int]] = []

    def stop_halfway(stage: str, done: int, total: int) -> None:
        stages.append((stage, done))
        if stage == "tokenising" and done > total / 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "run", settings, text=open_large([text]), preparing=stop_halfway)
    assert {stage for stage, _ in stages} == {"reading", "tokenising"}
    halfway = stages[-1][1]
    assert not (tmp_path / "run" / "facts.json").exists()
    assert (tmp_path / "run" / ".part").is_dir()

    def refuse(*arguments: object) -> None:
        raise AssertionError("the tokenizer was trained already")

    monkeypatch.setattr("lilliput.training.data.prepare.train_tokenizer", refuse)
    stages.clear()
    events = run(tmp_path / "run", settings, text=open_large([text]), preparing=lambda *row: stages.append(row[:2]))
    assert min(done for stage, done in stages if stage == "tokenising") > halfway
    assert finished(events).step == 12
    assert not (tmp_path / "run" / ".part").exists()
    assert not list((tmp_path / "run").glob("beginning*"))
    monkeypatch.undo()
    finished(run(tmp_path / "unbroken", settings, text=open_large([text])))
    for name in ("tokens/training.npy", "weights.safetensors"):
        assert (tmp_path / "run" / name).read_bytes() == (tmp_path / "unbroken" / name).read_bytes(), name


def test_a_preparation_of_another_text_is_not_reused(tmp_path: Path, text: Path) -> None:
    def stop(stage: str, done: int, total: int) -> None:
        if stage == "tokenising":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "run", recipe(), text=open_large([text]), preparing=stop)
    text.write_text(made_up_text(5000, seed=2), encoding="utf-8")
    finished(run(tmp_path / "run", recipe(), text=open_large([text])))
    finished(run(tmp_path / "new", recipe(), text=open_large([text])))
    assert (tmp_path / "run/tokens/training.npy").read_bytes() == (tmp_path / "new/tokens/training.npy").read_bytes()


def test_unchanged_files_are_not_read_again(tmp_path: Path, text: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(tmp_path / "run", recipe(), text=open_large([text]))
    longer = recipe(**{"training.steps": 14})
    with monkeypatch.context() as patched:
        patched.setattr(LargeText, "documents", lambda *arguments: pytest.fail("read again"))
        assert finished(run(tmp_path / "run", longer, text=open_large([text]))).step == 14
    os.utime(text, (1, 1))  # other times, the same text
    assert finished(run(tmp_path / "run", recipe(**{"training.steps": 15}), text=open_large([text]))).step == 15
    text.write_text(text.read_text(encoding="utf-8") + "more\n", encoding="utf-8")
    with pytest.raises(RunError, match="a different text"):
        run(tmp_path / "run", recipe(**{"training.steps": 16}), text=open_large([text]))


def test_a_large_text_that_cannot_be_used_leaves_nothing(tmp_path: Path, text: Path) -> None:
    with pytest.raises(CorpusError, match="is one document and cannot be split by document"):
        run(tmp_path / "run", recipe(**{"data.split.by": "document"}), text=open_large([text]))
    assert not (tmp_path / "run").exists()


def test_a_tokenizer_learns_from_a_sample_with_a_note(
    tmp_path: Path, text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(large_text, "MOST_LEARNT", 2000)
    monkeypatch.setattr(encoding.spread_sample, "__defaults__", (2000,))
    run(tmp_path / "run", recipe(**KINDS["bpe"]), text=open_large([text]))
    folder = RunFolder(tmp_path / "run")
    notes = folder.read_json(folder.facts)["text"]["notes"]
    assert "the tokenizer was trained on 2,000 characters, spread evenly over the text" in notes


def test_a_large_file_is_planned_and_measured_on_another(tmp_path: Path, text: Path) -> None:
    task = resolve([str(text)])
    assert isinstance(task.corpus, LargeText)
    assert "large text" in task.recipe.description
    task = resolve([str(text)], settings={"data.labels": "file"})
    assert isinstance(task.corpus, LargeText)
    assert task.corpus.label_kind == "file"
    small = tmp_path / "small.txt"
    small.write_text("A few words.\n" * 9, encoding="utf-8")
    task = resolve([str(text)], validation=str(small))
    assert isinstance(task.validation, Corpus)
    assert task.validation.text == "A few words.\n" * 9
