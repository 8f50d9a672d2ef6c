"""Marks of other tools, and codes of terminals."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lilliput.corpus import open_large, read_files, survey
from lilliput.corpus.files import large_texts
from lilliput.corpus.text.byte_decoding import TextDecoder, decode
from lilliput.corpus.text.codes import Codes
from lilliput.corpus.text.marks import Marks
from lilliput.corpus.text.streams import cut_stream
from lilliput.errors import CorpusError


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("one<|endoftext|>two", ["one", "two"]),
        ("<|startoftext|>one\n<|endoftext|>\n<|startoftext|>two<|endoftext|>\n", ["one", "two"]),
        ("<s> the cat </s>\n<s> the dog </s>\n", ["the cat", "the dog"]),
        ("It is <s>bad</s> good.\n", ["It is <s>bad</s> good.\n"]),
        ('END = "<|endoftext|>"\n', ['END = "<|endoftext|>"\n']),
        ("`<|endoftext|>` parts", ["`<|endoftext|>` parts"]),
        ("<|endoftext|>\n", [""]),
        ("no mark\n", ["no mark\n"]),
        ("a [SEP] b <unk>", ["a [SEP] b <unk>"]),
    ],
)
def test_marks_that_part_documents_do(text: str, parts: list[str]) -> None:
    assert Marks().parts(text) == parts


def test_marks_are_told(tmp_path) -> None:
    (tmp_path / "a.txt").write_text("one <unk> [SEP]<|endoftext|>two <unk><|endoftext|>### Instruction: go")
    corpus = read_files([tmp_path / "a.txt"])
    assert [document.text for document in corpus.documents] == ["one <unk> [SEP]", "two <unk>", "### Instruction: go"]
    assert corpus.notes[1:] == (
        "<|endoftext|> 2 times: removed, and the text split into documents there",
        "<unk> 2 times, ### Instruction: once, [SEP] once: marks of another tool, kept as text",
    )


WORDS = st.sampled_from(["a", "bc ", " ", "\n\n", "<|endoftext|>", "<s>", " </s> ", "### Input:", "<unk>", '"'])
CODES = st.sampled_from(
    ["\x1b[1;31m", "\x1b", "[", "3", "\x03", "12", ",", "m", "a", "\x08", "\n", "\x1b]x\x07", "\x1b\\"]
)


@given(st.lists(WORDS, max_size=30).map("".join))
def test_a_stream_has_the_same_marks(text: str) -> None:
    whole, streamed = Marks(), Marks()
    expected = "\n\n".join(part for part in whole.parts(text) if part)
    documents: list[str] = []
    for begins, part in streamed.stream(cut_stream([text], 3)):
        documents += [part] if begins else [documents.pop() + part]
    assert "\n\n".join(documents) == expected
    assert streamed.notes() == whole.notes()


def test_a_large_file_has_the_same_marks(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(large_texts, "WHOLE", 300)
    monkeypatch.setattr(cut_stream, "__defaults__", (64,))
    path = tmp_path / "a.txt"
    path.write_text("".join(f"Story {number} went on and on. <unk>\n<|endoftext|>\n" for number in range(40)))
    rows = tmp_path / "b.jsonl"
    rows.write_text("".join(f'{{"text": "Story {number}<|endoftext|>more"}}\n' for number in range(40)))
    for file in (path, rows):
        corpus, large = read_files([file]), open_large([file])
        assert len(corpus.documents) == (40 if file == path else 80)
        assert "".join(large.pieces()) == corpus.text
        assert survey(large).documents == len(corpus.documents)
        assert set(survey(large).notes) == set(corpus.notes)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("\x1b[32mINFO\x1b[0m done\x1b[K\n", "INFO done\n"),
        ("\x1b]0;title\x07text\x1b(B", "text"),
        ("\x0304,12red\x03 and \x02bold\x0f", "red and bold"),
        ("N\x08NA\x08AM\x08ME\x08E", "NAME"),
        ("plain\ttext\n", "plain\ttext\n"),
    ],
)
def test_codes_of_terminals_and_chats_are_taken_out(text: str, plain: str) -> None:
    decoded = decode(text.encode(), "a.log")
    assert decoded.text == plain
    assert (decoded.notes == ()) is (text == plain)
    if text != plain:
        assert re.fullmatch(r"a.log: \d codes of a terminal or chat removed, such as colours", decoded.notes[0])


@given(st.lists(CODES, max_size=20), st.integers(1, 4))
def test_codes_in_pieces_are_the_same(parts: list[str], size: int) -> None:
    text = "".join(parts)
    whole, streamed = Codes(), Codes()
    expected = whole.remove(text)
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    found = "".join(streamed.remove(piece, final=False) for piece in pieces) + streamed.remove("")
    assert (found, streamed.count) == (expected, whole.count)


def test_a_coloured_log_is_text_in_a_stream_too() -> None:
    data = "".join(f"\x1b[3{number % 8}mline {number}\x1b[0m\n" for number in range(200)).encode()
    decoder = TextDecoder("a.log")
    text = "".join(decoder.decode(data[start : start + 7] for start in range(0, len(data), 7)))
    assert text == decode(data, "a.log").text == "".join(f"line {number}\n" for number in range(200))
    assert decoder.notes == decode(data, "a.log").notes


def test_what_is_refused_is_told_by_its_commonest_character() -> None:
    with pytest.raises(CorpusError, match=r"a is binary, not text: 40\.0% of it are control char.*of them U\+0001"):
        decode(b"ab\x01\x01c", "a")
