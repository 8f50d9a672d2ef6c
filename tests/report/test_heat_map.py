"""The page of a heat-map: whole, safe, and with everything that a text may contain shown as text."""

import base64
import hashlib
import re
from html.parser import HTMLParser

from lilliput.evaluation.surprise import LikelyToken, TextSurprise, TokenSurprise
from lilliput.report.heat_map.page import coloured_tokens, heat_map_page

NASTY = "</style></div><script>alert(1)</script><img src=x onerror=alert(1)>&amp;\"'`\x00\x1b[2J\u202e"
SHOWN = NASTY.replace("\x00", "\ufffd").replace("\x1b", "\ufffd")
VOID = {"meta"}


class Page(HTMLParser):
    """The elements of a page, its styles, and the text and the attributes of its tokens."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.tokens: list[tuple[dict[str, str | None], str]] = []
        self.attributes: set[str] = set()
        self.text = ""
        self.styles: list[str] = []
        self.policy = ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        values = dict(attrs)
        self.attributes |= values.keys()
        if tag not in VOID:
            self.open.append(tag)
        if "data-note" in values:
            self.tokens.append((values, ""))
        if values.get("http-equiv") == "Content-Security-Policy":
            self.policy = values["content"] or ""

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data
        if self.open and self.open[-1] == "style":
            self.styles.append(data)
        elif self.open and self.open[-1] == "span" and self.tokens:
            self.tokens[-1] = (self.tokens[-1][0], self.tokens[-1][1] + data)


def surprise_of(*tokens: tuple[str, float | None]) -> TextSurprise:
    made, start = [], 0
    for text, bits in tokens:
        made.append(TokenSurprise(text, start, bits, (LikelyToken("day", 0.5), LikelyToken(text, 0.25))))
        start += len(text)
    return TextSurprise(made)


def test_every_text_is_shown_as_text() -> None:
    html = heat_map_page(surprise_of(("a", None), (NASTY, 3.0)), NASTY, NASTY)
    page = Page(html)
    assert not {"script", "img"} & set(page.tags)
    assert "\x1b" not in html
    assert [text for _, text in page.tokens] == ["a", SHOWN]
    assert page.text.count(SHOWN) >= 4  # the title, the heading, the run, the token
    assert SHOWN.replace(" ", "\u2423") in (page.tokens[1][0]["data-note"] or "")


def test_a_page_asks_for_nothing_and_runs_nothing() -> None:
    html = heat_map_page(surprise_of(("a", None), ("b", 3.0)), "story.txt", "runs/story")
    page = Page(html)
    assert "://" not in html
    assert not {"src", "href", "style", "action"} & page.attributes
    assert not [name for name in page.attributes if name.startswith("on")]
    hashes = [base64.b64encode(hashlib.sha256(style.encode()).digest()).decode() for style in page.styles]
    assert len(hashes) == 2
    allowed = " ".join(f"'sha256-{value}'" for value in hashes)
    assert page.policy == f"default-src 'none'; style-src {allowed}; base-uri 'none'; form-action 'none'"
    assert not [style for style in page.styles if "url(" in style or "@import" in style]


def test_a_token_says_how_likely_it_was_and_what_was_expected() -> None:
    page = Page(coloured_tokens(surprise_of(("The", None), (" old", 2.0), ("\n", 9.0)).tokens))
    (first, _), (old, text), (end, _) = page.tokens
    assert "not scored" in (first["data-note"] or "")
    assert (old["class"], old["tabindex"], text) == ("s4", "0", " old")
    lines = (old["data-note"] or "").replace("\u2068", "").replace("\u2069", "").split("\n")
    assert lines[0] == "\u2423old  25%  2.0 bits"
    assert re.fullmatch(r" +50% \u2588{5} +day", lines[3])
    assert re.fullmatch(r" +25% \u2588{2} +\u2423old  \u25c2 the text", lines[4])
    assert end["class"] == "s16 end"
    assert "\u21b5" in (end["data-note"] or "")


def test_shares_are_rounded_to_what_can_be_read() -> None:
    notes = [
        token["data-note"] or ""
        for token, _ in Page(
            coloured_tokens(surprise_of(("a", 0.0), ("b", 5.0), ("c", 9.0), ("d", 99.0)).tokens)
        ).tokens
    ]
    shares = [note.split("\n")[0].split("  ")[1] for note in notes]
    assert shares == ["100%", "3.1%", "0.20%", "<0.01%"]


def test_the_figures_and_the_words_are_in_the_page() -> None:
    surprise = surprise_of(("The", None), (" old", 4.0), (" river", 2.0))
    text = Page(heat_map_page(surprise, "story.txt", "runs/story")).text
    for shown in ("story.txt", "runs/story", "0.600", "bits per character", "3.000", "Most surprising words", "river"):
        assert shown in text
    without = Page(heat_map_page(surprise_of(("x", None), ("y", 1.0)), "a", "b")).text
    assert "Most surprising words" not in without
