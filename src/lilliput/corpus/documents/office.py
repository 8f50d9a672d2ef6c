"""The text of Word, OpenDocument, EPUB and RTF files.

Blank lines separate paragraphs, or line ends if the author used paragraphs as lines: if they are short, as in lists and
verse, or have empty ones between them. Headers, footers, comments and deleted text are skipped, and notes follow their
paragraph. Mammoth reads Word's format, which holds text in many ways; OpenDocument and EPUB are read here, which takes
no more lines than calling a library. Defusedxml parses all XML first and refuses entities.
"""

import io
import posixpath
import re
import statistics
import zipfile
from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import unquote

from lilliput.corpus.documents.flow import Flow
from lilliput.corpus.documents.formats import Extracted, broken, kept
from lilliput.corpus.documents.markup import read_page, text_of_markup
from lilliput.corpus.files.expansion import expands_too_much, most_expansion
from lilliput.errors import CorpusError, DependencyError
from lilliput.wording import counted

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_EMPTY_SHARE = 0.05
_SHORT = 80
_PARAGRAPH = re.compile("<p>(.*?)</p>", re.DOTALL)
_TAG = re.compile("<[^>]*>")
_RTF_SKIPPED = re.compile(r"\{\\(?:footnote|header|footer)")
_ODT_LEFT_OUT = re.compile(
    "tracked-changes|annotation|note-citation|table-of-content|alphabetical-index|forms|sequence-decls"
    "|binary-data|ruby-text"
)


def read_docx(name: str, data: bytes) -> Extracted:
    """Return the text of a Word file; the errors are those of `documents.extract`."""
    try:
        import mammoth
    except Exception as error:
        raise DependencyError("mammoth", "documents", f"reading {name}", error) from error
    with _Archive(name, ".docx", data) as archive:
        # Mammoth's parser expands entities, and the parts that it reads may have any name: check all.
        total = sum(
            _visible(_word_text(tree)) for member in archive.members if (tree := archive.tree(member)) is not None
        )
        pictures = sum(member.startswith("word/media/") for member in archive.members)
    try:
        html = mammoth.convert_to_html(
            io.BytesIO(data),
            convert_image=mammoth.images.img_element(lambda image: {}),
            ignore_empty_paragraphs=False,
            include_embedded_style_map=False,
        ).value
    except Exception as error:  # damaged files raise errors of any type
        raise broken(name, ".docx", str(error)) from error
    if _are_lines([_visible(_TAG.sub("", text)) for text in _PARAGRAPH.findall(html)]):
        html = html.replace("<p>", "").replace("</p>", "<br>")
    text = text_of_markup(html)
    left_out = f"headers, footers, comments and pictures ({pictures:,}) left out"
    return Extracted(text, "Word (.docx)", "paragraphs", (kept(name, left_out, _visible(text), total),))


def _word_text(tree: "Element") -> str:
    """Return all text of a part of a Word file, including deleted text."""
    return "".join(element.text or "" for element in tree.iter() if element.tag.endswith(("main}t", "main}delText")))


def read_odt(name: str, data: bytes) -> Extracted:
    """Return the text of an OpenDocument text; the errors are those of `documents.extract`."""
    with _Archive(name, ".odt", data) as archive:
        if b"manifest:encryption-data" in archive.read_optional("META-INF/manifest.xml"):
            raise _locked(name)
        tree = archive.require_tree("content.xml")
        pictures = sum(member.startswith("Pictures/") for member in archive.members)
    body = next((element for element in tree.iter() if _tag(element) == "body"), tree)
    try:
        writer = _OdtWriter()
        writer.write(body)
        if _are_lines(writer.lengths):
            writer = _OdtWriter(are_lines=True)
            writer.write(body)
    except RecursionError as error:
        raise broken(name, ".odt", "its elements are nested too deeply") from error
    text = writer.flow.text()
    left_out = f"comments, deleted text, tables of contents and pictures ({pictures:,}) left out"
    note = kept(name, left_out, _visible(text), _visible("".join(body.itertext())))
    return Extracted(text, "OpenDocument (.odt)", "paragraphs", (note,))


class _OdtWriter:
    """Write the elements of an OpenDocument text into a flow, and count the characters of its paragraphs."""

    def __init__(self, are_lines: bool = False) -> None:
        self.flow = Flow()
        self.lengths: list[int] = []
        self._are_lines = are_lines
        self._notes: list[Element] = []

    def write(self, element: "Element") -> None:
        tag = _tag(element)
        if _ODT_LEFT_OUT.fullmatch(tag):
            return
        if tag == "note-body":
            self._notes.append(element)
            return
        before = self.flow.length
        self._begin(tag)
        self.flow.write(element.text or "")
        for child in element:
            self.write(child)
            self.flow.write(child.tail or "")
        if tag == "p":
            self.lengths.append(self.flow.length - before)
        self._end(tag)

    def _begin(self, tag: str) -> None:
        if tag == "h" or (tag == "p" and not self._are_lines):
            self.flow.paragraph()
        elif tag in ("p", "list-item"):
            self.flow.line()
        elif tag == "table":
            self.flow.table()
        elif tag == "table-row":
            self.flow.row()
        elif tag == "table-cell":
            self.flow.cell()
        elif tag == "line-break":
            self.flow.line_end()
        elif tag in ("s", "tab"):
            self.flow.write(" ")

    def _end(self, tag: str) -> None:
        if tag == "p" and self._are_lines:
            self.flow.line_end()
        elif tag in ("p", "h"):
            self.flow.paragraph()
        elif tag == "table-cell":
            self.flow.cell_end()
        elif tag == "table":
            self.flow.table_end()
        if tag in ("p", "h") and self._notes:
            notes, self._notes = self._notes, []
            for note in notes:
                for child in note:
                    self.write(child)


