"""From a file, a folder, a name or standard input to a clean text, divided for training and validation."""

from lilliput.corpus.data_files import find_file
from lilliput.corpus.document import JOINT, Corpus, Document, Progress
from lilliput.corpus.named import (
    CorpusInfo,
    fetch,
    known_corpora,
    open_corpus,
    read_named,
    read_named_validation,
)
from lilliput.corpus.reading import read_files
from lilliput.corpus.splitting import Split, SplitSettings, split

__all__ = [
    "JOINT",
    "Corpus",
    "CorpusInfo",
    "Document",
    "Progress",
    "Split",
    "SplitSettings",
    "fetch",
    "find_file",
    "known_corpora",
    "open_corpus",
    "read_files",
    "read_named",
    "read_named_validation",
    "split",
]
