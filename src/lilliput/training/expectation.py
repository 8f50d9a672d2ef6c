"""What a planned model comes to before it is trained: counting on the same text, times what such runs have made of it.

The network is better than counting by a share that depends on how much is learnt, from how long a text, and on how hard
the text is for counting. The share is a plane that was fitted to the planned runs in `results/sizes.jsonl`, on texts in
five languages (`python benchmarks/sizes.py --fit`, which also says how far from it they are).
"""

import math

from lilliput.evaluation.floors import ngram_floor
from lilliput.recipe import Recipe

LEVEL, BY_TOKENS, BY_CHARACTERS, BY_COUNTING = 0.8538, -0.0508, 0.0079, 0.0607
"""At a million tokens and characters and two bits; for ten times the tokens, the characters, and for twice the bits."""
COUNTED, TOLD = 1_000_000, 50_000
"""Characters that are counted to tell, and characters that they are told for: about two seconds."""


def expected_bits(counting: float, characters: int, tokens: float) -> float:
    """Return about how many bits a character of the held-out text will take.

    `counting` is what it takes by counts of so many `characters` of training text, `tokens` is how many are learnt
    from, those that are learnt from again included.
    """
    learned, counted = (math.log10(max(1.0, number) / 1e6) for number in (tokens, characters))
    hard = math.log2(max(0.1, counting) / 2)
    return counting * (LEVEL + BY_TOKENS * learned + BY_CHARACTERS * counted + BY_COUNTING * hard)


def tells(recipe: Recipe) -> bool:
    """Tell whether a recipe is one for which there is an expectation: with the model that is planned for a text."""
    return "model.layers" in recipe.planned and "model.counts" in recipe.planned and recipe.tokenizer.kind == "char"


def counting_bits(text: str, held_out: float) -> tuple[float, int] | None:
    """Return the bits of a character by counting and how many characters were counted.

    The share `held_out` stands at the end of `text`. None if the text is too short to tell.
    """
    cut = int(len(text) * (1 - held_out))
    training, validation = text[max(0, cut - COUNTED) : cut], text[cut : cut + TOLD]
    if not training or len(validation) < 2:
        return None
    return ngram_floor(training, validation).bits_per_character, len(training)
