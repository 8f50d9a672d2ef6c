import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lilliput.corpus.text.cleaning import clean, without_frame

BODY = "THE BOOK\n\n\n  A first line, indented.\n\nThe last line.\n"
HEADER = "The Project Gutenberg EBook of The Book, by Nobody\n\nTitle: The Book\n\n"
LICENCE = "\n\nUpdated editions will replace the previous one.\n\n*** START: FULL LICENSE ***\n\nTHE LICENSE\n"


def framed(body, start="*** START OF THE PROJECT GUTENBERG EBOOK THE BOOK ***", end=None):
    end = end or start.replace("START", "END")
    return f"{HEADER}{start}\n\n\n\n{body}\n\n\n{end}{LICENCE}"


@pytest.mark.parametrize(
    "start",
    [
        "*** START OF THE PROJECT GUTENBERG EBOOK THE BOOK ***",
        "*** START OF THIS PROJECT GUTENBERG EBOOK THE BOOK ***",
        "***START OF THE PROJECT GUTENBERG EBOOK THE BOOK***",
        "*** START OF THE PROJECT GUTENBERG EBOOK 1228 ***",
        "*** START OF THE PROJECT GUTENBERG EBOOK A VERY LONG TITLE THAT\nRUNS OVER TWO LINES ***",
        "*** START OF THE PROJECT GUTENBERG EBOOK THE TITLE WITHOUT AN END",
    ],
)
def test_the_frame_goes_and_the_body_stays_to_the_letter(start):
    assert without_frame(framed(BODY, start)) == BODY


@pytest.mark.parametrize(
    "credits",
    [
        "Produced by A. Person and the\nOnline Distributed Proofreading Team.\n\n\n",
        "E-text prepared by A. Person\n\n",
        "Transcribed from the 1890 edition by A. Person\n\n",
    ],
)
def test_credits_and_closing_line_are_frame_too(credits):
    body = credits + BODY + "\n\n\nEnd of Project Gutenberg's The Book, by\nNobody\n"
    assert without_frame(framed(body)) == BODY


def test_the_small_print_of_the_nineties():
    text = (
        "**Welcome To The World of Free Plain Vanilla Electronic Texts**\n\n"
        "***START**THE SMALL PRINT!**FOR PUBLIC DOMAIN ETEXTS**START***\nWhy is this here?\n\n"
        "*END*THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*Ver.04.29.93*END*\n\n\n"
        f"{BODY * 20}\n\nEnd of The Project Gutenberg Etext of The Book\n"
    )
    assert without_frame(text) == (BODY * 20)


def test_small_print_behind_the_text():
    small_print = "***START**THE SMALL PRINT!**START***\nWhy?\n*END*THE SMALL PRINT! Ver.04.29.93*END*"
    text = f"{BODY * 20}\n\n{small_print}\n\nThanks.\n"
    assert without_frame(text) == BODY * 20


def test_several_books_in_one_file_keep_all_bodies():
    assert without_frame(framed("One.\n") + framed("Two.\n")) == "One.\n\n\nTwo.\n"


def test_a_file_cut_off_before_its_end_mark():
    assert without_frame(framed(BODY).split("*** END")[0]) == BODY


def test_a_text_about_the_project_is_left_alone():
    text = "  About books\n\nEnd of Project Gutenberg? Not soon.\n\nThe file says *** START OF something.\n\n"
    assert without_frame(text) == text


def test_words_about_the_end_in_the_middle_of_a_body_stay():
    body = "First.\n\nEnd of the Project Gutenberg story, they said.\n" + "More.\n" * 60
    assert without_frame(framed(body)) == body


def test_the_notice_between_the_plays_goes():
    notice = "<<THIS ELECTRONIC VERSION OF THE COMPLETE WORKS OF WILLIAM\nSHAKESPEARE IS COPYRIGHT 1990-1993>>\n"
    assert without_frame("Act one.\n" + notice + "Act two.\n") == "Act one.\nAct two.\n"


def test_the_size_of_the_frame_is_reported():
    text = framed(BODY)
    assert clean(text).frame == len(text) - len(BODY)
    assert clean(BODY).frame == 0


def test_line_ends_mark_and_nfc():
    assert clean("\ufeffCafe\u0301\r\nbar\rbaz").text == "Caf\u00e9\nbar\nbaz"


def test_halves_of_pairs_become_the_replacement_character():
    cleaned = clean("a\ud83dz")
    assert (cleaned.text, cleaned.replaced) == ("a\ufffdz", 1)


@given(st.text())
def test_cleaning_is_stable_and_writable(text):
    once = clean(text).text
    assert clean(once).text == once
    assert unicodedata.is_normalized("NFC", once)
    assert "\r" not in once
    once.encode()
