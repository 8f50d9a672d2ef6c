import pytest
from hypothesis import given
from hypothesis import strategies as st

from lilliput.tokenizers.escape import BROKEN, ERRORS, NIBBLES, Alphabet, unescape


@given(st.text(), st.text(st.characters(exclude_categories=["Cs", "Co"])))
def test_escaping_is_undone_and_leaves_only_the_alphabet(string, characters):
    alphabet = Alphabet(characters)
    escaped = alphabet.escape(string)
    assert set(escaped) <= {*characters, *NIBBLES}
    assert unescape(escaped) == string


def test_kept_characters_stand_for_themselves():
    assert Alphabet("ab]^-\\").escape("a]b^-\\") == "a]b^-\\"


def test_nibbles_are_the_bytes_in_hexadecimal():
    assert Alphabet("a").escape("aé") == "a" + "".join(NIBBLES[digit] for digit in (0xC, 3, 0xA, 9))


def test_a_nibble_in_the_text_is_escaped_itself():
    alphabet = Alphabet("a")
    assert len(alphabet.escape(NIBBLES[5])) == 6
    assert unescape(alphabet.escape(NIBBLES)) == NIBBLES


@pytest.mark.parametrize(
    ("digits", "text"),
    [
        ("c", BROKEN),
        ("c3", BROKEN),
        ("c3a", BROKEN * 2),
        ("c3a9f", "é" + BROKEN),
        ("61ff62", f"a{BROKEN}b"),
        ("eda080", "\ud800"),
    ],
)
def test_broken_runs_become_replacement_characters(digits, text):
    assert unescape("".join(NIBBLES[int(digit, 16)] for digit in digits)) == text


@given(st.binary(max_size=12))
def test_only_broken_bytes_are_replaced(data):
    try:
        expected = data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        assert BROKEN in data.decode("utf-8", ERRORS)
    else:
        assert data.decode("utf-8", ERRORS) == expected
