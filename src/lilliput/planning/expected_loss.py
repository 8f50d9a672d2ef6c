"""The expected loss of a planned model: that of counting on the same text, times a factor fitted to earlier runs.

A model is better than counting by a share that depends on how much is learnt, from how long a text, on how hard the
text is for counting, and on how much of it stood in the text before, which xz finds and counting does not. The share is
a plane that was fitted to the planned runs in `results/sizes.jsonl`, on texts in five languages (`python
benchmarks/sizes.py --fit`, which also says how far from it they are).
"""

import math

from lilliput.recipe import Recipe

LEVEL, BY_TOKENS, BY_CHARACTERS, BY_COUNTING, BY_COPYING = 0.7766, -0.0444, -0.0056, 0.0588, 0.2776
"""At a million tokens and characters and two bits of both; for ten times the tokens, the characters, for twice the
bits, and for twice as many bits in xz as by counting."""
LEAST_SHARE, MOST_SHARE = 0.1, 1.0
"""Of counting's bits: a text that repeats itself is far from all that the plane was fitted to."""


def expected_bits(counting: float, copying: float, characters: int, tokens: float) -> float:
    """Return about how many bits a character of the held-out text will take.

    `counting` is the figure of counts of `characters` characters of training text, `copying` that of xz, and
    `tokens` is how many are learnt from, those that are learnt from again included.
    """
    learned, counted = (math.log10(max(1.0, number) / 1e6) for number in (tokens, characters))
    hard, new = math.log2(max(0.1, counting) / 2), math.log2(max(0.1, copying) / max(0.1, counting))
    share = LEVEL + BY_TOKENS * learned + BY_CHARACTERS * counted + BY_COUNTING * hard + BY_COPYING * new
    return counting * min(MOST_SHARE, max(LEAST_SHARE, share))


def tells(recipe: Recipe) -> bool:
    """Return whether there is an expectation for a recipe: its model is the one planned for a text."""
    return "model.layers" in recipe.planned and "model.counts" in recipe.planned and recipe.tokenizer.kind == "char"
