"""What is surely a list or a collection, and what only looks like one."""

import random
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lilliput.corpus import Corpus, Document, SplitSettings, split
from lilliput.corpus.items import find_items, fixed_form, item_spans, items_of, split_items
from lilliput.errors import CorpusError
from lilliput.evaluation.baselines import ngram_baseline
from tests.conftest import WORDS, made_up_text

SYLLABLES = ["ka", "lo", "mi", "ren", "su", "ta", "vel", "no", "ri", "an", "do", "pe", "shi", "bar", "el", "gu"]


def words(number: int, seed: int = 1) -> list[str]:
    """Different made-up words."""
    draw = random.Random(seed)
    found: dict[str, None] = {}
    while len(found) < number:
        found["".join(draw.choices(SYLLABLES, k=draw.randint(2, 4)))] = None
    return list(found)


def sentence(draw: random.Random, least: int = 5, most: int = 12) -> str:
    return " ".join(draw.choices(WORDS, k=draw.randint(least, most)))


def blocks(number: int, lines: int, end: str = "", seed: int = 1, length: int = 4) -> str:
    draw = random.Random(seed)
    made = ("\n".join(sentence(draw, length, length) for _ in range(lines)) + end for _ in range(number))
    return "\n\n".join(made) + "\n"


def lines(number: int, make) -> str:
    draw = random.Random(3)
    return "".join(make(draw, place) + "\n" for place in range(number))


def verse(stanza: int, ends: str) -> str:
    draw = random.Random(5)
    made = []
    for number in range(40):
        body = [sentence(draw, 5, 8).capitalize() + draw.choice(",;. ") for _ in range(stanza)]
        made.append("\n".join(body).rstrip(",;. ") + ends[number % len(ends)])
    return "\n\n".join(made) + "\n"


LISTS = {
    "sorted words": ("line", "\n".join(sorted(words(300)))),
    "words in any order": ("line", "\n".join(words(40))),
    "words with a few twice": ("line", "\n".join(words(300) + words(300)[:40])),
    "names with capitals": ("line", "\n".join(word.capitalize() for word in words(80))),
    "first and last names": (
        "line",
        "\n".join(f"{a.title()} {b.title()}" for a, b in zip(words(150), words(150, 2), strict=True)),
    ),
    "surname, name, sorted": (
        "line",
        "\n".join(sorted(f"{a.title()}, {b.title()}" for a, b in zip(words(150), words(150, 2), strict=True))),
    ),
    "sorted titles": ("line", "\n".join(sorted(lines(200, lambda draw, _: sentence(draw).title()).split("\n")[:-1]))),
    "a dictionary": (
        "line",
        "\n".join(f"{word}: {sentence(random.Random(n))}." for n, word in enumerate(sorted(words(90)))),
    ),
    "accents": ("line", "\n".join(sorted(word.replace("e", "é") for word in words(200)))),
    "Cyrillic": ("line", "\n".join("".join(chr(ord(c) - 97 + 0x430) for c in word) for word in words(60))),
    "Devanagari": ("line", "\n".join("".join(f"{chr(ord(c) - 97 + 0x915)}\u093e" for c in word) for word in words(60))),
    "haiku": ("block", blocks(60, 3)),
    "haiku with points": ("block", blocks(60, 3, ".")),
    "limericks": ("block", blocks(40, 5, "!")),
    "couplets": ("block", blocks(40, 2, "?")),
    "words apart": ("block", "\n\n".join(words(60))),
    "fortunes": ("percent", "\n%\n".join(made_up_text(60 + 9 * n, n).strip() for n in range(30)) + "\n%\n"),
}

