"""French endings, rhymes and syllables; the words and lines are made up here."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lilliput.verse.french import French
from lilliput.verse.french_sounds import sounds_of
from lilliput.verse.french_words import SOUNDS
from lilliput.verse.language import Ending

FRENCH = French()


def ending(line: str) -> Ending:
    found = FRENCH.ending(line)
    assert found is not None
    return found


def rhyme(first: str, second: str) -> int:
    return FRENCH.rhyme(ending(first), ending(second))


@pytest.mark.parametrize(
    ("word", "sounds"),
    [
        ("amour", "amuʁ"), ("eaux", "o"), ("champs", "ʃã"), ("longtemps", "lõtã"), ("nuit", "nɥi"),
        ("famille", "famij"), ("ville", "vil"), ("soleil", "solɛj"), ("orgueil", "oʁgøj"), ("feuilles", "føj"),
        ("montagne", "mõtaɲ"), ("chanter", "ʃãte"), ("hiver", "ivɛʁ"), ("déserts", "dezɛʁ"), ("bien", "bjẽ"),
        ("patience", "pasjãs"), ("passion", "pasjõ"), ("loin", "lwẽ"), ("royaume", "ʁwajom"), ("femme", "fam"),
        ("longue", "lõg"), ("pieds", "pje"), ("chantaient", "ʃãtɛ"), ("quai", "kɛ"), ("oeil", "øj"),
        ("doigts", "dwa"), ("haïe", "ai"), ("bruyère", "bʁɥijɛʁ"),
    ],
)  # fmt: skip
def test_a_word_sounds_as_it_is_spelled(word: str, sounds: str) -> None:
    assert sounds_of(word)[0].phonemes == sounds


@pytest.mark.parametrize(
    ("first", "second", "level"),
    [
        ("aimé", "ridée", 0),  # a masculine and a feminine ending
        ("été", "bonté", 2),
        ("aimé", "bonté", 1),
        ("jour", "amour", 2),
        ("lumière", "première", 3),
        ("aimer", "mer", 0),
        ("femme", "âme", 2),
        ("vent", "souvent", 2),
        ("chantent", "tante", 2),
        ("moment", "aiment", 0),
        ("aimaient", "jamais", 2),
        ("perd", "vert", 2),
        ("nuits", "lui", 2),
        ("poire", "noir", 0),
        ("les dieux", "cieux", 2),
        ("voix", "croix", 2),
        ("amour", "amour", 0),
        ("dis-je", "tige", 2),
    ],
)
def test_how_well_two_endings_rhyme(first: str, second: str, level: int) -> None:
    assert rhyme(first, second) == rhyme(second, first) == level


def test_a_word_of_two_sounds_rhymes_with_both() -> None:
    assert rhyme("les fils", "un lis") > 0
    assert rhyme("les fils", "midi") > 0
    # "content" is an adjective, or a form of "conter".
    assert rhyme("content", "vent") > 0
    assert rhyme("content", "honte") > 0


@pytest.mark.parametrize(
    ("word", "feminine"),
    [("rose", True), ("roses", True), ("chantent", True), ("vent", False), ("soient", False), ("chantaient", False)],
)
def test_the_gender_of_an_ending(word: str, feminine: bool) -> None:
    assert ending(word).feminine is feminine


@pytest.mark.parametrize(
    ("line", "fewest", "most"),
    [
        ("Une grande ombre marche", 6, 6),  # the e of "grande" is elided, that of "marche" does not count
        ("Une grande montagne", 6, 6),
        ("les hommes ont", 4, 4),  # a plural keeps its e
        ("la porte haute", 4, 4),  # h aspiré
        ("la porte hostile", 4, 4),
        ("un lion", 2, 3),
        ("le lion glorieux", 5, 6),
        ("la pluie tombait", 4, 4),
        ("je prierai", 3, 3),
        ("le pied", 2, 2),
        ("une nation", 4, 5),
        ("qu'il aime", 2, 2),
        ("prends-le", 2, 2),
        ("que dis-je", 2, 2),
        ("aujourd'hui", 3, 3),
        ("le paysan", 4, 4),
        ("", 0, 0),
        ("...", 0, 0),
    ],
)
def test_the_syllables_of_a_line(line: str, fewest: int, most: int) -> None:
    assert FRENCH.syllables(line) == (fewest, most)


def test_capitals_and_the_other_apostrophe_change_nothing() -> None:
    assert FRENCH.syllables("L’ÉTÉ D’UNE ROSE") == FRENCH.syllables("l'été d'une rose")
    assert ending("Sous l’AMOUR !").word == "amour"


def test_a_line_without_a_word_has_no_ending() -> None:
    assert FRENCH.ending("... 12 !") is None


def test_no_exception_is_a_word_that_the_rules_say_right(monkeypatch: pytest.MonkeyPatch) -> None:
    needless = []
    for word, sounds in list(SOUNDS.items()):
        with monkeypatch.context() as patch:
            patch.delitem(SOUNDS, word)
            sounds_of.cache_clear()
            spelled = "/".join(sound.phonemes + "=" * sound.feminine for sound in sounds_of(word))
        if spelled == sounds:
            needless.append(word)
    sounds_of.cache_clear()
    assert not needless


@given(st.text(alphabet="abcdefghijlmnopqrstuvxyzàâçéèêëîïôûœ'- ", max_size=40))
def test_any_line_has_an_interval_and_rhymes_alike_both_ways(line: str) -> None:
    counted = FRENCH.syllables(line)
    assert 0 <= counted.fewest <= counted.most
    found = FRENCH.ending(line)
    if found:
        assert FRENCH.rhyme(found, found) == 0
        assert FRENCH.rhyme(found, ending("jour")) == FRENCH.rhyme(ending("jour"), found)
