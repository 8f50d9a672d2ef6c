import io
import sys

import pypdf
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lilliput.corpus.documents.formats import DOCUMENTS, document_format
from lilliput.corpus.documents.readers import extract
from lilliput.corpus.files import contents
from lilliput.corpus.files.small_texts import read_files
from lilliput.errors import CorpusError, DependencyError
from tests.corpus.document_files import docx, epub, odt, pdf, word, zipped
from tests.corpus.file_contents import read

LONG = "A paragraph that goes on for a good while, as those of letters and of novels are wont to do, and then ends."
BOMB = '<!DOCTYPE b [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'


def text(name, data, encoding=None):
    data = data.encode() if isinstance(data, str) else data
    suffix = document_format(name, "." + name.rpartition(".")[2], data)
    return extract(name, suffix, data, encoding).text


def notes(name, data):
    suffix = document_format(name, "." + name.rpartition(".")[2], data)
    return extract(name, suffix, data).notes


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<p>One &amp; two.</p><p>Three&nbsp;&eacute;.</p>", "One & two.\n\nThree\xa0é."),
        ("<div>One</div>\n<div>two</div>", "One\ntwo"),
        ("roses<br>are red<br><br>violets", "roses\nare red\n\nviolets"),
        ("<p>One</p><p>&nbsp;</p><br><p></p><p>two</p>", "One\n\ntwo"),
        ("<p>One <b>bold</b><i> word</i> ,  and\n more</p>", "One bold word , and more"),
        ("<ul><li>One<li>two</ul>end", "One\ntwo\n\nend"),
        ("<h1>Title</h1>Text<hr>more", "Title\n\nText\n\nmore"),
        ("<pre>if a:\n    b\n\n\n    c</pre><p>end  here", "if a:\n    b\n\n    c\n\nend here"),
        ("<table><tr><td>a<td><p>b</p><tr><td></td><td>d</td></table>end", "a\tb\nd\n\nend"),
        ("<tr><td><p>a</p><p>b</p></td><td> c </td></tr>", "a\n\nb\tc"),
        ("<script>if (a < b) {}</script><style>p {}</style>seen<template>not</template>", "seen"),
        ("<head><title>Not this</title><body><nav><ul><li>menu</nav>this<footer>nor this</footer>", "this"),
        ("<header>Site</header><main><p>The <i>text</i></main><aside>Related</aside>", "The text"),
        ('<div>Site</div><div role="main"><div>a</div>b</div><div>c</div>', "a\nb"),
        ("<ruby>漢<rp>(<rt>かん<rp>)</ruby>字", "漢字"),
        ('word<a epub:type="noteref" href="#n1">1</a>, and <a href="#fn2">2</a><a href="#top">up</a>', "word, and up"),
        (
            '<h1>On #1<a class="headerlink" href="#on">¶</a></h1>See <a href="#on">#1</a> <a href="x">#</a>',
            "On #1\n\nSee #1 #",
        ),
        ("hy&shy;phen&#8203;ated", "hyphenated"),
        ("<pre> <b>x</b>  <i>y</i> z</pre>", " x  y z"),
        ("one&nbsp;<b>two</b>&nbsp;<p>three", "one\xa0two\n\nthree"),
        ("a < b, and 3 <4 <!-- no --> end", "a < b, and 3 <4 end"),
        ("<body><nav>menu<p>never closed</body>", ""),
    ],
)
def test_html_becomes_text(html, expected):
    assert text("a.html", html) == expected


@given(st.lists(st.sampled_from(["<p>", "</p>", "<td>", "</td>", "<tr>", "</table>", "<br>", "<pre>", "</pre>", "<li>",
                                 "<main>", "</main>", " ", "\n", "a", "b c", "&nbsp;"]), max_size=15))  # fmt: skip
def test_text_out_of_any_markup_has_no_blank_space_around_it_nor_two_blank_lines(parts):
    found = text("a.html", "".join(parts))
    assert found.strip("\n") == found.rstrip() == found
    assert "\n\n\n" not in found
    assert all(part in found or "<main>" in parts for part in parts if part in ("a", "b c"))


@pytest.mark.parametrize("given", ['<meta charset="koi8-r">', '<?xml version="1.0" encoding="koi8-r"?>'])
def test_a_page_is_read_in_the_encoding_that_it_names(given):
    assert text("a.html", f"{given}<p>Да".encode("koi8-r")) == "Да"


