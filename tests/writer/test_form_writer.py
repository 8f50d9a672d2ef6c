"""Poems in a form: rhymes, syllables, first letters, and the weights of what closes a line."""

import math

import numpy as np
import pytest
from tests.conftest import made_up_verse
from tests.training.building import recipe, run

from lilliput.corpus import Corpus, Document
from lilliput.errors import GenerationError, VerseError
from lilliput.verse.french import French
from lilliput.verse.lexicon import Lexicon, line_marks
from lilliput.verse.poem_form import Form, FormLine, parse_form
from lilliput.writer import Writer, load
from lilliput.writer.closing import Closing, closings, encode, line_end
from lilliput.writer.form_writer import FormedLine, FormWriter

FRENCH = French()
RHYMES = "la lune, une dune, la brune, le chagrin, un matin, le jardin, un chemin, la rose, une chose, il ose"


@pytest.fixture(scope="module")
def writer(tmp_path_factory: pytest.TempPathFactory) -> Writer:
    """A model that has learnt next to nothing."""
    folder = tmp_path_factory.mktemp("forms") / "run"
    run(folder, recipe(), text=Corpus("verse", (Document("verse", made_up_verse(200) + RHYMES),), ()))
    return load(folder)


@pytest.fixture(scope="module")
def poems(writer: Writer) -> FormWriter:
    return FormWriter(writer, Lexicon.of(RHYMES, FRENCH), [",", " !"])


def written(poems: FormWriter, form: str, **options: object) -> list[FormedLine]:
    return list(poems.lines(parse_form(form, "fr"), **({"prompt": "\n"} | options)))  # type: ignore[arg-type]


@pytest.mark.parametrize("form", ["ABAB", "AABB 6", "AA 3-5"])
def test_a_poem_keeps_to_its_form(poems: FormWriter, form: str) -> None:
    lines = written(poems, form)
    asked = parse_form(form, "fr")
    for index, (line, wanted) in enumerate(zip(lines, asked.lines, strict=True)):
        ending = FRENCH.ending(line.text)
        assert ending is not None
        assert "\n" not in line.text
        for other in asked.partners(index):
            before = FRENCH.ending(lines[other].text)
            assert before is not None
            assert FRENCH.rhyme(before, ending)
            assert line.rhymes
        if wanted.metre is not None:
            assert FRENCH.syllables(line.text).fits(wanted.metre)
            assert line.in_metre
    words = [ending.word for line in lines if (ending := FRENCH.ending(line.text))]
    assert len(set(words)) == len(words)
    assert [line.ends_stanza for line in lines] == [line.ends_stanza for line in asked.lines]


def test_a_poem_follows_from_its_seed(poems: FormWriter) -> None:
    assert written(poems, "AA", seed=1) == written(poems, "AA", seed=1)
    assert written(poems, "AA", seed=1) != written(poems, "AA", seed=2)


def test_the_first_line_continues_the_prompt(poems: FormWriter) -> None:
    first, second = written(poems, "AA", prompt="fa mira\nla ba")
    assert first.text.startswith("la ba")
    assert not second.text.startswith("la ba")


def test_a_letter_may_rhyme_with_an_ending_from_before(poems: FormWriter) -> None:
    ending = FRENCH.ending("une dune")
    assert ending is not None
    form = Form((FormLine("A", None, False),))
    (line,) = poems.lines(form, "une dune\n", rhymes={"A": ending})
    written_ending = FRENCH.ending(line.text)
    assert line.rhymes
    assert written_ending is not None
    assert written_ending.word in ("une", "lune", "brune")


def test_first_letters_bans_and_missing_letters(poems: FormWriter) -> None:
    lines = written(poems, "ABAB", acrostic="bold", ban=["un"], forbid="q")
    assert [line.text.strip("\"' -")[0].lower() for line in lines] == list("bold")
    text = "\n".join(line.text for line in lines)
    assert "un" not in text
    assert "q" not in text


def test_impossible_options(poems: FormWriter) -> None:
    with pytest.raises(GenerationError, match="end the prompt with a line end"):
        written(poems, "AA", acrostic="ab", prompt="Le soir")
    with pytest.raises(GenerationError, match="at most 2 letters"):
        written(poems, "AA", acrostic="abc")
    with pytest.raises(GenerationError, match="cannot be combined with match"):
        written(poems, "AA", match="[a-z ]*")


def test_without_words_there_is_no_poem(writer: Writer) -> None:
    with pytest.raises(VerseError, match="no words"):
        FormWriter(writer, Lexicon.of("", FRENCH), [])


def test_a_line_without_a_rhyme_says_so(writer: Writer) -> None:
    poems = FormWriter(writer, Lexicon.of("lune matin rose", FRENCH), line_marks(""))
    first, second = written(poems, "AA")
    assert first.rhymes is None
    assert second.rhymes is False


def test_closings_are_drawn_as_the_model_would_and_weighed_by_what_is_allowed(writer: Writer) -> None:
    """The mean weight is the probability of all closings; the model's share of each is its share of the draws."""
    tokenizer = writer.tokenizer
    end = encode(tokenizer, "\n")[0]
    trie = closings(tokenizer, ["la", "lana", "de"], " ", line_end(tokenizer, [","], "\n"))
    texts = [f" {word}{mark}\n" for word in ("la", "lana", "de") for mark in ("", ",")]
    prompt = encode(tokenizer, "ba")
    settings = writer.sampling({"temperature": 1.0})
    logs = [sum(token.log_probability for token in writer.score("ba" + text)[len(prompt) :]) for text in texts]
    total = sum(map(math.exp, logs))
    rng = np.random.default_rng(1)
    drawn: dict[str, float] = dict.fromkeys(texts, 0.0)
    weights = []
    for _ in range(40):
        filters = [Closing([trie], len(prompt), 1.0) for _ in range(32)]
        seeds = [int(seed) for seed in rng.integers(1 << 31, size=32)]
        streams = writer.tokens([prompt] * 32, settings, seeds, [[filter_] for filter_ in filters])
        ids: list[list[int]] = [[] for _ in streams]
        open_rows = set(range(32))
        while open_rows:
            for row in sorted(open_rows):
                ids[row].append(next(streams[row]).id)
                if ids[row][-1] == end:
                    streams[row].close()
                    open_rows.remove(row)
        for row, filter_ in zip(ids, filters, strict=True):
            weights.append(math.exp(filter_.log_weight))
            drawn[tokenizer.decode(row)] += weights[-1]
    assert np.mean(weights) == pytest.approx(total, rel=0.1)
    for text, log in zip(texts, logs, strict=True):
        assert drawn[text] / sum(weights) == pytest.approx(math.exp(log) / total, abs=0.05)
