"""Large texts: which part of them is held out, and the labels of their documents."""

import json
import random
from dataclasses import replace

import pytest

from lilliput.corpus import Corpus, Document, SplitSettings, label_alike, label_documents, read_files, split, unmark
from lilliput.corpus.files import large_texts
from lilliput.corpus.files.large_splits import divide
from lilliput.corpus.files.large_texts import open_large, survey
from lilliput.errors import CorpusError
from tests.conftest import made_up_text
from tests.corpus.file_contents import make_small

TEXT = made_up_text(5000)


@pytest.fixture
def small(monkeypatch):
    """Make every file a large one."""
    make_small(monkeypatch, 300, 64)


@pytest.fixture(scope="module")
def stories(tmp_path_factory):
    """A folder of documents of all kinds, all of which have labels of all kinds."""
    folder = tmp_path_factory.mktemp("stories")
    for number in range(3):
        rows = [{"text": made_up_text(40 + 90 * row, row + number), "label": "ab"[row % 2]} for row in range(9)]
        path = folder / "abc"[number % 3] / f"rows{number}.jsonl"
        path.parent.mkdir(exist_ok=True)
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "a/marked.txt").write_text("<|endoftext|>".join(made_up_text(50, seed) for seed in range(20)))
    return folder


@pytest.mark.parametrize("fraction", [0.001, 0.1, 0.3, 0.7])
def test_the_division_is_that_of_a_small_text(small, tmp_path, fraction):
    file = tmp_path / "text.txt"
    file.write_text(made_up_text(9000))
    corpus = read_files([file])
    expected = split(corpus, SplitSettings(fraction=fraction))
    large = open_large([file])
    parts = divide(large, survey(large), SplitSettings(fraction=fraction))
    assert parts.validation == expected.validation
    assert "".join(parts.training_pieces()) == expected.training
    assert parts.characters == len(expected.training)


def test_of_a_large_text_no_more_than_so_much_is_held_out(small, tmp_path, monkeypatch):
    monkeypatch.setattr(large_texts, "MOST_HELD_OUT", 500)
    file = tmp_path / "text.txt"
    file.write_text(made_up_text(20_000))
    large = open_large([file])
    found = survey(large)
    parts = divide(large, found, SplitSettings())
    assert 400 < len(parts.validation) < 600
    training = "".join(parts.training_pieces())
    assert training + parts.validation == file.read_text()
    assert training.endswith("\n")
    assert len(found.end) < 1200


def test_a_validation_text_of_ones_own_takes_the_place(small, tmp_path):
    file = tmp_path / "text.txt"
    file.write_text(TEXT)
    large = open_large([file])
    found = survey(large)
    parts = divide(large, found, SplitSettings(by="document"), Corpus("other", (Document("other", "other text"),)))
    assert parts.validation == "other text"
    assert "".join(parts.training_pieces()) == read_files([file]).text
    with pytest.raises(CorpusError, match="no validation text"):
        divide(large, found, SplitSettings(), Corpus("other", (Document("other", " "),)))


@pytest.mark.parametrize("by", ["pieces", "items"])
def test_another_split_is_refused(tmp_path, by):
    (tmp_path / "text.txt").write_text("some words\n" * 9)
    large = open_large([tmp_path / "text.txt"])
    with pytest.raises(CorpusError, match=f"cannot be split by {by}: split it by position"):
        divide(large, survey(large), SplitSettings(by=by))


@pytest.mark.parametrize("fraction", [0.001, 0.1, 0.3, 0.95])
@pytest.mark.parametrize("kind", [None, "file", "folder"])
def test_documents_and_labels_are_those_of_a_small_text(small, stories, kind, fraction):
    corpus = read_files([stories])
    large = replace(open_large([stories]), label_kind=kind)
    if kind:
        corpus = label_documents(corpus, kind)
    expected = split(corpus, SplitSettings(by="document", fraction=fraction))
    found = survey(large)
    assert (found.sha256, found.characters, found.labels) == (corpus.sha256, corpus.characters, corpus.labels)
    parts = divide(large, found, SplitSettings(by="document", fraction=fraction))
    assert parts.validation == expected.validation
    assert "".join(parts.training_pieces()) == expected.training
    assert parts.characters == len(expected.training)
    assert parts.characters - parts.label_characters == len(unmark(expected.training))