def test_bytes_that_are_utf8_are_read_so_whatever_a_page_says():
    assert text("a.html", '<meta charset="iso-8859-1"><p>Où') == "Où"


def test_the_encoding_that_is_named_goes_before_the_one_in_the_page():
    assert text("a.html", '<meta charset="cp1252"><p>Да'.encode("koi8-r"), "koi8-r") == "Да"


@pytest.mark.parametrize("charset", ["no-such", "rot13", "utf-16", "iso-2022-jp"])
def test_a_page_that_names_a_wrong_encoding_is_read_all_the_same(charset):
    assert text("a.html", f'<meta charset="{charset}"><p>Plain') == "Plain"


def test_japanese_that_looks_like_ascii_is_read():
    assert text("a.html", '<meta charset="iso-2022-jp"><p>日本'.encode("iso-2022-jp")) == "日本"


def test_fiction_book_keeps_verse_and_leaves_out_pictures():
    book = "<FictionBook><description>About</description><body><p>One</p><poem><stanza><v>a</v><v>b</v></stanza></poem>"
    assert text("a.fb2", book + "</body><binary>aGFoYQ==</binary></FictionBook>") == "One\n\na\nb"


def test_the_note_of_a_page_counts_tags_and_characters():
    assert notes("a.html", b"<p>One</p>") == ("a.html: 2 tags left out, 3 of 10 characters kept",)


SRT = """1
00:00:01,000 --> 00:00:02,500
<i>Who goes</i>
there?

2
00:00:03,000 --> 00:00:04,000 X1:1
{\\an8}- 1984 &amp; more.

3
00:00:05,000 --> 00:00:06,000
1985
"""


def test_subtitles_lose_numbers_times_and_tags():
    assert text("a.srt", SRT) == "Who goes\nthere?\n- 1984 & more.\n1985"
    assert text("a.srt", SRT.replace("\n", "\r\n")) == text("a.srt", SRT)
    assert notes("a.srt", SRT.encode()) == ("a.srt: 3 times left out, 35 of 156 characters kept",)


def test_what_is_no_tag_stays_in_subtitles():
    said = "I <3 you if x<y and y>z {so}"
    assert text("a.srt", f"1\n00:00:01,000 --> 00:00:02,500\n{said}") == said


def test_web_subtitles_lose_their_header_notes_and_styles():
    head = "WEBVTT - A film\nKind: captions\n\nNOTE by\nsomebody\n\nSTYLE\n::cue {}\n\n"
    cues = "opening\n00:01.000 --> 00:02.000 line:0\n<v Mary>Hello\nNOTE the time\n\n00:03.000 --> 00:04.000\nBye"
    assert text("a.vtt", head + cues) == "Hello\nNOTE the time\nBye"


def test_captions_that_roll_are_said_once():
    cues = (
        "00:01.000 --> 00:02.000\n \none<00:00:01.500><c> two</c>",
        "00:02.000 --> 00:02.010\none two\n ",
        "00:02.010 --> 00:03.000\none two\nthree<00:00:02.500><c> four</c>",
    )
    assert text("a.vtt", "\n\n".join(["WEBVTT", *cues])) == "one two\nthree four"


def test_a_refrain_in_subtitles_stays():
    assert text("a.srt", "1\n00:01,000 --> 00:02,000\nLa la\n\n2\n00:02,000 --> 00:03,000\nLa la") == "La la\nLa la"


def test_styled_subtitles_lose_styles_and_drawings():
    head = "[Script Info]\nTitle: x\n\n[Events]\nFormat: Layer, Start\nComment: 0,0,0,A,,0,0,0,,not\n"
    said = "Dialogue: 0,0:00:01.00,0:00:02.00,Default,,0,0,0,,{\\i1}One, two\\Nthree\n"
    drawn = "Dialogue: 0,1,2,A,,0,0,0,,{\\p1}m 0 0\n"
    assert text("a.ass", head + said + drawn) == "One, two\nthree"


def test_word_paragraphs_are_parted_by_blank_lines():
    assert text("a.docx", docx(word(LONG, LONG))) == f"{LONG}\n\n{LONG}"


def test_short_word_paragraphs_are_lines():
    verse = docx(word("Roses", "are red", "", "", "Violets", "are blue"))
    assert text("a.docx", verse) == "Roses\nare red\n\nViolets\nare blue"


