import random

import pytest

from lilliput.evaluation.agreement import FEWEST, Grammar, learn_grammar
from lilliput.evaluation.words import shuffled

MASCULINE = ["bateau", "quai", "vent", "feu", "port"]
FEMININE = ["barque", "lampe", "mer", "pluie", "rue"]


def sentences(count: int, seed: int = 1) -> str:
    """Phrases with determiners that agree, and with pronouns and verbs between them."""
    draw = random.Random(seed)
    phrases = []
    for _ in range(count):
        noun = draw.choice(MASCULINE + FEMININE)
        singular = ("le", "un", "mon", "ce") if noun in MASCULINE else ("la", "une", "ma", "cette")
        determiner = draw.choice([*singular, "les", "des"])
        plural = "s" if determiner in ("les", "des") else ""
        phrases.append(f"{determiner} {noun}{plural} dort, on {draw.choice(['le', 'la', 'les'])} voit")
    return ".\n".join(phrases)


@pytest.fixture(scope="module")
def grammar() -> Grammar:
    learned = learn_grammar(sentences(400), "fr")
    assert learned is not None
    return learned


def test_what_is_learned(grammar: Grammar) -> None:
    assert grammar.genders == dict.fromkeys(MASCULINE, "masculine") | dict.fromkeys(FEMININE, "feminine")
    assert grammar.numbers["barque"] == "singular"
    assert grammar.numbers["barques"] == "plural"
    assert "voit" not in grammar.genders  # "la voit", "le voit"
    assert "voit" not in grammar.numbers


def test_held_out_text_agrees_and_shuffled_text_does_not(grammar: Grammar) -> None:
    held_out = sentences(200, seed=2)
    real, mixed = grammar.measure(held_out), grammar.measure(shuffled(held_out, "fr"))
    assert (real.gender, real.number) == (1.0, 1.0)
    assert real.number_pairs == 200
    assert mixed.gender is not None
    assert mixed.number is not None
    assert mixed.gender < 0.8
    assert mixed.number < 0.9


@pytest.mark.parametrize(
    ("text", "gender", "number"),
    [
        ("une quai, le lampe, la mer", (1 / 3, 3), (1, 3)),
        ("les barque. Des quais!", (None, 0), (1 / 2, 2)),
        ("La\nmer\n\nle\n\nport", (1, 1), (1, 1)),
        ("le zouave dort", (None, 0), (None, 0)),
    ],
)
def test_pairs_are_counted(
    grammar: Grammar, text: str, gender: tuple[float | None, int], number: tuple[float | None, int]
) -> None:
    found = grammar.measure(text)
    assert (found.gender, found.gender_pairs) == (pytest.approx(gender[0]) if gender[0] else None, gender[1])
    assert (found.number, found.number_pairs) == (pytest.approx(number[0]) if number[0] else None, number[1])


def test_before_a_vowel_the_masculine_possessive_shows_no_gender() -> None:
    learned = learn_grammar("mon âme, ton âme, l'âme. mon port, son port, ton port. " * FEWEST, "fr")
    assert learned is not None
    assert learned.genders == {"port": "masculine"}
    assert learned.numbers == {"port": "singular", "âme": "singular"}


def test_too_few_pairs_teach_nothing() -> None:
    few = learn_grammar("le port. " * (FEWEST - 1), "fr")
    enough = learn_grammar("le port. " * FEWEST, "fr")
    assert few is not None
    assert enough is not None
    assert (few.genders, enough.genders) == ({}, {"port": "masculine"})


@pytest.mark.parametrize("language", [None, "en"])
def test_another_language_has_no_grammar(language: str | None) -> None:
    assert learn_grammar("the boat", language) is None
