import pytest

from lilliput.evaluation.words import BREAK, shuffled, word_spans, words_of


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("fr", "L’amour d'un ÉTÉ: aujourd'hui!", ["l'", "amour", "d'", "un", "été", "aujourd'", "hui"]),
        ("en", "Don't! 'Twas 12 o'clock_", ["don't", "twas", "o'clock"]),
        (None, "one\ntwo\n\n \n\nthree\n", ["one", "two", BREAK, "three"]),
        (None, " 1 -- !", []),
    ],
)
def test_words(language: str | None, text: str, expected: list[str]) -> None:
    assert words_of(text, language) == expected


def test_places_are_those_of_the_words() -> None:
    text = "«L'été,\n\n  c’est loin.»"
    found = [text[start:end] for start, end in word_spans(text, "fr")]
    assert found == ["L'", "été", "\n\n", "c’", "est", "loin"]
    assert len(found) == len(words_of(text, "fr"))


def test_shuffled_words_are_the_same_words_in_the_same_lines() -> None:
    text = "L'été s'en va, l'hiver vient;\nl'eau dort.\n\nL'ami d'hier n'est plus là.\n" * 5
    mixed = shuffled(text, "fr")
    assert sorted(words_of(mixed, "fr")) == sorted(words_of(text, "fr"))
    assert words_of(mixed, "fr") != words_of(text, "fr")
    assert [line.strip() == "" for line in mixed.split("\n")] == [line.strip() == "" for line in text.split("\n")]
    assert mixed == shuffled(text, "fr")
    assert mixed != shuffled(text, "fr", seed=2)
