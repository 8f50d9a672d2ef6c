"""The page in a real browser, from the first click to the keys of a keyboard."""

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.serve.browser import (
    PROMPT,
    Watch,
    ask,
    barriers,
    button,
    finished,
    option,
    overflow,
    show,
    tab_to,
    text_of,
    watched,
    write,
    write_both,
)
from tests.serve.conftest import Running, expected, running

from lilliput.evaluation.generation_metrics import read_texts

pytestmark = pytest.mark.slow
HOSTILE = "<script>alert(1)</script><b>x</b><img src=x onerror=alert(2)>"
MODES = ("write", "compare", "score", "inside", "items")


def sentence(served: Running) -> str:
    """A sentence of the training text that has enough words to count as copied."""
    lines = read_texts(served.model("gpt").writer.folder or "").training.split("\n")
    return next(line for line in lines if len(line.split()) > 6)


def test_a_prompt_is_continued_with_the_settings(page: Page, served: Running) -> None:
    expect(page.locator(".picker").first).to_contain_text("GPT")
    option(page, "Temperature").fill("1.3")
    write(page, tokens=25)
    assert text_of(page) == expected(served, "gpt", tokens=25, temperature=1.3)
    expect(page.locator(".tokens .token")).to_have_count(25)
    button(page, "Write more").click()
    expect(page.locator(".tokens .token")).to_have_count(50)
    page.get_by_role("textbox", name="Stop strings").locator("visible=true").fill("e")
    button(page, "Write").click()
    expect(page.locator(".status:visible")).to_contain_text("It ended by itself or at a stop string.")
    assert "e" not in text_of(page).removeprefix(PROMPT)


def test_text_appears_while_it_is_written_and_can_be_stopped(page: Page) -> None:
    ask(page, tokens=16_000)
    expect(page.locator(".token").nth(20)).to_be_attached()
    expect(page.locator(".tokens")).to_have_attribute("aria-busy", "true")
    button(page, "Stop").click()
    expect(page.locator(".status")).to_contain_text("Stopped.")
    expect(button(page, "Write")).to_be_visible()
    stopped = page.locator(".token").count()
    option(page, "Length in tokens").fill("5")
    button(page, "Write more").click()
    finished(page)
    assert page.locator(".token").count() == stopped + 5


def test_a_token_shows_its_alternatives(page: Page) -> None:
    write(page)
    token, popover = page.locator(".token[data-index='4']"), page.locator(".popover")
    expect(popover).to_be_hidden()
    token.hover()
    expect(popover).to_contain_text(re.compile(r"Probability [\d.]+%, surprise [\d.]+ bits"))
    expect(popover).to_contain_text("Who spoke here")
    expect(popover.get_by_role("img", name="Shares: ")).to_be_visible()
    shown = popover.locator(".alternative:not(.chosen) .numbers").all_inner_texts()
    shares = [float(share.strip("<% ")) for share in shown]
    assert len(shares) >= 9
    assert shares == sorted(shares, reverse=True)
    page.get_by_role("heading", name="Branches").hover()
    expect(popover).to_be_hidden()


def test_alternatives_are_branches_to_walk_between(page: Page, served: Running) -> None:
    write(page)
    first = text_of(page)
    tokens = [page.locator(f".token[data-index='{index}']").get_attribute("data-id") for index in range(5)]
    page.locator(".token[data-index='5']").click()
    chosen = page.locator(".alternative:not(.chosen)").first
    chosen_id = chosen.get_attribute("data-id")
    chosen.click()
    finished(page)
    expect(page.locator(".token")).to_have_count(36)
    assert [page.locator(f".token[data-index='{index}']").get_attribute("data-id") for index in range(5)] == tokens
    expect(page.locator(".token[data-index='5']")).to_have_attribute("data-id", chosen_id or "")
    second = text_of(page)
    assert second != first
    rows = page.locator(".branch-row")
    expect(rows).to_have_count(3)
    expect(rows.nth(2)).to_have_class(re.compile("current"))
    rows.nth(1).locator(".branch").click()
    assert text_of(page) == first
    rows.nth(2).locator(".branch").click()
    assert text_of(page) == second
    rows.nth(1).get_by_role("button", name="Delete this branch").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete", exact=True).click()
    expect(rows).to_have_count(1)
    assert text_of(page) == PROMPT


