"""Contexts of words: which positions share one, told by hand."""

import numpy as np
import pytest

from lilliput.models.mixing import words
from lilliput.models.mixing.words import CONTEXTS, Words


def contexts(pieces: list[str], vocabulary: list[str] | None = None) -> list[list[int | None]]:
    """Return the numbers of the contexts after each piece, None for one that is not known."""
    vocabulary = vocabulary or sorted(set(pieces))
    ids_BT = np.array([[vocabulary.index(piece) for piece in pieces]])
    keys_BTW, known_BTW = Words(vocabulary).contexts(ids_BT)
    pairs = zip(keys_BTW[0].tolist(), known_BTW[0].tolist(), strict=True)
    return [[key if known else None for key, known in zip(*both, strict=True)] for both in pairs]


LETTERS = sorted(set(". ,-'\nabcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZéÉ中文字"))


def after(text: str) -> list[int | None]:
    """Return the contexts at the end of a text, letter by letter."""
    return contexts(list(text), LETTERS)[-1]


WORD, SKIP, PAIR, TRIPLE = range(4)


def test_the_contexts_are_the_word_alone_and_with_the_two_before() -> None:
    assert CONTEXTS == ((True, False, False), (True, False, True), (True, True, False), (True, True, True))
    here, same = after(". one two thr"), after(". and one two thr")
    assert here == same
    assert None not in here
    assert len(set(here)) == 4
    other_before, other_last = after(". six two thr"), after(". one six thr")
    assert [one == other for one, other in zip(here, other_before, strict=True)] == [True, False, True, False]
    assert [one == other for one, other in zip(here, other_last, strict=True)] == [True, True, False, False]
    assert not set(here) & set(after(". one two tha"))


def test_between_words_the_one_that_follows_is_empty() -> None:
    here = after("- ab cd ")
    assert here[WORD] == after("- xy ")[WORD] == after("- xy\n")[WORD]
    assert here[PAIR] == after("- xx cd \n ")[PAIR]
    assert here[PAIR] not in (after("- ab ce ")[PAIR], after("- ab cd e")[PAIR])


@pytest.mark.parametrize(("one", "other"), [("x The cat", "x the cat"), ("x Été s", "x été s")])
def test_capitals_make_no_other_word(one: str, other: str) -> None:
    small = [letter for letter in LETTERS if letter not in ("É", "é") or "t" in one]
    assert contexts(list(one), small)[-1] == contexts(list(other), small)[-1]


def test_a_capital_at_the_end_makes_another_word() -> None:
    small, first, all_of_it = after(", hast"), after(", Hast"), after(", HAST")
    assert small[WORD] is not None
    assert small == first
    assert small[WORD] != all_of_it[WORD]
    assert after(", hast ")[PAIR] != after(", HAST ")[PAIR]
    ids_BT = np.array([[LETTERS.index(letter) for letter in text] for text in (", hast", ", HAST")])
    keys_BTW = Words(LETTERS, capitals=False).contexts(ids_BT)[0]
    assert (keys_BTW[0] == keys_BTW[1]).all()


def test_marks_are_words_and_an_apostrophe_is_within_one() -> None:
    assert after(". it's a")[PAIR] == after("- it's a")[PAIR]
    assert after(". it's a")[PAIR] != after(". its a")[PAIR]
    assert after(". a, b")[PAIR] == after(". c, b")[PAIR]
    assert after(". a, b")[TRIPLE] != after(". c, b")[TRIPLE]


def test_ideographs_are_a_word_each() -> None:
    assert after("字中文")[WORD] == after("中文")[WORD]
    assert after("字中文字")[PAIR] == after("中文字")[PAIR]


def test_pieces_of_words_make_the_word_that_they_spell_as_they_are_cut() -> None:
    vocabulary = [".", " the", " ca", "t", " dog", "s", ", "]
    ends = contexts([".", " the", " ca", "t", " the", " ca"], vocabulary)
    assert ends[2][PAIR] == ends[5][PAIR]
    assert ends[2][PAIR] != ends[3][PAIR]
    assert ends[2][WORD] == contexts([", ", " dog", "s", " ca"], vocabulary)[-1][WORD]


def test_what_begins_before_the_first_token_or_too_far_back_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    assert after("abc") == [None] * 4
    assert after("abc ")[1:] == [None] * 3
    assert after("a bc")[WORD] is not None
    assert after("a bc d")[PAIR] is not None
    assert after("a bc d")[TRIPLE] is None
    monkeypatch.setattr(words, "REACH", 8)
    assert after("a " + "b" * 8)[WORD] is None
    assert after("a " + "b" * 7)[WORD] is not None


def test_what_stands_further_back_than_the_reach_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "REACH", 12)
    generator = np.random.default_rng(1)
    text = generator.choice(list("ab .\n"), 200, p=[0.4, 0.3, 0.2, 0.05, 0.05]).tolist()
    whole = contexts(text, LETTERS)
    assert any(found is not None for found in whole[-1])
    for end in range(12, 200):
        assert contexts(text[end - 11 : end + 1], LETTERS)[-1] == whole[end]
