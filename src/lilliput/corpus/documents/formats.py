"""The formats of documents, detected by the bytes of a file, not only by its name.

Well-known formats that cannot be read here are refused by name, with a remedy.
"""

import io
import zipfile
from dataclasses import dataclass

from lilliput.errors import CorpusError

MARKUP = (".html", ".htm", ".xhtml", ".fb2")
SUBTITLES = (".srt", ".vtt", ".ass", ".ssa")
_BINARY = (".docx", ".odt", ".epub", ".pdf", ".rtf")
DOCUMENTS = (*MARKUP, *SUBTITLES, *_BINARY)
"""Suffixes of the documents whose text can be extracted."""

_ZIP = b"PK\x03\x04"
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_START = 1024
_WHOLE = (_ZIP, _OLE, b"{\\rtf")

_PICTURE = "extract its text with OCR (such as tesseract) and give that"
_SOUND = "transcribe it (with a program such as whisper) and give the text"
_FILM = "give its subtitles (.srt) or a transcript"
_EBOOK = "convert it to .epub (with a program such as Calibre)"
_TABLE = "save the sheet as .csv"
_SLIDES = "save the slides as .pdf or as an outline in .rtf"
_WORDS = "save it as .docx, .odt or .txt"
_ARCHIVE = "unpack it and give the files in it"

