"""Texts that consist of items: lists (a name, word or title per line) and collections (blocks such as haiku or jokes).

The order of items does not matter, so that a random sample of them can be held out, and a list can be shuffled. This
would spoil any other text, so the detection is strict: lines that are sorted, or short and distinct words and names;
blocks between lines of only `%`, as in fortune files; blocks between empty lines that have the same small number of
lines and end with a sentence. Verse, prose, code, dialogues, tables and logs are not items.
"""

import random
import statistics
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Literal

import regex

ItemKind = Literal["line", "block", "percent"]
SEPARATORS: dict[ItemKind, str] = {"line": "\n", "block": "\n\n", "percent": "\n%\n"}
"""The separator after each item."""

_SEED = 1  # the same items are held out in every run on a text
_BETWEEN: dict[ItemKind, regex.Pattern[str]] = {
    "line": regex.compile(r"\n"),
    "block": regex.compile(r"\n(?:[^\S\n]*\n)+"),
    "percent": regex.compile(r"(?m)^%[^\S\n]*$"),
}
_SAMPLED, _STRETCHES = 10_000, 20
"""Lines or blocks to examine, and the number of stretches to take them from in a longer text."""
_FEWEST, _FEWEST_OF_WORDS, _FEWEST_SORTED, _FEWEST_PERCENT = 20, 100, 50, 10
"""The fewest items of a list of words, of a list of longer names, of a sorted list, and of a collection with `%`."""
_SORTED, _PARTLY_SORTED = 0.97, 0.7
"""Fraction of neighbours in ascending order; in random order it is a half."""
_SAME_FORM = 0.95
_LONGEST_LINE, _LONGEST_BLOCK = 30, 250
"""Characters; longer lines are wrapped text, longer blocks are stanzas or paragraphs."""

# Scripts without spaces between words; each character counts as a word.
_UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
_WORD_OR_CHARACTER = regex.compile(rf"[{_UNSPACED}]|[^\s{_UNSPACED}]+")
_PLAIN = regex.compile(r"[\p{L}\p{M}\s'’.\-]")
_LETTERS = regex.compile(r"[\p{L}\p{M}\s\p{P}]")
_ENDS_IN_PUNCTUATION = regex.compile(r"[\p{P}\p{S}]\s*\Z")
_UNFINISHED = regex.compile(r"[,;:\-–—]\s*\Z")
_INNER_MARK = regex.compile(r"[,;:!?…\"“”«»()]")
_SPEAKER = regex.compile(r"(?m)^[^\s:][^:\n]{0,30}:(?:\s|$)")
_MARKUP = regex.compile(r"(?m)^(?:%[^\n]*\S|\\)")
_COLUMN_DELIMITERS = [regex.compile(pattern) for pattern in (r",(?!\s)", ";", "\t", r"\|", "=")]


@dataclass(frozen=True)
class Items:
    """The items of a text in order, without separators."""

    kind: ItemKind
    texts: tuple[str, ...]

    @cached_property
    def ascending(self) -> float:
        """Return the fraction of neighbours in ascending order, under the best-fitting of several sort keys."""
        return max(_share(after > before for before, after in _pairs(self.texts, key)) for key in _KEYS)

    @property
    def in_order(self) -> bool:
        """Return whether the items are, at least in large parts, in alphabetical order."""
        return self.ascending >= _PARTLY_SORTED

    @property
    def described(self) -> str:
        """Return a description such as "a sorted list of 20,000 lines"."""
        order = "sorted " if self.ascending >= _SORTED else "partly sorted " if self.in_order else ""
        count = len(self.texts)
        noun = f"list of {count:,} lines" if self.kind == "line" else f"collection of {count:,} items"
        return f"a {order}{noun}"

    def joined(self, texts: Iterable[str]) -> str:
        """Return items as a text, each followed by the separator."""
        return "".join(text + SEPARATORS[self.kind] for text in texts)

    def drawn(self, fraction: float) -> tuple[list[str], list[str]]:
        """Return the training items and the held-out items, about this fraction of all, drawn at random.

        Equal items stay together. A sorted list is shuffled, other items keep their order. There must be at least two
        distinct items; each part gets at least one.
        """
        counts = Counter(self.texts)
        order = list(counts)
        random.Random(_SEED).shuffle(order)
        held: set[str] = set()
        wanted = round(fraction * len(self.texts))
        for item in order[:-1]:
            if counts[item] <= wanted:
                held.add(item)
                wanted -= counts[item]
        held = held or {min(order, key=counts.__getitem__)}
        parts = [text for text in self.texts if text not in held], [text for text in self.texts if text in held]
        return self.shuffled(parts[0]), self.shuffled(parts[1])

    def shuffled(self, texts: Sequence[str]) -> list[str]:
        """Return items in random order if they are in alphabetical order, else unchanged."""
        mixed = list(texts)
        if self.in_order:
            random.Random(_SEED).shuffle(mixed)
        return mixed


