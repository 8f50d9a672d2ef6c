"""Read texts that fit into memory: files, folders and standard input become a corpus of documents."""

import io
import sys
from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import IO

from lilliput.corpus.document import Corpus, Document
from lilliput.corpus.files.contents import FileReader, open_files, read_documents
from lilliput.corpus.files.folders import Listing
from lilliput.corpus.files.listing import list_files
from lilliput.corpus.files.report import ReadingReport
from lilliput.corpus.settings import AUTOMATIC, ReadSettings
from lilliput.errors import CorpusError


def read_files(paths: Sequence[Path | str], settings: ReadSettings = AUTOMATIC) -> Corpus:
    """Read files, folders (recursively, in sorted order) and `-` for standard input as one corpus.

    Raises CorpusError for files that are missing, unreadable, binary, damaged or empty.
    """
    return read_listing(list_files(paths, settings), settings)


def read_listing(listing: Listing, settings: ReadSettings) -> Corpus:
    """Read listed files; the errors are those of `read_files`."""
    report = ReadingReport()
    reader = FileReader(settings, report, alone=len(listing.files) == 1)
    documents = tuple(
        Document(origin.name, "".join(text for _, text in fragments), origin.folder, origin.label)
        for origin, fragments in groupby(read_documents(_opened(listing), reader), itemgetter(0))
    )
    if not documents:
        raise CorpusError(
            f"there is no text in {listing.given}: it is empty or only blank space; "
            "give a text of a few hundred characters"
        )
    return Corpus(listing.name, documents, (*listing.notes, *report.notes()))


def _opened(listing: Listing) -> Iterator[tuple[IO[bytes], str, str]]:
    for path, name in listing.files:
        if path is None:
            # A closed standard input is an empty text.
            yield io.BytesIO(b"" if sys.stdin is None else sys.stdin.buffer.read()), name, ""
        else:
            yield from open_files([(path, name)])