def test_branches_are_saved_and_loaded(page: Page, tmp_path: Path) -> None:
    write(page)
    page.locator(".token[data-index='3']").click()
    page.locator(".alternative:not(.chosen)").first.click()
    finished(page)
    text = text_of(page)
    with page.expect_download() as download:
        button(page, "Save").click()
    saved = tmp_path / "branches.json"
    download.value.save_as(saved)
    page.locator(".branch-row").first.get_by_role("button", name="Delete this branch").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete", exact=True).click()
    expect(page.locator(".branch-row")).to_have_count(0)
    file = page.get_by_label("File of branches")
    file.set_input_files(saved)
    expect(page.locator(".branch-row")).to_have_count(3)
    assert text_of(page) == text
    saved.write_text(json.dumps({"format": "another"}), encoding="utf-8")
    file.set_input_files(saved)
    expect(page.get_by_role("alert")).to_contain_text("not a file of branches")
    expect(page.locator(".branch-row")).to_have_count(3)


def test_two_models_are_compared(page: Page, served: Running) -> None:
    page.goto("/#playground/compare")
    option(page, "Prompt for both").fill(PROMPT)
    write_both(page)
    columns = page.locator(".column")
    for number, name in enumerate(("gpt", "lstm")):
        expect(columns.nth(number).get_by_label("Model", exact=True)).to_have_value(name)
        assert columns.nth(number).locator(".tokens").text_content() == expected(served, name, tokens=20)


def test_a_text_is_scored(page: Page, served: Running) -> None:
    page.goto("/#playground/score")
    text = "The old café 😀 sleeps.\n<b>Then</b> it waits."
    option(page, "Text to score").fill(text)
    button(page, "Score").click()
    expect(page.locator(".figures")).to_contain_text("bits per character")
    assert text_of(page) == text
    scored = served.model("gpt").writer.score(text)
    expect(page.locator(".tokens:visible .token")).to_have_count(len(scored))
    surprising = max(range(1, len(scored)), key=lambda index: -(scored[index].log_probability or 0))
    page.locator(f".tokens:visible .token[data-index='{surprising}']").hover()
    bits = -(scored[surprising].log_probability or 0) / 0.6931471805599453
    expect(page.locator(".popover")).to_contain_text(f"surprise {bits:.1f} bits")


@pytest.mark.parametrize(("model", "readout"), [("gpt", " gives "), ("lstm", "Unit ")])
def test_inside_shows_attention_or_states(page: Page, model: str, readout: str) -> None:
    page.goto(f"/#playground/inside/{model}")
    expect(option(page, "Model")).to_have_value(model)
    option(page, "Text to look into").fill(PROMPT)
    button(page, "Look inside").click()
    expect(page.locator("canvas.matrix")).to_be_visible()
    assert page.locator(".inside-text").text_content() == PROMPT
    page.mouse.move(0, 0)  # Away from the tokens, which have a readout too.
    page.locator("canvas.matrix").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".readout")).to_contain_text(readout)
    with page.expect_response("**/api/inside") as reply:
        option(page, "Layer").select_option("1")
    assert reply.value.ok
    expect(option(page, "Head")).to_have_count(1 if model == "gpt" else 0)


def test_new_items_are_invented(page: Page) -> None:
    page.goto("/#playground/items")
    page.get_by_label("How many").fill("4")
    button(page, "Invent 4").click()
    expect(page.locator(".status:visible")).to_contain_text("4 new items.")
    items = page.locator(".chips li").all_text_contents()
    assert len(set(items)) == 4
    assert all(item.strip() for item in items)


def test_copied_words_are_underlined(page: Page, served: Running) -> None:
    copied = sentence(served)
    write(page, copied + " Zyx", tokens=3)
    page.get_by_label("Copied").check()
    expect(page.locator(".marks-note")).to_contain_text("Underlined: copied from the training text.")
    underlined = "".join(page.locator(".tokens .copied").all_text_contents())
    assert copied.rstrip(".!?, ") in underlined
    assert "Zyx" not in underlined
    page.get_by_label("Copied").uncheck()
    expect(page.locator(".copied")).to_have_count(0)


def test_tokens_of_prompt_and_text_are_divided(page: Page, served: Running) -> None:
    write(page)
    page.get_by_text("Tokens", exact=True).click()
    known = len(served.model("gpt").writer.tokenizer.encode(PROMPT))
    expect(page.locator(".tokens .token.prompt")).to_have_count(known)
    expect(page.locator(".tokens .token:not(.prompt)")).to_have_count(30)


def test_a_phone_shows_everything_in_its_width(page: Page) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    page.reload()
    page.locator("summary", has_text="Settings").first.click()
    write(page, tokens=60)
    assert overflow(page) <= 0
    page.locator(".token[data-index='30']").click()
    expect(page.locator(".popover")).to_contain_text("Who spoke here")
    box = page.locator(".popover").bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 360
    for mode in MODES:
        show(page, mode)
        assert overflow(page) <= 0, mode