def test_word_tables_breaks_insertions_and_pictures():
    table = "<w:tbl><w:tr><w:tc><w:p><w:r><w:t>a</w:t></w:r></w:p></w:tc><w:tc>" + word("b") + "</w:tc></w:tr></w:tbl>"
    changed = (
        "<w:p><w:r><w:t>One</w:t><w:br/><w:t>two</w:t></w:r>"
        "<w:ins><w:r><w:t xml:space='preserve'> new</w:t></w:r></w:ins>"
        "<w:del><w:r><w:delText>old</w:delText></w:r></w:del></w:p>"
    )
    made = docx(changed + table, word__media__a=b"\x89PNG")
    assert text("a.docx", made) == "One\ntwo new\n\na\tb"
    assert notes("a.docx", made) == (
        "a.docx: headers, footers, comments and pictures (1) left out, 11 of 14 characters kept",
    )


def test_an_open_document_is_read():
    body = (
        "<text:tracked-changes>gone</text:tracked-changes><text:h>Title</text:h>"
        f"<text:p>{LONG}<text:note><text:note-citation>1</text:note-citation><text:note-body><text:p>A note.</text:p>"
        "</text:note-body></text:note></text:p>"
        f"<text:p>Two<text:s/><text:span>words</text:span><text:line-break/>{LONG}</text:p>"
        "<text:list><text:list-item><text:p>item</text:p></text:list-item></text:list>"
        "<table:table><table:table-row><table:table-cell><text:p>a</text:p></table:table-cell><table:table-cell>"
        f"<text:p>{LONG}</text:p></table:table-cell></table:table-row></table:table><text:p>{LONG}</text:p>"
    )
    expected = f"Title\n\n{LONG}\n\nA note.\n\nTwo words\n{LONG}\n\nitem\n\na\t{LONG}\n\n{LONG}"
    assert text("a.odt", odt(body)) == expected


def test_short_paragraphs_of_an_open_document_are_lines():
    body = "".join(f"<text:p>{line}</text:p>" for line in ("Roses", "are red", "", "Violets"))
    assert text("a.odt", odt(body)) == "Roses\nare red\n\nViolets"


def test_a_book_is_read_in_the_order_of_its_spine_without_its_contents():
    chapters = {
        "b": "<html><head><title/></head><body><p>Second</p></body></html>",
        "toc": "<p>First, second</p>",
        "a": "<?xml version='1.0' encoding='cp1252'?><p>Où</p>".encode("cp1252"),
    }
    made = epub(chapters, ["toc", "a", "b"], nav="toc")
    assert text("a.epub", made) == "Où\n\nSecond"
    assert notes("a.epub", made) == ("a.epub: 12 tags left out, 10 of 108 characters kept",)


def test_rich_text_is_read():
    head = rb"{\rtf1\ansi\ansicpg1251{\fonttbl{\f0 Arial;}}\f0 "
    body = rb"\'c4\'e0\par {\b Bold} \u8364?\line \u-10179?\u-8704?\par}"
    assert text("a.rtf", head + body) == "Да\nBold €\n\U0001f600"


def test_pages_lose_their_numbers_and_running_titles():
    pages = [["A Title", f"{n} CorpusPart", f"Line {n * 7} of a page", f"Text{n}", f"{n + 8}"] for n in range(1, 6)]
    made = pdf(*pages)
    assert text("a.pdf", made) == "\n\n".join("\n".join(lines[2:4]) for lines in pages)
    assert notes("a.pdf", made)[0].startswith("a.pdf: 15 page numbers and lines at the edges of pages left out, ")


def test_chapters_that_begin_pages_keep_their_numbers():
    pages = [["Chapter 1", "one"], ["more"], ["Chapter 2", "two"], ["less"], ["Chapter 3", "three"]]
    assert text("a.pdf", pdf(*pages)).count("Chapter") == 3


def test_a_page_that_goes_on_in_lower_case_does_not_end_the_paragraph():
    assert text("a.pdf", pdf(["One line"], ["goes on"], ["New"])) == "One line\ngoes on\n\nNew"


def test_parted_words_are_put_together_where_the_whole_stands_elsewhere():
    assert text("a.pdf", pdf(["A manip-", "ulation, a well-", "known manipulation"])) == (
        "A manipulation,\na well-\nknown manipulation"
    )