def split_items(text: str, kind: ItemKind) -> list[str]:
    """Return the items of a text, without empty ones and without trailing white space."""
    return [text[start:stop] for start, stop in item_spans(text, kind)]


def item_spans(text: str, kind: ItemKind) -> Iterator[tuple[int, int]]:
    """Yield the start and stop of each item that `split_items` returns."""
    start = 0
    for stop, following in [*(match.span() for match in _BETWEEN[kind].finditer(text)), (len(text), len(text))]:
        part = text[start:stop].rstrip()
        begin = len(part) - len(part.lstrip("\n"))
        if part.strip():
            yield start + begin, start + len(part)
        start = following


def find_items(documents: Sequence[str]) -> Items | None:
    """Return the items of a text, given as documents; None unless it surely consists of items."""
    for kind, is_certain in _TESTS.items():
        items = _items(documents, kind)
        if is_certain(documents, items):
            return items
    return None


def items_of(documents: Sequence[str]) -> Items:
    """Split any text into items: at lines of `%`, else at empty lines, else into lines."""
    if any(_BETWEEN["percent"].search(document) for document in documents):
        return _items(documents, "percent")
    several = len(documents) > 1 and any("\n" in document.strip() for document in documents)
    if several or any(_BETWEEN["block"].search(document.strip()) for document in documents):
        return _items(documents, "block")
    return _items(documents, "line")


def fixed_form(kind: ItemKind, texts: Sequence[str]) -> tuple[str, str] | None:
    """Return the length or number of lines of nearly all items, in words and as a regular expression; else None."""
    if len(set(texts)) < max(_FEWEST, len(texts) / 2):  # repeated lines say nothing about the others
        return None
    measure: Callable[[str], int] = len if kind == "line" else (lambda text: text.count("\n") + 1)
    number, times = Counter(map(measure, texts)).most_common(1)[0]
    if times < _SAME_FORM * len(texts) or number < 2:
        return None
    if kind == "line":
        return f"{number} characters", f".{{{number}}}"
    return f"{number} lines", r"\n".join([".+"] * number)


def _items(documents: Sequence[str], kind: ItemKind) -> Items:
    texts = tuple(item for document in documents for item in split_items(document, kind))
    return Items(kind, texts)