def test_rows_name_their_labels_and_a_validation_text_gets_them(small, stories):
    rows = sorted(stories.glob("*/*.jsonl"))
    corpus = label_documents(read_files(rows), "field")
    large = replace(open_large(rows), label_kind="field")
    found = survey(large)
    assert (found.sha256, found.labels) == (corpus.sha256, corpus.labels)
    other = Corpus("other", (Document("x", "one text", label="a"), Document("y", "another", label="b")))
    assert divide(large, found, SplitSettings(), other).validation == label_alike(other, "field", found.labels).text
    parts = divide(large, found, SplitSettings())
    assert unmark(parts.validation) != parts.validation
    assert "".join(parts.training_pieces()) + parts.validation == corpus.text


def test_a_large_text_needs_labels_too(small, stories):
    with pytest.raises(CorpusError, match=r'data.labels=field: a/marked.txt in stories.* has no "label"'):
        survey(replace(open_large([stories]), label_kind="field"))
    with pytest.raises(CorpusError, match="finds only one: a in a"):
        survey(replace(open_large([stories / "a"]), label_kind="folder"))


def test_documents_that_are_too_long_are_learnt(small, tmp_path, monkeypatch):
    monkeypatch.setattr(large_texts, "MOST_HELD_OUT", 500)
    lengths = [2000, 100, 2000, 150, 100, 100, 4000, 3000, *[60] * 180]
    for number, length in enumerate(lengths):
        (tmp_path / f"{number:03}.txt").write_text(made_up_text(length, number))
    large = open_large([tmp_path])
    parts = divide(large, survey(large), SplitSettings(by="document", fraction=0.5))
    assert 200 < len(parts.validation) <= 500
    training = "".join(parts.training_pieces())
    assert len(training) == parts.characters
    texts = [document.text for document in read_files([tmp_path]).documents]
    assert [text in parts.validation for text in texts] == [text not in training for text in texts]
    (tmp_path / "long").mkdir()
    for name in ("000.txt", "003.txt", "007.txt"):
        (tmp_path / name).rename(tmp_path / "long" / name)
    large = open_large([tmp_path / "long"])
    parts = divide(large, survey(large), SplitSettings(by="document"))
    assert parts.validation == (tmp_path / "long/003.txt").read_text()
    (tmp_path / "long/003.txt").unlink()
    large = open_large([tmp_path / "long"])
    with pytest.raises(CorpusError, match="no document of at most 500 characters that could"):
        divide(large, survey(large), SplitSettings(by="document"))


def test_a_sorted_list_is_held_out_at_its_end_with_a_warning(small, tmp_path):
    words = sorted({f"{first}{second}{third}a" for first in "bcdf" for second in "aeiou" for third in "lmnrst"})
    file = tmp_path / "words.txt"
    for lines, warned in ((words, True), (random.Random(1).sample(words, len(words)), False)):
        file.write_text("\n".join(lines))
        large = open_large([file])
        notes = divide(large, survey(large), SplitSettings()).notes
        assert [note.startswith("words is in alphabetical order, and only its end") for note in notes] == [
            True
        ] * warned


def test_one_document_cannot_be_split_by_document(small, tmp_path):
    (tmp_path / "text.txt").write_text(TEXT)
    large = open_large([tmp_path / "text.txt"])
    with pytest.raises(CorpusError, match="is one document and cannot be split by document: split it by position"):
        divide(large, survey(large), SplitSettings(by="document"))
