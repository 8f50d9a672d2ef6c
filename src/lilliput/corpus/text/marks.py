"""Marks that other tools put into texts, such as `<|endoftext|>`: letters to a model that knows nothing of them.

Those that part documents become the border between documents. The others are counted and stay, since nobody knows what
is to become of them. A mark in quotation marks is spoken of (in code, say), and is left alone.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator

_PARTING = (
    r"<\|(?:endoftext|startoftext|begin_of_text|end_of_text|bos|eos)\|>|\[BOS\]|\[EOS\]|<bos>|<eos>"
    r"|(?<!\S)</?s>(?!\S)"  # with a letter beside it, it strikes the letter out in HTML
)
_BORDER = re.compile(rf"""\s*(?<!["'`])(?:{_PARTING})(?!["'`])(?:\s*(?:{_PARTING})(?!["'`]))*\s*""")
_ONE = re.compile(_PARTING)
_PARTING_SIGNS = ("<|", "<s>", "</s>", "<bos>", "<eos>", "[BOS]", "[EOS]")
"""What a text with a mark that parts documents has somewhere."""
_LONGEST = 16  # characters of a mark
_LEARNT = (
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
    """Finds the marks in texts and counts them."""

    def __init__(self) -> None:
        self._borders: Counter[str] = Counter()
        self._learnt: Counter[str] = Counter()

    def parts(self, text: str) -> list[str]:
        """Return the documents that marks part a text into; a text of marks alone is one empty document."""
        parts = self._split(text)
        return [part for part in parts if part] or [""] if len(parts) > 1 else parts

    def stream(self, pieces: Iterable[str]) -> Iterator[tuple[bool, str]]:
        """Yield a text in pieces, each with whether a document begins there; no piece may end within a word.

        A text of marks alone is one empty document.
        """
        begun = behind = False
        before = ""
        for piece in pieces:
            self._count(before + piece[:_LONGEST], before)
            before = piece[-_LONGEST:]
            for number, part in enumerate(self._split(piece.lstrip() if behind else piece)):
                behind = behind or number > 0
                if part:
                    yield behind or not begun, part
                    begun, behind = True, False
        if not begun:
            yield True, ""

    def _split(self, text: str) -> list[str]:
        # To look for single letters first takes a tenth of the time.
        if not any(sign in text for sign in "<[#"):
            return [text]
        self._count(text)
        if not any(sign in text for sign in _PARTING_SIGNS):
            return [text]
        for border in _BORDER.finditer(text):
            self._borders.update(_ONE.findall(border[0]))
        return _BORDER.split(text)

    def _count(self, text: str, before: str | None = None) -> None:
        """Count marks that stay; of a text with another one `before`, only those that stand across the border."""
        for mark in _LEARNT:
            count = text.count(mark)
            if before is not None:
                count -= before.count(mark) + text[len(before) :].count(mark)
            if count:
                self._learnt[mark] += count

    def notes(self) -> list[str]:
        """Return the notes on which marks were found, and what becomes of them."""
        notes = []
        if self._borders:
            notes.append(f"{_listed(self._borders)}: taken out, documents part there")
        if self._learnt:
            notes.append(f"{_listed(self._learnt)}: marks of another tool, learnt as they stand")
        return notes


def _listed(marks: Counter[str]) -> str:
    ordered = sorted(marks.items(), key=lambda mark: (-mark[1], mark[0]))
    return ", ".join(f"{mark} {count:,} times" if count > 1 else f"{mark} once" for mark, count in ordered)
