import codecs
import random
import struct

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from lilliput.corpus.text.byte_decoding import TextDecoder, decode
from lilliput.errors import CorpusError

# Text: no control characters but the line ends and the tabulator, no halves of pairs, no byte-order mark inside.
texts = st.text(st.characters(exclude_categories=("Cc", "Cs"), exclude_characters="\ufeff")).map(
    lambda text: text + "\nune ligne à la fin\n"
)
FRENCH = "Là, tout n'est qu'ordre et beauté,\nLuxe, calme et volupté. Œuvre à l’ancienne\n"


@given(texts, st.sampled_from(["utf-8-sig", "utf-16", "utf-32", "utf-8"]))
def test_any_text_comes_back_from_the_unicode_encodings(text, codec):
    assert decode(text.encode(codec), "x").text == text


@given(texts)
def test_big_endian_marks(text):
    assert decode(codecs.BOM_UTF16_BE + text.encode("utf-16-be"), "x").text == text
    assert decode(codecs.BOM_UTF32_BE + text.encode("utf-32-be"), "x").text == text


@given(st.text(st.characters(min_codepoint=32, max_codepoint=0x17F, exclude_categories=("Cc",)), min_size=1))
@example("\u0100" * 30)
def test_utf16_without_mark(text):
    text = "Latin letters\n" + text
    for codec in ("utf-16-le", "utf-16-be"):
        decoded = decode(text.encode(codec), "x")
        assert decoded.text == text
        assert decoded.encoding == "UTF-16 without byte-order mark"


def test_utf16_without_mark_of_another_script():
    text = "吾輩は猫である。名前はまだ無い。\nどこで生れたかとんと見当がつかぬ。\n" * 20
    assert decode(text.encode("utf-16-le"), "x").text == text


@given(st.lists(st.sampled_from(FRENCH.split()), min_size=3, unique=True).map(" ".join))
def test_western_letters_come_back_from_cp1252(text):
    data = text.encode("cp1252")
    try:
        data.decode()
    except UnicodeDecodeError:
        decoded = decode(data, "x")
        assert decoded.text == text
        assert decoded.encoding == "Latin-1 (cp1252)"
    else:
        assume(False)


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (b"plain", "ASCII"),
        (FRENCH.encode(), "UTF-8"),
        (FRENCH.encode("utf-8-sig"), "UTF-8 with byte-order mark"),
        (FRENCH.encode("cp1252"), "Latin-1 (cp1252)"),
        (FRENCH.encode("utf-16"), "UTF-16"),
        (FRENCH.encode("utf-32"), "UTF-32"),
        ("déjà vu\x81".encode("latin-1") + b"x" * 200, "Latin-1"),
    ],
)
def test_the_encoding_is_named(data, encoding):
    assert decode(data, "x").encoding == encoding


@pytest.mark.parametrize("text", [FRENCH * 30, "Мой дядя самых честных правил\n" * 5])
def test_a_few_stray_bytes_do_not_spoil_utf8(text):
    decoded = decode(text.encode() + "Baudelaire, né à Paris".encode("cp1252"), "x")
    assert decoded.text == text + "Baudelaire, né à Paris"
    assert decoded.encoding == "UTF-8, 2 stray bytes as cp1252"


@pytest.mark.parametrize(
    ("text", "line_ends"),
    [("a\nb\n", "LF"), ("a\r\nb\r\n", "CRLF"), ("a\rb\r", "CR"), ("a\r\nb\nc", "CRLF and LF"), ("a", "one line")],
)
def test_line_ends_are_named(text, line_ends):
    assert decode(text.encode(), "x").line_ends == line_ends


def test_the_end_mark_of_dos_goes():
    assert decode(b"The end\r\n\x1a", "x").text == "The end\r\n"