def _sampled(texts: Sequence[str]) -> list[Sequence[str]]:
    """Return all texts, or evenly spread stretches of them."""
    if len(texts) <= _SAMPLED:
        return [texts]
    size = _SAMPLED // _STRETCHES
    starts = [number * (len(texts) - size) // (_STRETCHES - 1) for number in range(_STRETCHES)]
    return [texts[start : start + size] for start in starts]


def _pairs(texts: Sequence[str], key: Callable[[str], str]) -> list[tuple[str, str]]:
    """Return pairs of neighbours whose keys differ; keys ignore digits, which also count up in logs and tables."""
    return [pair for part in _sampled(texts) for pair in pairwise(map(key, part)) if pair[0] != pair[1]]


def _folded(text: str) -> str:
    return regex.sub(r"\d+", "", text[:80].casefold())


def _base_letters(text: str) -> str:
    return regex.sub(r"[^\p{L}\s]+", "", unicodedata.normalize("NFKD", text[:80]).casefold())


def _without_blanks(text: str) -> str:
    return "".join(_base_letters(text).split())


_KEYS = (_folded, _base_letters, _without_blanks)


def _share(flags: Iterable[bool]) -> float:
    values = list(flags)
    return sum(values) / len(values) if values else 0.0


def _letter_share(texts: Sequence[str], pattern: regex.Pattern[str]) -> float:
    length = sum(map(len, texts))
    return sum(len(pattern.findall(text)) for text in texts) / length if length else 0.0


def _is_table(lines: Sequence[str]) -> bool:
    """Return whether nearly all lines have the same number of some delimiter."""
    for delimiter in _COLUMN_DELIMITERS:
        number, times = Counter(len(delimiter.findall(line)) for line in lines).most_common(1)[0]
        if (number and times > 0.6 * len(lines)) or _share(delimiter.search(line) is not None for line in lines) > 0.8:
            return True
    return False


def _is_list(documents: Sequence[str], items: Items) -> bool:
    lines, texts = [line for part in _sampled(items.texts) for line in part], items.texts
    gaps = sum(len(_BETWEEN["block"].findall(document.strip())) for document in documents)
    if (
        len(texts) < _FEWEST
        or gaps > 0.01 * len(texts)
        or _share(line[0].isspace() for line in lines) > 0.01
        or _is_table(lines)
    ):
        return False
    distinct = len(set(texts)) / len(texts)
    return _is_sorted(items, lines, distinct) or (distinct >= 0.8 and _are_names(lines))


def _is_sorted(items: Items, lines: Sequence[str], distinct: float) -> bool:
    differing = len(_pairs(items.texts, _without_blanks)) / max(1, len(lines) - 1)
    return (
        len(items.texts) >= _FEWEST_SORTED
        and items.ascending >= _SORTED
        and differing >= 0.5
        and distinct >= 0.5
        and _share(line[0].isalpha() for line in lines) >= 0.9
        and _letter_share(lines, _LETTERS) >= 0.85
    )


def _are_names(lines: Sequence[str]) -> bool:
    """Return whether lines are words, or names of a few words."""
    words = statistics.median(len(_WORD_OR_CHARACTER.findall(line)) for line in lines)
    single = words == 1
    return (
        words <= 3
        and len(lines) >= (_FEWEST if single else _FEWEST_OF_WORDS)
        and statistics.median(map(len, lines)) <= _LONGEST_LINE
        and _share(len(line) <= 2 * _LONGEST_LINE for line in lines) >= 0.99
        and _letter_share(lines, _PLAIN) >= 0.9
        and _share(_ENDS_IN_PUNCTUATION.search(line) is not None for line in lines) <= (0.05 if single else 0.02)
        and (single or _share(_INNER_MARK.search(line) is not None for line in lines) <= 0.1)
    )


def _is_percent(documents: Sequence[str], items: Items) -> bool:
    lines = sum(document.count("\n") + 1 for document in documents)
    marks = sum(len(_BETWEEN["percent"].findall(document)) for document in documents)
    markup = sum(len(_MARKUP.findall(document)) for document in documents)
    # In LaTeX and MATLAB a line of only % is a comment, but other lines begin with % as well.
    return marks >= _FEWEST_PERCENT and len(items.texts) >= _FEWEST_PERCENT and markup <= 0.02 * lines


def _is_collection(documents: Sequence[str], items: Items) -> bool:
    blocks = [block for part in _sampled(items.texts) for block in part]
    if len(items.texts) < _FEWEST or len(set(items.texts)) < 0.8 * len(items.texts):
        return False
    counts = Counter(block.count("\n") + 1 for block in blocks)
    number, times = counts.most_common(1)[0]
    lines = [line for block in blocks for line in block.split("\n")]
    if number == 1:
        return times == len(blocks) and not _is_table(lines) and _are_names(lines)
    return (
        number <= 5
        and times >= 0.9 * len(blocks)
        and statistics.median(map(len, blocks)) <= _LONGEST_BLOCK
        and _share(line[0].isspace() for line in lines) <= 0.05
        and _letter_share(lines, _LETTERS) >= 0.9
        # Stanzas often continue after a comma, and dialogues name the speakers.
        and _share(_UNFINISHED.search(block) is not None for block in blocks) <= 0.05
        and _share(_SPEAKER.search(block) is not None for block in blocks) <= 0.2
        and not _is_table(lines)
    )


_TESTS: dict[ItemKind, Callable[[Sequence[str], Items], bool]] = {
    "percent": _is_percent,
    "line": _is_list,
    "block": _is_collection,
}
