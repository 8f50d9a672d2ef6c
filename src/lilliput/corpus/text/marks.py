"""Special tokens of other tools in texts, such as `<|endoftext|>`, which a model would learn as letters.

Marks between documents split the text there. Other marks are counted and kept, since their meaning is unknown. A quoted
mark is a mention, for example in code, and is kept.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator

_SEPARATOR = (
    r"<\|(?:endoftext|startoftext|begin_of_text|end_of_text|bos|eos)\|>|\[BOS\]|\[EOS\]|<bos>|<eos>"
    r"|(?<!\S)</?s>(?!\S)"  # with a letter beside it, it strikes the letter out in HTML
)
_BORDER = re.compile(rf"""\s*(?<!["'`])(?:{_SEPARATOR})(?!["'`])(?:\s*(?:{_SEPARATOR})(?!["'`]))*\s*""")
_ONE_SEPARATOR = re.compile(_SEPARATOR)
_SEPARATOR_PARTS = ("<|", "<s>", "</s>", "<bos>", "<eos>", "[BOS]", "[EOS]")
"""Every text with a separator contains one of these strings."""
_LONGEST = 16  # characters of a mark
_KEPT = (
    *(
        "<unk>",
        "[UNK]",
        "[SEP]",
        "[CLS]",
        "[PAD]",
        "[MASK]",
        "<pad>",
        "<|im_start|>",
        "<|im_end|>",
        "[INST]",
        "[/INST]",
    ),
    *("### Instruction:", "### Input:", "### Response:"),
)


class Marks:
    """Find and count the marks in texts."""

    def __init__(self) -> None:
        self._borders: Counter[str] = Counter()
        self._kept: Counter[str] = Counter()

    def parts(self, text: str) -> list[str]:
        """Split a text into documents at marks; a text with nothing but marks is one empty document."""
        parts = self._split(text)
        return [part for part in parts if part] or [""] if len(parts) > 1 else parts

    def stream(self, pieces: Iterable[str]) -> Iterator[tuple[bool, str]]:
        """Yield a text in pieces, each with whether a document begins there; no piece may end within a word.

        A text with nothing but marks is one empty document.
        """
        begun = after_mark = False
        before = ""
        for piece in pieces:
            self._count(before + piece[:_LONGEST], before)
            before = piece[-_LONGEST:]
            for number, part in enumerate(self._split(piece.lstrip() if after_mark else piece)):
                after_mark = after_mark or number > 0
                if part:
                    yield after_mark or not begun, part
                    begun, after_mark = True, False
        if not begun:
            yield True, ""

    def _split(self, text: str) -> list[str]:
        # Testing for single characters first takes a tenth of the time.
        if not any(character in text for character in "<[#"):
            return [text]
        self._count(text)
        if not any(part in text for part in _SEPARATOR_PARTS):
            return [text]
        for border in _BORDER.finditer(text):
            self._borders.update(_ONE_SEPARATOR.findall(border[0]))
        return _BORDER.split(text)

    def _count(self, text: str, before: str | None = None) -> None:
        """Count kept marks; in a text that begins with `before`, only those across its end."""
        for mark in _KEPT:
            count = text.count(mark)
            if before is not None:
                count -= before.count(mark) + text[len(before) :].count(mark)
            if count:
                self._kept[mark] += count

    def notes(self) -> list[str]:
        """Return notes on the marks in the text and their treatment."""
        notes = []
        if self._borders:
            notes.append(f"{_listed(self._borders)}: removed, and the text split into documents there")
        if self._kept:
            notes.append(f"{_listed(self._kept)}: marks of another tool, kept as text")
        return notes


def _listed(marks: Counter[str]) -> str:
    ordered = sorted(marks.items(), key=lambda mark: (-mark[1], mark[0]))
    return ", ".join(f"{mark} {count:,} times" if count > 1 else f"{mark} once" for mark, count in ordered)
