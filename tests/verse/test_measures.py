"""Stanzas, their forms and their measures, on lines that are made up here."""

import json

import pytest

from lilliput.verse.forms import is_scheme, quatrain_scheme, read_stanzas, rhyme_pairs
from lilliput.verse.french import French
from lilliput.verse.languages import guess_language
from lilliput.verse.measures import bootstrap, measure_verse, shuffled_lines

FRENCH = French()
CROSSED = """Le soir descend sur la montagne,
Une étoile brille et m'appelle,
Le vent traverse la campagne,
Et la nuit paraît bien plus belle."""
COUPLETS = """Le vent du soir a caressé la lune,
Et le marin s'endort contre la dune,
La mer au loin murmure son tourment,
Et la voile s'éloigne lentement."""


def scheme(text: str) -> str:
    (stanza,) = read_stanzas(text, FRENCH)
    return stanza.scheme


def test_a_scheme_has_a_letter_for_each_rhyme() -> None:
    assert scheme(CROSSED) == "ABAB"
    assert scheme(COUPLETS) == "AABB"
    first, second, third, fourth = CROSSED.split("\n")
    assert scheme("\n".join((first, second, fourth, third))) == "ABBA"
    assert scheme("\n".join((first, second, "Un autre jour", fourth))) == ".A.A"


def test_a_long_stanza_has_the_letters_of_its_rhymes_only() -> None:
    couplets = [f"un {consonant}{vowel}\nle {other}{vowel}" for consonant, other in ("bd", "pt") for vowel in "aiou"]
    letters = scheme("\n".join(couplets * 8))
    assert letters[:8] == "AABBCCDD"
    # After Z comes A again.
    assert letters[50:56] == "ZZAABB"
    assert len(letters) == 128


def test_a_line_rhymes_at_most_three_lines_away() -> None:
    first, _, third, _ = CROSSED.split("\n")
    between = "Le bois\nLa mer\nLe nord"
    assert scheme(f"{first}\n{between}\n{third}") == "....."


@pytest.mark.parametrize(
    ("found", "wanted", "holds"),
    [
        ("ABAB", "ABAB", True),
        ("AAAA", "ABAB", True),
        ("A.A.", "ABAB", False),
        ("ABAB", "A.A.", True),
        ("AB", "ABAB", False),
    ],
)
def test_a_stanza_has_the_form_that_it_holds_the_rhymes_of(found: str, wanted: str, holds: bool) -> None:
    assert is_scheme(found, wanted) is holds


def test_quatrains_are_counted_by_form() -> None:
    assert [quatrain_scheme(found) for found in ("AABB", "ABAB", "ABBA", "A.A.")] == ["AABB", "ABAB", "ABBA", "other"]
    measures = measure_verse(read_stanzas(f"{CROSSED}\n\n{COUPLETS}\n\n{CROSSED}", FRENCH))
    assert measures.schemes == {"AABB": 1 / 3, "ABAB": 2 / 3}


def test_measures_of_a_text() -> None:
    measures = measure_verse(
        read_stanzas(f"UN TITRE\n\n{CROSSED}\n\n{COUPLETS}", FRENCH), training_pairs={("campagne", "montagne")}
    )
    assert (measures.lines, measures.stanzas) == (8, 2)
    assert measures.rhyme == measures.metre == 1.0
    assert measures.lengths == {8: 0.5, 10: 0.5}
    assert measures.unique_endings == 1.0
    assert measures.top_ending == 1 / 8
    # One of four pairs stands in the training text; each of its two lines counts it.
    assert measures.new_pairs == 0.75
    assert json.loads(json.dumps(measures.as_dict()))["rhyme_interval"] == [1.0, 1.0]


def test_a_text_without_stanzas_has_no_shares() -> None:
    measures = measure_verse(read_stanzas("Une ligne seule\n\n...", FRENCH))
    assert (measures.lines, measures.rhyme, measures.rhyme_interval, measures.top_ending) == (0, None, None, None)


def test_the_metre_is_that_of_most_lines() -> None:
    (stanza,) = read_stanzas(CROSSED, FRENCH)
    assert stanza.metre == 8
    # "li-on" or "lion": the other line decides.
    (stanza,) = read_stanzas("un lion\nla forêt", FRENCH)
    assert stanza.lines[0].syllables == (2, 3)
    assert stanza.metre == 3


def test_the_best_partner_makes_a_pair() -> None:
    pairs = rhyme_pairs(read_stanzas(CROSSED, FRENCH))
    assert sorted(set(pairs)) == [("appelle", "belle"), ("campagne", "montagne")]


def test_shuffled_lines_are_the_same_lines_elsewhere() -> None:
    text = f"{CROSSED}\n\n{COUPLETS}"
    shuffled = shuffled_lines(text)
    assert sorted(shuffled.split("\n")) == sorted(text.split("\n"))
    assert shuffled != text
    assert shuffled.split("\n")[4] == ""


def test_a_bootstrap_interval_holds_the_share_and_narrows_with_more_groups() -> None:
    few = bootstrap([[True, False]] * 5 + [[True, True]] * 5)
    many = bootstrap([[True, False]] * 500 + [[True, True]] * 500)
    assert few is not None
    assert many is not None
    assert few[0] <= 0.75 <= few[1]
    assert many[1] - many[0] < few[1] - few[0]
    assert bootstrap([]) is None


@pytest.mark.parametrize(
    ("text", "code"),
    [(CROSSED, "fr"), ("The sun is in the sky and the sea is deep", "en"), ("1 2 3", None), ("Wir gehen heim", None)],
)
def test_the_language_of_a_text_is_guessed(text: str, code: str | None) -> None:
    assert guess_language(text) == code