def test_pages_that_are_all_alike_are_kept():
    assert text("a.pdf", pdf(*[["one", "two", "three", "four", "five", "six", "seven"]] * 4)).count("four") == 4


def test_pages_without_text_are_told():
    assert "1 of 2 pages without text" in notes("a.pdf", pdf(["Text"], []))[0]


def test_a_pdf_is_read_whatever_its_name():
    assert text("a.txt", pdf(["Text"])) == "Text"
    assert text("letter", docx(word("Text"))) == "Text"
    assert text("a.doc", rb"{\rtf1 Text}") == "Text"
    assert text("a.docx", odt("<text:p>Text</text:p>")) == "Text"


def test_what_is_no_document_is_left_to_others():
    assert document_format("a.txt", ".txt", b"<html><p>A page saved as text") is None
    assert document_format("a.doc", ".doc", b"Plain text in spite of its name") is None
    assert document_format("a.zip", ".zip", zipped({"a.txt": "Text"})) is None


def test_documents_are_read_from_files_folders_and_archives(tmp_path):
    (tmp_path / "a.docx").write_bytes(docx(word("Word")))
    (tmp_path / "b.txt").write_bytes(pdf(["Page"]))
    (tmp_path / "c.zip").write_bytes(zipped({"d.html": "<p>Web"}))
    corpus = read_files([tmp_path / "a.docx", tmp_path / "b.txt", tmp_path / "c.zip"])
    assert [document.text for document in corpus.documents] == ["Word", "Page", "Web"]
    assert "d.html: 1 tag left out, 3 of 6 characters kept" in corpus.notes
    assert [document.text for document in read_files([tmp_path]).documents] == ["Word", "Page", "Web"]


LARGE_PAGE = b"<p>Text</p><!-- " + b"-" * 300 + b" -->"


@pytest.mark.parametrize(
    ("name", "data"),
    [("a.html", LARGE_PAGE), ("a.pdf", pdf(["Text"])), ("a.txt", pdf(["Text"])), ("letter", docx(word("Text")))],
)
def test_a_document_is_read_whole_whatever_its_size(monkeypatch, name, data):
    monkeypatch.setattr(contents, "PIECE", 64)
    assert read(name, data, whole=100)[0] == [(name, "Text")]


def locked_pdf():
    writer = pypdf.PdfWriter(io.BytesIO(pdf(["Text"])))
    writer.encrypt("secret", algorithm="RC4-128")
    buffer = io.BytesIO()
    writer.write(buffer)
    return buffer.getvalue()


def ole(stream):
    return b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 600 + stream.encode("utf-16-le")