OTHERS = {
    "sentences": made_up_text(9000),
    "paragraphs in one line": lines(40, lambda d, _: " ".join(sentence(d).capitalize() + "." for _ in range(9)) + "\n"),
    "wrapped prose": lines(300, lambda draw, _: sentence(draw, 10, 12)),
    "wrapped prose without blanks": lines(60, lambda draw, _: "".join(draw.choices("日月山水火木金土", k=30))),
    "DNA": lines(90, lambda draw, _: "".join(draw.choices("ACGT", k=60))),
    "sonnets": verse(14, ".,"),
    "quatrains that go on": verse(4, ",.;."),
    "tercets that go on": verse(3, ",.,;"),
    "stanzas of several lengths": "\n\n".join(verse(3 + n % 3, ".")[:200] for n in range(40)),
    "verse without empty lines": lines(200, lambda draw, _: sentence(draw, 5, 8).capitalize()),
    "short verse": lines(300, lambda draw, _: sentence(draw, 2, 3) + draw.choice(["", ",", "."])),
    "a poem from a to z": "\n".join(f"{letter}{made_up_text(40)[:38]}" for letter in string.ascii_uppercase),
    "code": lines(90, lambda d, n: f"def {d.choice(WORDS)}_{n}(value):\n    return value + {n}\n"),
    "flat code": lines(90, lambda d, n: f"{d.choice(WORDS)}{n} = {d.choice(WORDS)}({n});"),
    "a dialogue": lines(200, lambda d, n: f"{'Anna' if n % 2 else 'Ben'}: {sentence(d, 1, 2)}"),
    "a play": "\n\n".join(f"{'ANNA' if n % 3 else 'BEN'}:\n{sentence(random.Random(n))}." for n in range(90)),
    "a chat": "\n\n".join(f"A: {sentence(random.Random(n))}\nB: {sentence(random.Random(-n))}" for n in range(90)),
    "CSV": lines(200, lambda d, n: f"{d.choice(WORDS)}{n},{d.choice(WORDS)},{d.random():.2f}"),
    "sorted CSV": "\n".join(f"{word},{word[::-1]}" for word in sorted(words(200))),
    "TSV of words": "\n".join(f"{a}\t{b}" for a, b in zip(words(200), words(200, 2), strict=True)),
    "settings": "\n".join(f"{word}={word[::-1]}" for word in sorted(words(200))),
    "a log": lines(200, lambda d, n: f"2024-01-01 10:{n // 60:02}:{n % 60:02} INFO {sentence(d, 3, 4)}"),
    "a syslog": lines(200, lambda d, n: f"Nov 26 10:{n // 60:02}:{n % 60:02} host app: {sentence(d, 3, 4)}"),
    "numbered lines": lines(200, lambda d, n: f"line {n:04}"),
    "numbers": lines(200, lambda d, n: str(d.randint(0, 9999))),
    "running text, a word a line": lines(400, lambda d, _: d.choice(WORDS)),
    "chords": lines(100, lambda d, _: d.choice("ABCDEFG") + d.choice(["", "m", "7"])),
    "a picture": lines(80, lambda d, _: "".join(d.choices("#.", k=32))),
    "subtitles": lines(90, lambda d, n: f"{n}\n00:00:{n % 60:02},000 --> 00:01:00,000\n{sentence(d)}\n"),
    "LaTeX": lines(60, lambda d, n: f"\\section{{{d.choice(WORDS)}}}\n%\n{sentence(d)}.\n% {d.choice(WORDS)}"),
    "indented words": lines(90, lambda d, n: "  " * (n % 3) + words(90)[n]),
    "a few words": "\n".join(words(12)),
    "nothing": "\n",
}


@pytest.mark.parametrize("name", LISTS)
def test_what_is_a_list_or_a_collection(name: str) -> None:
    kind, text = LISTS[name]
    found = find_items([text])
    assert found is not None
    assert found.kind == kind
    assert found.in_order == ("sorted" in name or name in ("accents", "a dictionary"))


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_none(name: str) -> None:
    assert find_items([OTHERS[name]]) is None


def test_rows_of_a_table_are_a_list() -> None:
    found = find_items(words(50))
    assert found is not None
    assert (found.kind, len(found.texts)) == ("line", 50)


def corpus(text: str, name: str = "names") -> Corpus:
    return Corpus(name, (Document(name, text),))


def test_a_sorted_list_is_drawn_from_and_shuffled() -> None:
    names = sorted(words(2000))
    result = split(corpus("\n".join(names)), SplitSettings())
    learnt, held = result.training.split("\n")[:-1], result.validation.split("\n")[:-1]
    assert len(held) == 200
    assert sorted(learnt + held) == names
    assert learnt != sorted(learnt)
    assert held != sorted(held)
    assert len({name[0] for name in held}) > 5
    assert result.notes == (
        "names is a sorted list of 2,000 lines: 200 of them, drawn at random, are held out, and the rest is shuffled",
    )
    assert result == split(corpus("\n".join(names)), SplitSettings())


