"""Join the pieces of a document into a text, with one blank line between paragraphs."""

import re

_BLANK = re.compile("[ \t\n\r\f]+")
_RANKS = {"": 0, "\t": 2, "\n": 3, "\n\n": 4}  # other gaps are white space inside a line, of rank 1
_INVISIBLE = {0xAD: None, 0x200B: None, 0xFEFF: None}  # soft hyphens and zero-width characters


class Flow:
    """Build a text piece by piece; the gap between two pieces is decided when the second one arrives.

    Tabs separate the cells of a row, and a paragraph at the start or end of a cell does not break its row.
    """

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._gap = ""
        self._kept = ""  # white space to keep before the next piece
        self._is_first_row = True
        self._row_is_empty = True
        self._cell_is_empty = False
        self.length = 0
        """The characters so far, without gaps."""

    def write(self, text: str, keep_blanks: bool = False) -> None:
        """Add a piece of text. Runs of white space become one space, unless `keep_blanks`."""
        text = text.translate(_INVISIBLE)
        if not keep_blanks:
            before, words, after = _split_blanks(_BLANK.sub(" ", text))
            self._widen(before)
            self._add(words)
            self._widen(after)
            return
        for number, line in enumerate(text.split("\n")):
            if number:
                self.line_end()
            before, words, after = _split_blanks(line)
            self._kept += before
            self._add(words)
            self._kept += after

    def line(self) -> None:
        """Begin a new line, unless at the start of one."""
        self._break("\n")

    def paragraph(self) -> None:
        """Begin a new paragraph, unless at the start of one."""
        self._break("\n\n")

    def line_end(self) -> None:
        """End the line; two of them in succession end the paragraph."""
        self._set("\n\n" if self._gap.startswith("\n") else "\n")

    def table(self) -> None:
        """Begin a table."""
        self.paragraph()
        self._is_first_row = True

    def row(self) -> None:
        """Begin a row of a table."""
        if self._is_first_row:
            self._widen("\n")
        else:
            self._set("\n")
        self._is_first_row = False
        self._row_is_empty = self._cell_is_empty = True

    def cell(self) -> None:
        """Begin a cell."""
        if not self._row_is_empty:
            self._set("\t")
        self._cell_is_empty = True

    def cell_end(self) -> None:
        """End a cell."""
        if not self._row_is_empty:
            self._set("")

    def table_end(self) -> None:
        """End a table."""
        self._cell_is_empty = False
        self.paragraph()

    def text(self) -> str:
        """Return the text, without blank lines at the start and white space at the end."""
        return "".join(self._parts)

    def _break(self, gap: str) -> None:
        if not self._cell_is_empty:
            self._kept = ""
            self._widen(gap)

    def _set(self, gap: str) -> None:
        self._gap, self._kept = gap, ""

    def _widen(self, gap: str) -> None:
        # A no-break space wins over a plain one.
        self._gap = max(self._gap, gap, key=lambda gap: (_RANKS.get(gap, 1), gap))

    def _add(self, words: str) -> None:
        if not words:
            return
        within = self._gap and _RANKS.get(self._gap, 1) == 1
        gap = "" if not self._parts or (within and self._kept) else self._gap
        self._parts += (gap, self._kept, words)
        self._set("")
        self._row_is_empty = self._cell_is_empty = False
        self.length += len(words)


def _split_blanks(text: str) -> tuple[str, str, str]:
    """Return the leading white space of a text, the text without it, and the trailing white space."""
    words = text.strip()
    before = text[: len(text) - len(text.lstrip())]
    return before, words, text[len(before) + len(words) :]
