"""The text of documents: web pages and subtitles, and with the extra `documents` Word, OpenDocument, EPUB, PDF, RTF.

A note gives the share of each document that was kept.
"""

from lilliput.corpus.documents.formats import MARKUP, SUBTITLES, Extracted, kept
from lilliput.corpus.documents.markup import read_page
from lilliput.corpus.documents.office import read_docx, read_epub, read_odt, read_rtf
from lilliput.corpus.documents.pdf import read_pdf
from lilliput.corpus.documents.subtitles import spoken
from lilliput.corpus.text.byte_decoding import decode
from lilliput.wording import counted

_READERS = {".docx": read_docx, ".odt": read_odt, ".epub": read_epub, ".rtf": read_rtf, ".pdf": read_pdf}


def extract(name: str, suffix: str, data: bytes, encoding: str | None = None) -> Extracted:
    """Extract the text of a document.

    Args:
        name: the name of the file in messages
        suffix: its format, as returned by `formats.document_format`
        data: the bytes of the file
        encoding: the encoding of a page or of subtitles; by default detected

    Raises:
        CorpusError: the document is damaged or locked, or contains only pictures
        DependencyError: a library of the extra `documents` is not installed
    """
    if suffix in MARKUP:
        page = read_page(data, name, encoding)
        note = kept(name, f"{counted(page.tags, 'tag')} left out", len(page.text), len(page.decoded.text))
        return Extracted(page.text, f"HTML in {page.decoded.encoding}", "paragraphs", (*page.decoded.notes, note))
    if suffix in SUBTITLES:
        decoded = decode(data, name, encoding)
        text, times = spoken(decoded.text.replace("\r\n", "\n").replace("\r", "\n"), suffix)
        note = kept(name, f"{counted(times, 'time')} left out", len(text), len(decoded.text))
        return Extracted(text, f"subtitles in {decoded.encoding}", "lines", (*decoded.notes, note))
    return _READERS[suffix](name, data)
