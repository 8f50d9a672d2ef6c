import random
from itertools import pairwise

import pytest

from lilliput.errors import CorpusError
from lilliput.evaluation.words import BREAK, words_of
from lilliput.evaluation.writing import Learnt, distinct_pairs

LEARNT = """The keeper walks along the river at night,
and the lamp of the keeper is bright.

The boat sleeps under the hill.
"""


def test_spans_of_five_copied_words_and_more() -> None:
    learnt = Learnt("one two three four five six seven. eight nine ten eleven twelve thirteen")
    text = "So: ONE two, three four five six, one. Eight nine ten eleven twelve -- two three four five"
    assert [text[one:end] for one, end in learnt.copied_spans(text)] == [
        "ONE two, three four five six",
        "Eight nine ten eleven twelve",
    ]
    assert learnt.copied_spans("one two three four") == []
    assert learnt.copied_spans("") == []


def test_words_that_the_training_text_has_are_real() -> None:
    measured = Learnt(LEARNT).measure("The KEEPER sleeps; the blorp walks.")
    assert measured.words == 6
    assert measured.real_words == pytest.approx(5 / 6)


def test_a_copy_runs_over_line_ends_case_and_punctuation() -> None:
    written = "Now\nWalks along the River -- at night\nAND THE lamp. It is late."
    span = Learnt(LEARNT).measure(written).longest
    assert span is not None
    assert span.words == 9
    assert span.text == written[span.start :].removesuffix(". It is late.")
    assert span.text.startswith("Walks")
    assert LEARNT[span.source :].startswith("walks along")


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("is bright.\n\nThe boat sleeps", 3),  # a break in both texts
        ("is bright.\nThe boat sleeps", 3),  # in the training text
        ("The boat\n\nsleeps under the", 3),  # in the written text
        ("The boat xyz sleeps", 2),
        ("xyz xyz", 0),
    ],
)
def test_a_copy_does_not_run_over_empty_lines_and_unknown_words(written: str, words: int) -> None:
    span = Learnt(LEARNT).measure(written).longest
    assert (span.words if span else 0) == words


def test_the_share_of_copied_stretches() -> None:
    learnt = Learnt(LEARNT)
    assert learnt.measure(LEARNT).copied == 1.0
    assert learnt.measure("the keeper walks along the road").copied == pytest.approx(1 / 2)
    assert learnt.measure("the keeper walks along\n\nthe river at night").copied is None
    assert learnt.measure("the boat").copied is None


def test_copies_are_those_that_comparing_word_for_word_finds() -> None:
    draw = random.Random(1)
    texts = [" ".join(draw.choices(["a", "b", "c", "\n\n"], [5, 5, 5, 1], k=300)) for _ in range(2)]
    known, written = (words_of(text) for text in texts)

    def stretches(words: list[str], length: int) -> list[tuple[str, ...]]:
        every = [tuple(words[start : start + length]) for start in range(len(words) - length + 1)]
        return [stretch for stretch in every if BREAK not in stretch]

    measured = Learnt(texts[0]).measure(texts[1])
    five = stretches(written, 5)
    assert measured.copied == sum(stretch in stretches(known, 5) for stretch in five) / len(five)
    longest = max(n for n in range(1, 40) if set(stretches(known, n)) & set(stretches(written, n)))
    assert measured.longest is not None
    assert measured.longest.words == longest
    assert words_of(measured.longest.text) == words_of(texts[0][measured.longest.source :])[:longest]


def test_distinct_pairs_of_equally_many_words() -> None:
    words = words_of("a b a b c d\n\ne a b")
    pairs = [pair for pair in pairwise(words) if BREAK not in pair]
    assert distinct_pairs(words) == len(set(pairs)) / len(pairs) == 5 / 7
    assert distinct_pairs(words, 4) == 2 / 3
    assert distinct_pairs(["a"]) is None


def test_a_text_without_words_cannot_be_judged() -> None:
    with pytest.raises(CorpusError, match="without words"):
        Learnt(LEARNT).measure("1 2 3 --\n")
