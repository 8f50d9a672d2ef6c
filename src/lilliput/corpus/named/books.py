"""Named corpora of poems: find or fetch their books, and combine the poems.

A missing book is an error, so that the same name gives the same poems on every machine. Fetched books stay in the
cache, so that the next attempt fetches only the missing ones.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from lilliput.cache import DATA_VARIABLE, cache_folder
from lilliput.corpus.document import Corpus, Document, ReadProgress
from lilliput.corpus.files.small_texts import read_files
from lilliput.corpus.named.catalogue import Book
from lilliput.corpus.named.download import NotFetched, download
from lilliput.corpus.named.poems import poems_of
from lilliput.errors import CorpusError

VALIDATION_EVERY = 20
"""One poem out of this many is held out for validation."""


def book_cache() -> Path:
    """Return the cache folder of fetched books; it may not exist yet."""
    return cache_folder() / "books"


def find_books(books: Iterable[Book], folders: Iterable[Path]) -> dict[Book, Path]:
    """Return the paths of the books that are in these folders; earlier folders come first."""
    existing = [folder for folder in folders if folder.is_dir()]
    return {
        book: paths[0]
        for book in books
        if (paths := [folder / name for folder in existing for name in book.files if (folder / name).is_file()])
    }


def fetch_books(
    name: str, books: Sequence[Book], local_paths: dict[Book, Path], progress: ReadProgress | None = None
) -> dict[Book, Path]:
    """Return the paths of all books; those without a local path are fetched into the cache.

    Raises NotFetched with the books that cannot be fetched, and how to get them by hand.
    """
    reasons: dict[Book, str] = {}
    paths: dict[Book, Path] = {}
    for book in books:
        paths[book] = local_paths.get(book) or book_cache() / book.name
        if not paths[book].is_file():
            try:
                _fetch(book, paths[book], progress)
            except NotFetched as error:
                reasons[book] = f"{book.name}: {error}"
    if reasons:
        raise NotFetched(f"{', '.join(reasons.values())}; {by_hand(name, list(reasons))}")
    return paths


def _fetch(book: Book, path: Path, progress: ReadProgress | None) -> None:
    download(book.address, path, progress)
    try:
        refuse_page(read_files([path]))
    except CorpusError as error:
        path.unlink()
        raise error if isinstance(error, NotFetched) else NotFetched("the download is not a text") from error


def refuse_page(corpus: Corpus) -> None:
    """Raise NotFetched for a web page: sites that require a login or suspect a robot send one with status 200."""
    if any(document.text.lstrip()[:9].lower().startswith(("<!doctype", "<html")) for document in corpus.documents):
        raise NotFetched("the download is a web page")


def poems_in(name: str, paths: dict[Book, Path]) -> tuple[Corpus, Corpus]:
    """Return the training poems and the validation poems of books.

    Raises CorpusError for a book that cannot be read or has no poems.
    """
    documents = []
    for book, path in paths.items():
        text = read_files([path]).text
        if not poems_of([Document(str(book.number), text)]):
            raise CorpusError(f"{path} holds no poems: replace it by {book.title} from {book.address}")
        documents.append(Document(str(book.number), text))
    poems = poems_of(documents)
    held = poems[VALIDATION_EVERY - 1 :: VALIDATION_EVERY]
    rest = [poem for number, poem in enumerate(poems, start=1) if number % VALIDATION_EVERY]
    return Corpus(name, tuple(rest)), Corpus(name, tuple(held))


def by_hand(name: str, books: Sequence[Book]) -> str:
    """Return the instructions for downloading books by hand."""
    addresses = ", ".join(f"{book.address} ({book.size})" for book in books)
    return (
        f"download {addresses} by hand, put the files into one folder and run: lilliput corpora get {name} "
        f"--from FOLDER, or set {DATA_VARIABLE} to the folder"
    )