def test_everything_can_be_done_with_keys(page: Page) -> None:
    option(page, "Length in tokens").fill("30")
    tab_to(page, page.get_by_text("Skip to the content"))
    page.keyboard.press("Enter")
    tab_to(page, option(page, "Prompt"))
    page.keyboard.press("Control+a")
    page.keyboard.type(PROMPT)
    page.keyboard.press("Control+Enter")
    finished(page)
    tab_to(page, page.locator(".token[data-index='0']"))
    popover = page.locator(".popover")
    page.keyboard.press("ArrowRight")
    expect(popover).to_be_visible()
    expect(page.locator(".token[data-index='1']")).to_be_focused()
    page.keyboard.press("Enter")
    expect(popover.locator(".alternative").first).to_be_focused()
    page.keyboard.press("Escape")
    expect(popover).to_be_hidden()
    expect(page.locator(".token[data-index='1']")).to_be_focused()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("3")
    finished(page)
    rows = page.locator(".branch-row")
    expect(rows).to_have_count(3)
    tab_to(page, rows.nth(1).locator(".branch"))
    page.keyboard.press("Enter")
    expect(rows.nth(1)).to_have_class(re.compile("current"))


def test_dark_colours_are_chosen_and_kept(page: Page) -> None:
    root = page.locator("html")
    expect(root).to_have_attribute("data-theme", "light")
    page.emulate_media(color_scheme="dark")
    expect(root).to_have_attribute("data-theme", "dark")
    button(page, "Light colours").click()
    expect(root).to_have_attribute("data-theme", "light")
    page.reload()
    expect(root).to_have_attribute("data-theme", "light")
    button(page, "Dark colours").click()
    colour = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert max(map(int, re.findall(r"\d+", colour))) < 60


def test_what_looks_like_code_is_only_text(page: Page, tmp_path: Path) -> None:
    write(page, HOSTILE, tokens=5)
    assert text_of(page).startswith(HOSTILE)
    expect(page.locator(".branch-row").first).to_contain_text(HOSTILE[:50])
    with page.expect_download() as download:
        button(page, "Save").click()
    tree = json.loads(download.value.path().read_text(encoding="utf-8"))
    for node in tree["nodes"]:
        for token in node["tokens"]:
            token |= {"text": HOSTILE, "top": [[1, HOSTILE, 0.5]]}
    hostile = tmp_path / "hostile.json"
    hostile.write_text(json.dumps(tree), encoding="utf-8")
    page.get_by_label("File of branches").set_input_files(hostile)
    expect(page.locator(".token[data-index='4']")).to_have_text(HOSTILE)
    page.locator(".token[data-index='2']").click()
    expect(page.locator(".popover .alternative").first).to_contain_text("<b>x</b>")
    page.goto("/#playground/score")
    option(page, "Text to score").fill(HOSTILE)
    button(page, "Score").click()
    expect(page.locator(".figures")).to_be_visible()
    assert text_of(page) == HOSTILE
    expect(page.locator("main b, main img, main script, .popover b")).to_have_count(0)


def test_an_error_says_what_is_wrong(opened: tuple[Page, Watch]) -> None:
    page, watch = opened
    write(page, tokens=3)
    option(page, "Temperature").fill("-1")
    button(page, "Write").click()
    expect(page.get_by_role("alert")).to_have_text("Temperature must be at least 0.")
    button(page, "Reset Temperature").click()
    watch.allowed.append("400 (Bad Request)")
    page.locator("summary", has_text="All options").click()
    option(page, "Match").fill("(")
    button(page, "Write").click()
    expect(page.get_by_role("alert")).to_contain_text("match")
    expect(page.locator(".branch-row")).to_have_count(2)


def test_a_token_is_asked_for(chromium: Browser, runs: list[Path]) -> None:
    for guarded in running(runs[:1], token="secret"):
        for page, watch in watched(chromium, guarded.url):
            watch.allowed.append("401 (Unauthorized)")
            dialog = page.get_by_role("dialog")
            dialog.get_by_label("Token").fill("wrong")
            dialog.get_by_role("button", name="Go on").click()
            expect(dialog).to_contain_text("refused this token")
            dialog.get_by_label("Token").fill("secret")
            page.keyboard.press("Enter")
            expect(button(page, "Write")).to_be_visible()
            page.reload()
            expect(button(page, "Write")).to_be_visible()
            expect(dialog).to_have_count(0)


def test_nothing_keeps_people_out(page: Page) -> None:
    write(page, tokens=12)
    page.locator(".token[data-index='6']").click()
    expect(page.locator(".popover")).to_contain_text("Who spoke here")
    for mode in MODES:
        if mode != "write":
            show(page, mode)
        assert barriers(page) == [], mode
        # The themes differ in colours only.
        button(page, "Dark colours").click()
        assert barriers(page, "color-contrast") == [], mode
        button(page, "Light colours").click()
