import unicodedata

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lilliput.corpus import JOINT, Corpus, Document, SplitSettings, split
from lilliput.errors import CorpusError


def corpus(*texts):
    return Corpus("c", tuple(Document(str(number), text) for number, text in enumerate(texts)))


def test_the_last_tenth_is_held_out_by_default():
    text = "".join(f"line {number:04}\n" for number in range(1000))
    result = split(corpus(text), SplitSettings())
    assert result.training + result.validation == text
    assert result.validation.startswith("line 0900\n")


def test_the_cut_prefers_a_paragraph_near_the_mark():
    text = "".join(f"line {number:04}\n" + ("\n" if number == 895 else "") for number in range(1000))
    assert split(corpus(text), SplitSettings()).validation.startswith("line 0896\n")


def test_a_paragraph_far_from_the_mark_is_not_looked_for():
    text = "".join(f"line {number:04}\n" + ("\n" if number == 500 else "") for number in range(1000))
    assert split(corpus(text), SplitSettings()).validation.startswith("line 0900\n")


def test_a_tiny_text_still_splits():
    text = "The quick brown fox jumps over the lazy dog.\n" * 4 + "The end of it all.\n"
    result = split(corpus(text), SplitSettings())
    assert result.training + result.validation == text
    assert 10 <= len(result.validation) <= 45


def test_a_text_of_one_line_splits_at_the_mark():
    assert split(corpus("a" * 90 + "b" * 10), SplitSettings()).validation == "b" * 10


@pytest.mark.parametrize("unit", ["e\u0301", "\U0001f469\u200d\U0001f4bb", "\U0001f44b\U0001f3fd"])
def test_no_cut_inside_what_belongs_together(unit):
    for before in range(4):
        text = "x" * before + unit * 40 + "x"
        for percent in range(5, 100, 5):
            result = split(corpus(text), SplitSettings(fraction=percent / 100))
            assert (len(result.training) - before) % len(unit) == 0 or len(result.training) < before


def test_no_cut_inside_a_line_end_of_two_characters():
    text = "ab\r\n" * 30
    for percent in range(5, 100):
        result = split(corpus(text), SplitSettings(fraction=percent / 100))
        assert not (result.training.endswith("\r") and result.validation.startswith("\n"))


@given(st.text(min_size=1), st.floats(0.01, 0.99))
def test_by_position_nothing_is_lost_or_doubled(text, fraction):
    try:
        result = split(corpus(text), SplitSettings(fraction=fraction))
    except CorpusError as error:
        assert "leaves no" in str(error)
        return
    assert result.training + result.validation == text
    assert result.training.strip()
    assert result.validation.strip()


@given(st.text(st.sampled_from("ae\u0301\u0302 \n"), min_size=30))
def test_the_cut_never_parts_a_letter_from_its_accent(text):
    text = "anfang " * 5 + text + "ende"
    validation = split(corpus(text), SplitSettings()).validation
    assert not unicodedata.combining(validation[0])


def lines(count):
    return "".join(f"line {number:04}\n" for number in range(count))


def test_in_pieces_the_end_of_each_stretch_is_held_out():
    text = lines(10_000)
    result = split(corpus(text), SplitSettings(by="pieces"))
    assert len(result.training_segments) == len(result.validation_segments) == 20
    assert {len(part) for part in result.training_segments} == {len(text) * 9 // 200}
    assert {len(part) for part in result.validation_segments} == {len(text) // 200}


@given(st.text(st.sampled_from("abc \n\u0301"), max_size=300), st.integers(1, 60), st.floats(0.02, 0.98))
def test_in_pieces_nothing_is_lost_or_doubled(text, times, fraction):
    text = (text + "\nthe end") * times
    try:
        result = split(corpus(text), SplitSettings(by="pieces", fraction=fraction))
    except CorpusError as error:
        assert "leaves no" in str(error)
        return
    pairs = zip(result.training_segments, result.validation_segments, strict=True)
    assert "".join(learnt + held_out for learnt, held_out in pairs) == text
    if len(result.training_segments) > 1:
        assert min(map(len, result.training_segments + result.validation_segments)) > 200


@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.5, 0.9])
def test_in_pieces_the_fraction_is_held_out_and_no_line_and_no_word_is_cut(fraction):
    for text in (lines(5000), lines(5000).replace("\n", " ")):
        result = split(corpus(text), SplitSettings(by="pieces", fraction=fraction))
        assert len(result.validation) == pytest.approx(fraction * len(text), rel=0.03)
        ends = {part[-1] for part in result.training_segments + result.validation_segments}
        assert ends == {"\n"} or (ends == {" "} and "\n" not in text)


def test_of_a_short_text_the_end_is_held_out():
    text = lines(100)
    pieces, position = (split(corpus(text), SplitSettings(by=by)) for by in ("pieces", "automatic"))
    assert pieces.training_segments == position.training_segments
    assert position.by == "position"


def test_by_document_every_tenth_is_held_out():
    texts = [f"document {number}" for number in range(40)]
    result = split(corpus(*texts), SplitSettings(by="document"))
    assert result.validation == JOINT.join(texts[9::10])
    assert result.training == JOINT.join(text for number, text in enumerate(texts) if number % 10 != 9)


@given(st.integers(2, 60), st.floats(0.01, 0.99))
def test_by_document_each_is_on_one_side_and_about_the_fraction_is_held_out(count, fraction):
    texts = [f"d{number};" for number in range(count)]
    result = split(corpus(*texts), SplitSettings(by="document", fraction=fraction))
    held = result.validation.split(JOINT)
    assert sorted(held + result.training.split(JOINT)) == sorted(texts)
    assert abs(len(held) - count * fraction) <= 1


def test_rounding_does_not_cost_a_document():
    assert 0.29 * 100 < 29
    texts = [f"document {number}" for number in range(100)]
    result = split(corpus(*texts), SplitSettings(by="document", fraction=0.29))
    assert len(result.validation.split(JOINT)) == 29
    assert result.validation.endswith("document 99")


def test_one_document_cannot_be_split_by_document():
    with pytest.raises(CorpusError, match="one document and cannot be split by document: split it by position"):
        split(corpus("a text"), SplitSettings(by="document"))


def test_a_validation_text_of_ones_own_wins():
    result = split(corpus("all of this is for training"), SplitSettings(), corpus("judge by this"))
    assert (result.training, result.validation) == ("all of this is for training", "judge by this")


@pytest.mark.parametrize("text", ["a", "a" + " " * 50, " " * 50 + "a"])
def test_a_split_that_leaves_nothing_is_refused(text):
    with pytest.raises(CorpusError, match=r"leaves no (training|validation) text: give a longer text"):
        split(corpus(text), SplitSettings())


@pytest.mark.parametrize("settings", [{"fraction": 0}, {"fraction": 1}, {"by": "chance"}, {"part": 0.1}])
def test_impossible_settings(settings):
    with pytest.raises(pydantic.ValidationError):
        SplitSettings(**settings)
