"""The words of a text, by their rhymes."""

from lilliput.verse.french import French
from lilliput.verse.language import Ending
from lilliput.verse.lexicon import Lexicon, line_marks

FRENCH = French()
TEXT = "Le matin, l'amour s'endort;\nun jardin sous la lune d'or,\nla dune et le chemin d'un mort !\n\nfin\n"


def ending(line: str) -> Ending:
    found = FRENCH.ending(line)
    assert found is not None
    return found


def test_words_by_their_rhymes() -> None:
    lexicon = Lexicon.of(TEXT, FRENCH)
    assert lexicon.rhymes([ending("un festin")]) == ["chemin", "fin", "jardin", "matin", "un"]
    assert lexicon.rhymes([ending("le matin")]) == ["chemin", "fin", "jardin", "un"]
    assert lexicon.rhymes([ending("le matin"), ending("la fin")]) == ["chemin", "jardin", "un"]
    assert lexicon.rhymes([ending("brune")]) == ["dune", "lune"]
    assert "amour" in lexicon.rhymes([])


def test_words_that_the_text_has() -> None:
    lexicon = Lexicon.of(TEXT, FRENCH)
    assert lexicon.counts["la"] == 2
    assert lexicon.has(ending("Le MATIN !"))
    assert not lexicon.has(ending("le festin"))


def test_marks_after_last_words() -> None:
    assert line_marks(TEXT) == [";", ",", " !"]
    assert line_marks("") == []
