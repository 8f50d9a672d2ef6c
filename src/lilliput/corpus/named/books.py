"""The books of a named corpus of poems: found in a folder or fetched, and put together.

A book that is missing is an error and not a smaller corpus: the same name gives the same poems on every machine. Books
that were fetched stay in the cache, so that the next attempt asks only for the missing ones.
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
    """Return the folder of the cache that holds fetched books; it may not exist yet."""
    return cache_folder() / "books"


def find_books(books: Iterable[Book], folders: Iterable[Path]) -> dict[Book, Path]:
    """Return where in these folders the books lie; an earlier folder comes first."""
    places = [folder for folder in folders if folder.is_dir()]
    return {
        book: paths[0]
        for book in books
        if (paths := [folder / name for folder in places for name in book.files if (folder / name).is_file()])
    }


def fetch_books(
    name: str, books: Sequence[Book], found: dict[Book, Path], progress: ReadProgress | None = None
) -> dict[Book, Path]:
    """Return the paths of all books, fetching into the cache those that were not found.

    Raises NotFetched with the books that cannot be fetched, and what a person can do.
    """
    reasons: dict[Book, str] = {}
    paths: dict[Book, Path] = {}
    for book in books:
        paths[book] = found.get(book) or book_cache() / book.name
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
        raise error if isinstance(error, NotFetched) else NotFetched("what came is no text") from error


def refuse_page(corpus: Corpus) -> None:
    """Raise NotFetched for a web page: sites that ask for a login or doubt the visitor answer 200 with one."""
    if any(document.text.lstrip()[:9].lower().startswith(("<!doctype", "<html")) for document in corpus.documents):
        raise NotFetched("what came is a web page")


def poems_in(name: str, paths: dict[Book, Path]) -> tuple[Corpus, Corpus]:
    """Put the poems of books together; return those to learn from and those held out.

    Raises CorpusError for a book that cannot be read or has no poems.
    """
    documents = []
    for book, path in paths.items():
        text = read_files([path]).text
        if not poems_of([Document(str(book.number), text)]):
            raise CorpusError(f"{path} holds no poems: put {book.title} from {book.address} there")
        documents.append(Document(str(book.number), text))
    poems = poems_of(documents)
    held = poems[VALIDATION_EVERY - 1 :: VALIDATION_EVERY]
    rest = [poem for number, poem in enumerate(poems, start=1) if number % VALIDATION_EVERY]
    return Corpus(name, tuple(rest)), Corpus(name, tuple(held))


def by_hand(name: str, books: Sequence[Book]) -> str:
    """Say where to get each book and where to put it."""
    addresses = ", ".join(f"{book.address} ({book.size})" for book in books)
    return (
        f"get by hand {addresses}; put what came into one folder and run: lilliput corpora get {name} --from FOLDER, "
        f"or set {DATA_VARIABLE} to the folder"
    )
