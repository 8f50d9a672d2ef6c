"""Labels: where they stand, what they are called, and that nothing else of a text changes."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lilliput.corpus import (
    Corpus,
    Document,
    label_alike,
    label_documents,
    mark_prompt,
    read_files,
    unmark,
)
from lilliput.corpus.labels import EVERY, MOST, Marker, mark
from lilliput.errors import CorpusError

A, B = chr(0xF0000), chr(0xF0001)
TEXT = st.text(alphabet=st.sampled_from("ab \n"), max_size=80)


def corpus(*documents: Document) -> Corpus:
    return Corpus("some", documents)


@given(TEXT)
def test_nothing_but_labels_is_added(text: str) -> None:
    assert unmark(mark(text, A)) == text
    assert unmark(mark_prompt(text, A)) == text


@given(TEXT)
def test_a_label_stands_before_every_paragraph(text: str) -> None:
    marked = mark(text, A)
    paragraphs = [part for part in re.split(r"\n[ \n]*\n", text) if part.strip()]
    assert marked.count(A) == len(paragraphs)
    assert all(marked[place + 1 :].partition("\n")[0].strip() for place, found in enumerate(marked) if found == A)


@given(TEXT, TEXT)
def test_the_marks_of_a_prompt_are_those_of_the_text_that_it_begins(text: str, more: str) -> None:
    whole, begun = mark(text + "c" + more, A), mark_prompt(text, A)
    assert whole.startswith(begun)
    assert begun.count(A) == mark(text + "c", A).count(A)


@given(st.lists(TEXT), st.sampled_from([1, EVERY]))
def test_a_document_in_parts_has_the_same_labels(parts: list[str], repeat: int) -> None:
    marker = Marker(A)
    marked = [marker.mark(part * repeat) for part in parts]
    assert "".join(marked) + marker.rest == mark("".join(part * repeat for part in parts), A)


def test_long_paragraphs_have_labels_at_their_lines() -> None:
    line = "x" * 60 + "\n"
    assert mark(line * 8, A).count(A) == 2
    assert mark("x" * 5 * EVERY, A).count(A) == 1
    assert mark_prompt(line * 4, A).endswith("\n" + A)
    assert mark_prompt(line, A).endswith("x\n")
    assert mark_prompt("", A) == A


def test_files_and_folders_give_their_names(tmp_path) -> None:
    for name in ("hugo/one.txt", "hugo/two.txt", "verlaine/three.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"This is {name}.\n")
    read = read_files([tmp_path])
    labelled = label_documents(read, "folder")
    assert labelled.labels == {"hugo": A, "verlaine": B}
    assert [document.text[0] for document in labelled.documents] == [A, A, B]
    assert unmark(labelled.text) == read.text
    assert list(label_documents(read, "file").labels) == ["one", "three", "two"]
    # Folders that are given themselves have names, too.
    assert list(label_documents(read_files([tmp_path / "hugo", tmp_path / "verlaine"]), "folder").labels) == [
        "hugo",
        "verlaine",
    ]


def test_the_packing_is_no_part_of_a_name() -> None:
    documents = (
        Document("a/one.txt.gz", "x"),
        Document("two.b.txt", "y"),
        Document("rows.jsonl:3", "z"),
        Document("a: b.txt", "q"),
    )
    assert list(label_documents(corpus(*documents), "file").labels) == ["a: b", "one", "rows", "two.b"]


@pytest.mark.parametrize("suffix", ["jsonl", "csv"])
def test_rows_name_their_label(tmp_path, suffix: str) -> None:
    rows = [{"text": "To be.", "label": "play"}, {"text": "It is a truth.", "label": "novel"}]
    path = tmp_path / f"rows.{suffix}"
    if suffix == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        path.write_text("text,label\n" + "".join(f"{row['text']},{row['label']}\n" for row in rows))
    labelled = label_documents(read_files([path]), "field")
    assert labelled.labels == {"novel": A, "play": B}
    assert labelled.text == f"{B}To be.\n\n{A}It is a truth."


@pytest.mark.parametrize(
    ("documents", "kind", "message"),
    [
        ((Document("a.txt", "x"), Document("a.txt", "y")), "file", "finds only one: a in some"),
        ((Document("a.txt", "x"), Document("b.txt", "y")), "field", 'a.txt in some has no "label"'),
        ((Document("a.txt", "x"), Document("b.txt", "y")), "folder", "a.txt in some is in no folder"),
        ((Document("a.txt", A), Document("b.txt", "y")), "file", "a.txt holds a character between U+F0000 and U+F176F"),
        (tuple(Document(f"{n}.txt", "x") for n in range(MOST + 1)), "file", "finds 6,001 in some"),
    ],
)
def test_what_has_no_labels_is_told(documents, kind, message) -> None:
    with pytest.raises(CorpusError, match=re.escape(message)):
        label_documents(corpus(*documents), kind)


def test_another_text_gets_the_labels_that_are_known() -> None:
    other = corpus(Document("b.txt", "x"), Document("c.txt", "y"), Document("d.txt", "z", label=""))
    assert label_alike(other, "file", {"a": A, "b": B}).text == f"{B}x\n\ny\n\nz"
    assert label_alike(other, "field", {"a": A, "b": B}).text == "x\n\ny\n\nz"