@pytest.mark.parametrize(
    "data",
    [
        random.Random(0).randbytes(2000),
        b"\x89PNG\r\n\x1a\n",
        b"text with a NUL \x00 in it",
        codecs.BOM_UTF8 + b"text " * 100 + b"\x00",
        struct.pack("<500h", *range(-250, 250)),
        bytes(range(1, 256)),
        codecs.BOM_UTF16_LE + b"\x01\x00" * 50,
    ],
)
def test_binary_data_are_refused_in_one_line(data):
    with pytest.raises(CorpusError, match=r"data.txt is binary, not text") as caught:
        decode(data, "data.txt")
    assert "\n" not in str(caught.value)


def test_a_mark_that_promises_too_much():
    with pytest.raises(CorpusError, match="begins as UTF-8 with byte-order mark and is broken at byte 2"):
        decode(codecs.BOM_UTF8 + b"ab\xff", "x")


def streamed(chunks):
    decoder = TextDecoder("x")
    texts = list(decoder.decode(iter(chunks)))
    assert not any(text.endswith("\r") for text in texts[:-1])
    return "".join(texts), decoder.encoding, decoder.line_ends


def in_chunks(data, sizes):
    """Cut bytes at the given distances; the rest is the last chunk."""
    chunks = []
    for size in sizes:
        chunks.append(data[:size])
        data = data[size:]
    return [chunk for chunk in [*chunks, data] if chunk]


AWKWARD = st.sampled_from(["a", "b ", "\n", "\r\n", "\r", "\x1a", "é", "œ", "漢", "😀", "\u2028", "word " * 40])
CODECS = ["utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-le", "utf-16-be"]


@given(st.lists(AWKWARD, max_size=8).map("".join), st.sampled_from(CODECS), st.lists(st.integers(1, 9)))
def test_a_stream_is_decoded_like_the_whole(text, codec, sizes):
    data = ("Words at the beginning. " * 40 + text).encode(codec)
    decoded = decode(data, "x")
    assert streamed(in_chunks(data, [800, *sizes])) == (decoded.text, decoded.encoding, decoded.line_ends)


@given(
    st.lists(
        st.sampled_from([b"a", b" ", b"\n", b"\xe9", b"\x92", b"\x81", "é".encode(), "漢".encode()]), max_size=10
    ).map(b"".join)
)
def test_a_stream_is_decoded_like_the_whole_or_refused(tail):
    western = "été, où le vent\n".encode("cp1252")
    for data in (western * 100 + tail, FRENCH.encode() * 20 + tail, b"plain words\n" * 100 + tail):
        decoded = decode(data, "x")
        try:
            text, encoding, _ = streamed(in_chunks(data, [17, 1, 1]))
        except CorpusError as error:
            assert "save it again as UTF-8" in str(error)
            assert "\n" not in str(error)
        else:
            assert (text, encoding) == (decoded.text, decoded.encoding)


@pytest.mark.parametrize(
    ("chunks", "message"),
    [
        ([b"plain", "déjà vu été".encode("latin-1")], "begins as UTF-8 and has 4 bytes that are not"),
        (["né là".encode("cp1252"), FRENCH.encode() * 9], r"begins as Latin-1 \(cp1252\) and continues as UTF-8"),
        (["né là".encode("cp1252"), b"\x81"], r"begins as Latin-1 \(cp1252\) and is invalid at byte 5"),
        ([codecs.BOM_UTF8 + b"a", b"\xff"], "begins as UTF-8 with byte-order mark and has 1 byte that is not"),
        (["Words".encode("utf-16"), b"\x00\xd8"], "begins as UTF-16 and is invalid"),
    ],
)
def test_a_stream_that_changes_its_encoding_is_refused(chunks, message):
    with pytest.raises(CorpusError, match=message) as caught:
        streamed(chunks)
    assert "\n" not in str(caught.value)


def test_a_stream_that_turns_binary_is_refused():
    with pytest.raises(CorpusError, match="x is binary, not text"):
        streamed([b"words", b"a\x00b"])
    with pytest.raises(CorpusError, match="x is binary, not text"):
        streamed([random.Random(0).randbytes(2000)])
