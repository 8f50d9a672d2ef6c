"""Where words begin and end: the pattern that every trained tokenizer splits by, and safe places to cut a long text.

In the manner of GPT-2 (Radford et al. 2019, section 2.2): one space belongs to the word after it; letters, digits,
signs and line ends do not mix. Differences: digits come in groups of three at most, every run is bounded (a long run
would cost the library time that grows with its square), and line ends never join with spaces.
"""

from collections.abc import Iterator
from itertools import islice

from lilliput.segments import SAFE_CUT
from lilliput.tokenizers.escape import NIBBLES

# A multiple of 4, 6 and 8, the nibbles that an escaped character takes: a run of such characters is not cut within one.
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

# A text may be cut at SAFE_CUT: no alternative of the pattern (nor of GPT-2's) matches a visible character with white
# space after it, and none looks further ahead than the next visible character.
_STRIDE = 1 << 14
_PARTS = 64


def cut(text: str) -> Iterator[str]:
    """Cut a text into parts of about 16,000 characters whose words are together exactly the words of the whole."""
    start = 0
    while start < len(text):
        cut = SAFE_CUT.search(text, start + _STRIDE)
        end = cut.end() if cut else len(text)
        yield text[start:end]
        start = end


def cut_batches(text: str) -> Iterator[list[str]]:
    """Give the parts of a text in lists, long enough for threads and short enough for memory."""
    parts = cut(text)
    while batch := list(islice(parts, _PARTS)):
        yield batch