def test_the_end_of_the_alphabet_measures_nothing() -> None:
    text = "\n".join(sorted(words(3000))) + "\n"
    bits = [
        ngram_baseline(part.training, part.validation).bits_per_character
        for part in (split(corpus(text), SplitSettings(by=by)) for by in ("position", "items"))
    ]
    assert bits[0] > 1.2 * bits[1]


def test_an_unsorted_list_keeps_its_order() -> None:
    names = words(500)
    result = split(corpus("\n".join(names)), SplitSettings())
    places = [names.index(name) for name in result.training.split("\n")[:-1]]
    assert places == sorted(places)
    assert result.notes[0].endswith("and the rest keeps its order")


@given(st.lists(st.sampled_from(words(30)), min_size=2), st.floats(0.01, 0.99))
def test_equal_items_stay_on_one_side_and_none_is_lost(names: list[str], fraction: float) -> None:
    text = "\n".join(names)
    if len(set(names)) == 1:
        with pytest.raises(CorpusError, match="one item"):
            split(corpus(text), SplitSettings(by="items"))
        return
    result = split(corpus(text), SplitSettings(by="items", fraction=fraction))
    learnt, held = split_items(result.training, "line"), split_items(result.validation, "line")
    assert sorted(learnt + held) == sorted(names)
    assert not set(learnt) & set(held)


@pytest.mark.parametrize(("kind", "separator"), [("block", "\n\n"), ("percent", "\n%\n")])
def test_blocks_stay_whole(kind: str, separator: str) -> None:
    text = LISTS["haiku" if kind == "block" else "fortunes"][1]
    result = split(corpus(text), SplitSettings())
    assert result.items is not None
    assert (result.items.kind, result.validation[-len(separator) :]) == (kind, separator)
    both = split_items(result.training, result.items.kind) + split_items(result.validation, result.items.kind)
    assert sorted(both) == sorted(result.items.texts)


def test_any_text_can_be_split_by_items() -> None:
    for text, kind in (
        (made_up_text(500).replace("\n\n", "\n"), "line"),
        ("a b\nc\n\nd", "block"),
        ("a\n%\nb", "percent"),
    ):
        items = split(corpus(text), SplitSettings(by="items", fraction=0.5)).items
        assert items is not None
        assert items.kind == kind


def test_other_texts_are_split_by_position() -> None:
    text = made_up_text(3000)
    assert split(corpus(text), SplitSettings()) == split(corpus(text), SplitSettings(by="position"))


def test_a_validation_text_of_ones_own() -> None:
    names = sorted(words(100))
    result = split(corpus("\n".join(names)), SplitSettings(), corpus("\n".join([*names[:3], "xyzzy"])))
    assert result.training != "\n".join(names) + "\n"
    assert sorted(result.training.split()) == names
    assert result.validation.split() == [*names[:3], "xyzzy"]
    assert result.notes[0] == "names is a sorted list of 100 lines, which is shuffled"
    assert result.notes[1].startswith("3 of the 4 held-out items (75.0%) are also in the training text")


def test_items_on_both_sides_of_another_split_are_told() -> None:
    names = words(90)
    notes = split(corpus("\n".join(names + names[:10])), SplitSettings(by="position")).notes
    assert notes[0].startswith("10 of the 11 held-out items (90.9%) are also in the training text")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "\n".join({word[:5]: 1 for word in words(900) if len(word) > 4}),
            "nearly every item has 5 characters: lilliput",
        ),
        (OTHERS["a picture"], "nearly every line has 32 characters: lilliput sample RUN --items 20 --match '.{32}'"),
        (LISTS["haiku"][1], r"nearly every item has 3 lines: lilliput sample RUN --items 20 --match '.+\n.+\n.+'"),
    ],
)
def test_a_fixed_form_is_told(text: str, told: str) -> None:
    assert any(note.startswith(told) for note in split(corpus(text), SplitSettings()).notes)


def test_no_form_is_told_where_there_is_none() -> None:
    assert split(corpus(made_up_text(3000)), SplitSettings()).notes == ()
    assert fixed_form("line", words(100)) is None
    assert fixed_form("line", ["the same line again and again"] * 100) is None


@given(st.text(alphabet="ab% \n"), st.sampled_from(["line", "block", "percent"]))
def test_spans_are_the_items(text: str, kind) -> None:
    assert [text[start:stop] for start, stop in item_spans(text, kind)] == split_items(text, kind)
    assert all(item.strip() and item == item.rstrip() for item in items_of([text]).texts)
