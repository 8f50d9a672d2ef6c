"""The pattern by which trained tokenizers split a text into words, and safe positions to cut a long text.

As in GPT-2 (Radford et al. 2019, section 2.2), a space belongs to the word after it, and letters, digits, punctuation
and line ends do not mix. Differences: digits are grouped by at most three, every run is bounded (the library takes
quadratic time on long runs), and line ends never join with spaces.
"""

from collections.abc import Iterator
from itertools import islice

from lilliput.segments import SAFE_CUT
from lilliput.tokenizers.escape import NIBBLES

# A multiple of 4, 6 and 8, the nibbles of an escaped character, so that no run is cut within a character.
LONGEST_RUN = 48
LONGEST_WORD = LONGEST_RUN + 1  # with its space
_LETTER = rf"\p{{L}}\p{{M}}{NIBBLES[0]}-{NIBBLES[-1]}"
WORD_PATTERN = "|".join(
    (
        rf" ?[{_LETTER}]{{1,{LONGEST_RUN}}}",
        r" ?\p{N}{1,3}",
        rf" ?[^\s\p{{N}}{_LETTER}]{{1,{LONGEST_RUN}}}",
        rf"[\r\n]{{1,{LONGEST_RUN}}}",
        rf"[^\S\r\n]{{1,{LONGEST_RUN}}}(?= \S)",
        rf"[^\S\r\n]{{1,{LONGEST_RUN}}}",
    )
)

# A text may be cut at SAFE_CUT: no alternative of the pattern (nor of GPT-2's) matches across a visible character and
# the white space after it, and none looks further ahead than the next visible character.
_STRIDE = 1 << 14
_PARTS = 64


def cut(text: str) -> Iterator[str]:
    """Cut a text into parts of about 16,000 characters, never within a word."""
    start = 0
    while start < len(text):
        cut = SAFE_CUT.search(text, start + _STRIDE)
        end = cut.end() if cut else len(text)
        yield text[start:end]
        start = end


def cut_batches(text: str) -> Iterator[list[str]]:
    """Yield the parts of a text in lists, long enough for threads and short enough for memory."""
    parts = cut(text)
    while batch := list(islice(parts, _PARTS)):
        yield batch