_MAGIC = (
    (0, b"\x89PNG\r\n\x1a\n", "a PNG picture", _PICTURE),
    (0, b"\xff\xd8\xff", "a JPEG picture", _PICTURE),
    (0, b"GIF87a", "a GIF picture", _PICTURE),
    (0, b"GIF89a", "a GIF picture", _PICTURE),
    (0, b"II*\x00", "a TIFF picture", _PICTURE),
    (0, b"MM\x00*", "a TIFF picture", _PICTURE),
    (8, b"WEBPVP8", "a WebP picture", _PICTURE),
    (4, b"ftypheic", "a HEIC picture", _PICTURE),
    (0, b"AT&TFORM", "a DjVu book", "convert it to .txt (djvutxt IN OUT)"),
    (0, b"ID3\x02", "an MP3 recording", _SOUND),
    (0, b"ID3\x03", "an MP3 recording", _SOUND),
    (0, b"ID3\x04", "an MP3 recording", _SOUND),
    (8, b"WAVEfmt ", "a WAV recording", _SOUND),
    (0, b"OggS\x00", "an Ogg recording", _SOUND),
    (0, b"fLaC\x00", "a FLAC recording", _SOUND),
    (4, b"ftyp", "an MP4 film or recording", _FILM),
    (0, b"\x1aE\xdf\xa3", "a Matroska or WebM film", _FILM),
    (60, b"BOOKMOBI", "a Kindle book", _EBOOK),
    (0, b"ITSF\x03", "a compiled help file (.chm)", "convert it to .html or .epub"),
    (0, b"SQLite format 3\x00", "an SQLite database", "save the table as .csv"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive", _ARCHIVE),
    (0, b"Rar!\x1a\x07", "a RAR archive", _ARCHIVE),
    (257, b"ustar", "a tar archive", _ARCHIVE),
    (4, b"1AY&SY", "packed by bzip2", _ARCHIVE),
    (0, b"\x28\xb5\x2f\xfd", "packed by Zstandard", _ARCHIVE),
    (0, b"\x1f\x8b\x08", "packed by gzip", 'rename it to a name that ends in ".gz"'),
    (0, b"\xfd7zXZ\x00", "packed by xz", 'rename it to a name that ends in ".xz"'),
    (0, b"PAR1", "a Parquet file", 'rename it to a name that ends in ".parquet"'),
)
_MP3 = (b"\xff\xfb", b"\xff\xf3", b"\xff\xf2")
_STREAMS = (  # names inside the files of old Office programs, which are small file systems
    ("EncryptedPackage", "locked with a password", "save a copy without one"),
    ("WordDocument", "an old Word file (.doc)", _WORDS),
    ("Workbook", "an old Excel file (.xls)", _TABLE),
    ("PowerPoint Document", "an old PowerPoint file (.ppt)", _SLIDES),
    ("__substg1.0", "an Outlook message (.msg)", "save it as .txt or .html"),
)
_MEMBERS = (  # of formats that are .zip archives
    ("xl/", "an Excel file (.xlsx)", _TABLE),
    ("ppt/", "a PowerPoint file (.pptx)", _SLIDES),
    ("Index/", "a file of Apple's Pages, Numbers or Keynote", "export it as .docx, .csv or .pdf"),
    ("Index.zip", "a file of Apple's Pages, Numbers or Keynote", "export it as .docx, .csv or .pdf"),
)
_OPEN_DOCUMENT = "application/vnd.oasis.opendocument."
_MIMETYPES = (
    (f"{_OPEN_DOCUMENT}spreadsheet", "an OpenDocument spreadsheet (.ods)", _TABLE),
    (f"{_OPEN_DOCUMENT}presentation", "an OpenDocument presentation (.odp)", _SLIDES),
    (_OPEN_DOCUMENT, "an OpenDocument file, but not a text", "save it as .odt or .txt"),
)


@dataclass(frozen=True, slots=True)
class Extracted:
    """The text of a document, with notes for the user."""

    text: str
    format: str
    parts: str
    """The units of the document, such as paragraphs or pages."""
    notes: tuple[str, ...]


def kept(name: str, left_out: str, count: int, total: int) -> str:
    """Return the note on how many characters of a document were kept."""
    return f"{name}: {left_out}, {count:,} of {total:,} characters kept"


def document_format(name: str, suffix: str, data: bytes) -> str | None:
    """Return the format of a file, one of `DOCUMENTS`, or None for others such as plain text.

    Args:
        name: the name of the file in messages
        suffix: the suffix of its name, in lower case
        data: all bytes of the file

    Raises:
        CorpusError: the format is well-known, but cannot be read here
    """
    start = data[:_START].lstrip(b"\xef\xbb\xbf \t\r\n\x00")
    if start.startswith(b"%PDF-"):
        return ".pdf"
    if start.startswith(b"{\\rtf"):
        return ".rtf"
    if data.startswith(_ZIP) and suffix != ".zip":
        return _zip_format(name, suffix, data)
    if data.startswith(_OLE):
        _refuse_ole(name, data)
    for offset, magic, description, remedy in _MAGIC:
        if data.startswith(magic, offset):
            raise _refused(name, description, remedy)
    if suffix == ".mp3" and data.startswith(_MP3):
        raise _refused(name, "an MP3 recording", _SOUND)
    if suffix in _BINARY:
        raise broken(name, suffix)
    return suffix if suffix in DOCUMENTS else None


def begins_document(head: bytes) -> bool:
    """Return whether a file must be read as a whole, by its first bytes."""
    return head.startswith(_WHOLE) or b"%PDF-" in head[:_START]


def broken(name: str, suffix: str, reason: str = "") -> CorpusError:
    """Return the error for a document that is damaged, or not in the format of its suffix."""
    reason = " ".join(reason.split())[:200]
    why = f" ({reason})" if reason else ""
    remedy = "fetch it again, or open it in its program and save it as .txt"
    return CorpusError(f"{name} is not a valid {suffix} file{why}: {remedy}")


def _zip_format(name: str, suffix: str, data: bytes) -> str:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.namelist()
            mimetype = ""
            if "mimetype" in members:
                with archive.open("mimetype") as file:
                    mimetype = file.read(100).decode("ascii", "replace").strip()
    except Exception as error:  # damaged archives raise errors of a dozen types
        raise broken(name, suffix if suffix in _BINARY else ".zip", str(error)) from error
    if any(member.startswith("word/") for member in members):
        return ".docx"
    if mimetype == "application/epub+zip" or "META-INF/container.xml" in members:
        return ".epub"
    if mimetype.startswith(f"{_OPEN_DOCUMENT}text"):
        return ".odt"
    for prefix, description, remedy in _MIMETYPES:
        if mimetype.startswith(prefix):
            raise _refused(name, description, remedy)
    for prefix, description, remedy in _MEMBERS:
        if any(member.startswith(prefix) for member in members):
            raise _refused(name, description, remedy)
    if suffix in _BINARY:
        raise broken(name, suffix, "the .zip archive lacks its parts")
    raise _refused(name, "a .zip archive", 'rename it to a name that ends in ".zip"')


def _refuse_ole(name: str, data: bytes) -> None:
    for stream, description, remedy in _STREAMS:
        if stream.encode("utf-16-le") in data:
            raise _refused(name, description, remedy)
    raise _refused(name, "a file of an old Office program", _WORDS)


def _refused(name: str, description: str, remedy: str) -> CorpusError:
    return CorpusError(f"{name} is {description}, which cannot be read: {remedy}")
