import random
from functools import cache

import pytest

from lilliput.tokenizers import Tokenizer, train


@cache
def made_up_text() -> str:
    """Give verses of made-up words: a few hundred words, accents, signs, digits, and rare characters."""
    rng = random.Random(7)
    syllables = [a + b for a in "bcdflmnprstv" for b in ("a", "é", "i", "ou", "â", "en")]
    words = ["".join(rng.choices(syllables, k=rng.choice([1, 2, 2, 3]))) for _ in range(500)]
    weights = [1 / (rank + 3) for rank in range(len(words))]
    ends = [",\n", ".\n", " !\n", "\n\n", "; 1857\n", "\r\n", "\t—\n", " «☃»\n", " 漢字\n"]
    lines = []
    for _ in range(900):
        lines.append(" ".join(rng.choices(words, weights, k=rng.randint(3, 8))).capitalize() + rng.choice(ends))
    return "".join(lines)


@cache
def trained(kind: str, vocabulary: int | None) -> Tokenizer:
    return train(kind, made_up_text(), vocabulary)  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def text():
    return made_up_text()


@pytest.fixture(scope="session")
def tokenizer_of():
    return trained