@pytest.mark.parametrize(
    ("name", "data", "says", "remedy"),
    [
        ("a.doc", ole("WordDocument"), "an old Word file (.doc)", "save it as .docx"),
        ("a.xls", ole("Workbook"), "an old Excel file (.xls)", "save the sheet as .csv"),
        ("a.docx", ole("EncryptedPackage"), "locked with a password", "save a copy without one"),
        ("a.xlsx", zipped({"xl/workbook.xml": "<x/>"}), "an Excel file (.xlsx)", "save the sheet as .csv"),
        ("a.pptx", zipped({"ppt/presentation.xml": "<x/>"}), "a PowerPoint file (.pptx)", "save the slides as .pdf"),
        ("a.pages", zipped({"Index/Document.iwa": "x"}), "Apple's Pages", "export it as .docx"),
        ("a.ods", zipped({"mimetype": "application/vnd.oasis.opendocument.spreadsheet"}), "spreadsheet (.ods)", ".csv"),
        ("a.txt", zipped({"a.txt": "x"}), "a .zip archive", 'ends in ".zip"'),
        ("a.txt", b"\x1f\x8b\x08\x00", "packed by gzip", 'ends in ".gz"'),
        ("a.mobi", b"x" * 60 + b"BOOKMOBI\x00\x00", "a Kindle book", "convert it to .epub"),
        ("a.djvu", b"AT&TFORM\x00", "a DjVu book", "convert it to .txt"),
        ("a.png", b"\x89PNG\r\n\x1a\n\x00", "a PNG picture", "OCR"),
        ("a.jpg", b"\xff\xd8\xff\xe0\x00", "a JPEG picture", "OCR"),
        ("a.mp3", b"\xff\xfb\x90\x00", "an MP3 recording", "transcribe it"),
        ("a.mp3", b"ID3\x03\x00", "an MP3 recording", "transcribe it"),
        ("a.tar", b"a.txt".ljust(257, b"\x00") + b"ustar\x00", "a tar archive", "unpack it"),
    ],
)
def test_formats_that_are_not_read_are_told_by_name(name, data, says, remedy):
    with pytest.raises(CorpusError) as caught:
        document_format(name, "." + name.rpartition(".")[2], data)
    message = str(caught.value)
    assert message.startswith(f"{name} is ")
    assert says in message
    assert remedy in message


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("a.pdf", pdf([], []), "has no text, only pictures of 2 pages: extract its text with OCR"),
        ("a.pdf", locked_pdf(), "is locked with a password: save a copy without one"),
        ("a.pdf", pdf(["Text"])[:40], "is not a valid .pdf file"),
        ("a.pdf", b"Not at all", "is not a valid .pdf file"),
        ("a.docx", b"Not at all", "is not a valid .docx file: fetch it again"),
        ("a.docx", docx(word("Text"))[:200], "is not a valid .docx file"),
        ("a.docx", zipped({"a.txt": "x"}), "is not a valid .docx file"),
        ("a.docx", zipped({"word/other.xml": "<x/>"}), "is not a valid .docx file"),
        ("a.docx", docx("<w:p>"), "is not a valid .docx file"),
        ("a.docx", docx(word("&b;"), BOMB), "defines XML entities"),
        ("a.docx", docx(word("Text"), word__evil=BOMB + "<x/>"), "defines XML entities"),
        ("a.odt", odt("<text:p>"), "content.xml is damaged"),
        ("a.odt", odt("<text:p>" * 10_000 + "</text:p>" * 10_000), "nested too deeply"),
        ("a.odt", odt("", **{"META-INF__manifest.xml": "<manifest:encryption-data/>"}), "is locked with a password"),
        ("a.epub", epub({}, []), "holds pictures and no text"),
        ("a.epub", epub({"a": "<p>x"}, ["a"], **{"META-INF__encryption.xml": '<x URI="OEBPS/a.xhtml"/>'}), "DRM"),
        ("a.epub", zipped({"mimetype": "application/epub+zip"}), "META-INF/container.xml is missing"),
        ("a.rtf", b"Not at all", "is not a valid .rtf file"),
    ],
)
def test_a_document_that_cannot_be_read_gets_one_line(name, data, says):
    with pytest.raises(CorpusError) as caught:
        text(name, data)
    message = str(caught.value)
    assert message.startswith(f"{name} ")
    assert says in message
    assert "\n" not in message


def test_a_document_that_unpacks_to_more_than_it_may_is_refused(monkeypatch):
    monkeypatch.setattr("lilliput.corpus.documents.office.most_expansion", lambda packed: 1000)
    with pytest.raises(CorpusError, match="unpacks to more than 1,000 bytes"):
        text("a.docx", docx(word("x" * 2000)))


@pytest.mark.parametrize(
    ("name", "data", "package"),
    [
        ("a.docx", docx(word("Text")), "mammoth"),
        ("a.docx", docx(word("Text")), "defusedxml"),
        ("a.odt", odt("Text"), "defusedxml"),
        ("a.epub", epub({}, []), "defusedxml"),
        ("a.pdf", pdf(["Text"]), "pypdf"),
        ("a.rtf", rb"{\rtf1 Text}", "striprtf"),
    ],
)
def test_without_the_extra_one_line_names_it(monkeypatch, name, data, package):
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, f"{package}.{package}", raising=False)
    message = rf"reading {name} needs the package {package}: pip install 'lilliput\[documents\]'"
    with pytest.raises(DependencyError, match=message):
        text(name, data)


def test_pages_and_subtitles_need_no_extra(monkeypatch):
    for package in ("mammoth", "defusedxml", "pypdf", "striprtf"):
        monkeypatch.setitem(sys.modules, package, None)
    assert text("a.html", "<p>Text") == "Text"
    assert text("a.vtt", "WEBVTT\n\n00:01.000 --> 00:02.000\nText") == "Text"


@given(st.sampled_from(DOCUMENTS), st.binary(max_size=60))
def test_any_bytes_are_read_or_refused_in_one_line(suffix, data):
    try:
        found = document_format("a" + suffix, suffix, data)
        if found:
            extract("a" + suffix, found, data)
    except CorpusError as error:
        assert "\n" not in str(error)