def read_epub(name: str, data: bytes) -> Extracted:
    """Return the text of a book, in the chapter order of its spine, without the table of contents.

    The errors are those of `documents.extract`.
    """
    with _Archive(name, ".epub", data) as archive:
        chapters = _chapters(archive)
        encrypted = archive.read_optional("META-INF/encryption.xml").decode("utf-8", "replace")
        if any(f'"{chapter}"' in encrypted for chapter in chapters):
            raise CorpusError(f"{name} is protected against copying (DRM) and cannot be read: give a copy without it")
        pages = [read_page(archive.read(chapter), f"{name}/{chapter}") for chapter in chapters]
    text = "\n\n".join(page.text for page in pages if page.text)
    if not text:
        raise CorpusError(f"{name} holds pictures and no text: read the text in them with OCR and give what comes out")
    left_out = f"{counted(sum(page.tags for page in pages), 'tag')} left out"
    note = kept(name, left_out, len(text), sum(len(page.decoded.text) for page in pages))
    return Extracted(text, "EPUB", counted(len(pages), "chapter"), (note,))


def _chapters(archive: "_Archive") -> list[str]:
    container = archive.require_tree("META-INF/container.xml")
    package = next((element.get("full-path", "") for element in container.iter() if _tag(element) == "rootfile"), "")
    tree = archive.require_tree(package)
    items = {element.get("id"): element for element in tree.iter() if _tag(element) == "item"}
    chapters = []
    for reference in tree.iter():
        item = items.get(reference.get("idref")) if _tag(reference) == "itemref" else None
        if item is None or "html" not in item.get("media-type", "") or "nav" in item.get("properties", "").split():
            continue
        chapters.append(posixpath.normpath(posixpath.join(posixpath.dirname(package), unquote(item.get("href", "")))))
    return chapters


def read_rtf(name: str, data: bytes) -> Extracted:
    """Return the text of an RTF file; the errors are those of `documents.extract`."""
    try:
        from striprtf import striprtf
    except Exception as error:
        raise DependencyError("striprtf", "documents", f"reading {name}", error) from error
    source = data.decode("cp1252", "replace")
    try:
        text = str(striprtf.rtf_to_text(source, errors="replace"))  # type: ignore[no-untyped-call]
    except Exception as error:  # damaged files raise errors of any type
        raise broken(name, ".rtf", str(error)) from error
    # RTF writes characters beyond the first 65,536 as surrogate pairs.
    text = text.replace("\x00", "").encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    lines = [line.strip() for line in text.split("\n")]
    flow = Flow()
    are_lines = _are_lines([len(line) for line in lines])
    for line in lines:
        if not are_lines:
            flow.paragraph()
        flow.write(line, keep_blanks=True)
        flow.line_end()
    text = flow.text()
    notes = len(_RTF_SKIPPED.findall(source))
    left_out = f"formatting, headers, footers and notes ({notes:,}) left out"
    return Extracted(text, "RTF", "paragraphs", (kept(name, left_out, len(text), len(source)),))


def _are_lines(lengths: Sequence[int]) -> bool:
    """Return whether paragraphs of these lengths are used as lines, and empty ones as blank lines."""
    full = [length for length in lengths if length]
    if not full:
        return False
    return len(lengths) - len(full) >= _EMPTY_SHARE * len(full) or statistics.median(full) < _SHORT


def _visible(text: str) -> int:
    """Count the characters without white space; these files do not store the gaps between paragraphs."""
    return len("".join(text.split()))


class _Archive:
    """A document in the form of a .zip archive of XML."""

    def __init__(self, name: str, suffix: str, data: bytes) -> None:
        try:
            from defusedxml import DefusedXmlException
            from defusedxml.ElementTree import ParseError, fromstring
        except Exception as error:
            raise DependencyError("defusedxml", "documents", f"reading {name}", error) from error
        self._name, self._suffix = name, suffix
        self._harmful, self._no_xml, self._parse = DefusedXmlException, ParseError, fromstring
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
        except Exception as error:
            raise broken(name, suffix, str(error)) from error
        most = most_expansion(len(data))
        if sum(member.file_size for member in self._zip.infolist()) > most:  # zipfile reads no more than these sizes
            raise expands_too_much(name, most)
        self.members = [member.filename for member in self._zip.infolist() if not member.is_dir()]

    def __enter__(self) -> "_Archive":
        return self

    def __exit__(self, *error: object) -> None:
        self._zip.close()

    def read(self, member: str) -> bytes:
        try:
            return self._zip.read(member)
        except KeyError as error:
            raise broken(self._name, self._suffix, f"{member} is missing") from error
        except Exception as error:  # damaged archives raise errors of a dozen types
            raise broken(self._name, self._suffix, f"{member}: {error}") from error

    def read_optional(self, member: str) -> bytes:
        return self.read(member) if member in self.members else b""

    def tree(self, member: str) -> "Element | None":
        """Return a member as a tree; None if it is not XML."""
        try:
            tree: Element = self._parse(self.read(member))
            return tree
        except self._harmful as error:
            raise CorpusError(
                f"{self._name} defines XML entities, which documents do not need and which can fill the memory: "
                "open it in its program and save it again"
            ) from error
        except (self._no_xml, ValueError, LookupError):
            return None

    def require_tree(self, member: str) -> "Element":
        tree = self.tree(member)
        if tree is None:
            raise broken(self._name, self._suffix, f"{member} is damaged")
        return tree


def _tag(element: "Element") -> str:
    return element.tag.rpartition("}")[2]


def _locked(name: str) -> CorpusError:
    return CorpusError(f"{name} is locked with a password: save a copy without one")
