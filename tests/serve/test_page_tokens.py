"""Tokens in a real browser: their probabilities, their branches, and lines that a model writes from their ends."""

import re

import pytest
from playwright.sync_api import Page, expect
from tests.serve.browser import PROMPT, button, finished, option, text_of, write
from tests.serve.conftest import Running, expected

from lilliput.serve.models import ServedModel

pytestmark = pytest.mark.slow


HOLDING = "\n".join(f"{character}zzz" for character in "abcdefghijklmnopqrstuvwxyz .,!?")
"""Stop strings that hold back the last character of any text until its end."""
KEPT = """new Promise((done) => {
    const opening = indexedDB.open("lilliput", 1);
    opening.onsuccess = () => {
        const asked = opening.result.transaction("playground").objectStore("playground").get("tree");
        asked.onsuccess = () => done(JSON.parse(asked.result).nodes.length);
    };
})"""


def test_the_settings_change_the_probabilities_of_an_open_token(page: Page) -> None:
    write(page)
    page.locator(".token[data-index='9']").click()
    alternatives, sampled = page.locator(".alternative"), page.locator(".alternative .sampled")
    expect(sampled.first).to_have_text(re.compile(r"[\d.]+%"))
    shown = sampled.first.text_content() or ""
    option(page, "Top-k").fill("2")
    expect(alternatives.nth(2)).to_have_class(re.compile("cut"))
    expect(alternatives.nth(2)).to_have_attribute("aria-label", re.compile("excluded by the settings"))
    expect(sampled.nth(2)).to_have_text("\u2013")
    expect(sampled.first).not_to_have_text(shown)
    page.mouse.move(0, 0)
    page.wait_for_timeout(400)  # Longer than a box stays without a click.
    expect(page.locator(".popover")).to_be_visible()
    # A value that is not complete has no second column.
    option(page, "Top-k").fill("-3")
    expect(sampled.first).to_have_text("")
    page.keyboard.press("Escape")
    expect(page.locator(".popover")).to_be_hidden()


def test_branches_are_there_again_after_a_reload(page: Page) -> None:
    page.get_by_role("textbox", name="Stop strings").locator("visible=true").fill(HOLDING)
    write(page, tokens=12)
    first = text_of(page)
    assert len(first) > len(PROMPT)
    button(page, "Write more").click()
    finished(page)
    expect(page.locator(".token")).to_have_count(24)
    write(page, tokens=8)
    assert page.evaluate(KEPT) == 3
    page.reload()
    rows = page.locator(".branch-row")
    expect(rows).to_have_count(3)
    expect(page.locator(".token")).to_have_count(8)
    assert option(page, "Prompt").input_value() == PROMPT
    rows.nth(1).locator(".branch").click()
    assert text_of(page).startswith(first)
    button(page, "Write more").click()
    finished(page)
    assert text_of(page).startswith(first)


def test_verse_is_written_from_the_ends_of_the_lines(page: Page, served: Running, verse: ServedModel) -> None:
    page.goto("/#playground/write/verse")
    page.reload()
    write(page, "nous avons le jour", tokens=90)
    lines = text_of(page).split("\n")
    whole = expected(served, "verse", "nous avons le jour", 90)
    assert "\n".join(lines[:-1]) == whole.rstrip("\n")
    # The order of the tokens is that of the model: the last word of a line comes first.
    first = page.locator(".token[data-index='0']").text_content() or ""
    assert first
    assert lines[1].endswith(first)
    expect(page.locator(".marks")).to_be_hidden()
    page.get_by_label("Verse").check()
    expect(page.locator(".marks > div").first).to_have_attribute("title", re.compile("syllables"))
    expect(page.locator(".marks-note")).to_contain_text("of the lines rhyme")
    page.goto("/#playground/score/verse")
    option(page, "Text to score").fill("la maison\nil y a la saison\n")
    button(page, "Score").click()
    expect(page.locator(".figures")).to_be_visible()
    assert text_of(page) == "la maison\nil y a la saison\n"
    expect(page.locator(".tokens:visible .token[data-index='0']")).to_have_text(re.compile("n$"))
