"""Read a clean text from files, folders, a named corpus or standard input, and split it for training and validation.

A module is imported when one of its names is first used, so that sampling need not wait for code that fetches texts.
"""

from typing import TYPE_CHECKING

from lilliput.lazy import lazy_names

if TYPE_CHECKING:
    from lilliput.corpus.document import JOINT, Corpus, Document, ReadProgress
    from lilliput.corpus.examples import END, Example, Examples, shared_prompts, shortened, split_examples
    from lilliput.corpus.files.example_files import open_examples, require_examples
    from lilliput.corpus.files.large_splits import LargeSplit, divide, require_possible_split
    from lilliput.corpus.files.large_texts import LargeText, Survey, is_large, open_large, survey
    from lilliput.corpus.files.small_texts import read_files
    from lilliput.corpus.labels import label_alike, label_documents, mark_prompt, unmark
    from lilliput.corpus.named.corpora import (
        CorpusInfo,
        fetch,
        known_corpora,
        open_corpus,
        open_large_corpus,
        open_source,
        read_named,
        read_named_validation,
    )
    from lilliput.corpus.named.data_files import find_file
    from lilliput.corpus.settings import LabelKind, ReadSettings, SplitSettings
    from lilliput.corpus.splitting import Split, split
    from lilliput.corpus.word_count import count_words

__all__ = [
    "END",
    "JOINT",
    "Corpus",
    "CorpusInfo",
    "Document",
    "Example",
    "Examples",
    "LabelKind",
    "LargeSplit",
    "LargeText",
    "ReadProgress",
    "ReadSettings",
    "Split",
    "SplitSettings",
    "Survey",
    "count_words",
    "divide",
    "fetch",
    "find_file",
    "is_large",
    "known_corpora",
    "label_alike",
    "label_documents",
    "mark_prompt",
    "open_corpus",
    "open_examples",
    "open_large",
    "open_large_corpus",
    "open_source",
    "read_files",
    "read_named",
    "read_named_validation",
    "require_examples",
    "require_possible_split",
    "shared_prompts",
    "shortened",
    "split",
    "split_examples",
    "survey",
    "unmark",
]

__getattr__ = lazy_names(
    "lilliput.corpus",
    {
        "named.data_files": ("find_file",),
        "document": ("JOINT", "Corpus", "Document", "ReadProgress"),
        "files.example_files": ("open_examples", "require_examples"),
        "examples": ("END", "Example", "Examples", "shared_prompts", "shortened", "split_examples"),
        "labels": ("label_alike", "label_documents", "mark_prompt", "unmark"),
        "named.corpora": (
            "CorpusInfo",
            "fetch",
            "known_corpora",
            "open_corpus",
            "open_large_corpus",
            "open_source",
            "read_named",
            "read_named_validation",
        ),
        "files.small_texts": ("read_files",),
        "settings": ("LabelKind", "ReadSettings", "SplitSettings"),
        "splitting": ("Split", "split"),
        "files.large_splits": ("LargeSplit", "divide", "require_possible_split"),
        "files.large_texts": ("LargeText", "Survey", "is_large", "open_large", "survey"),
        "word_count": ("count_words",),
    },
)
