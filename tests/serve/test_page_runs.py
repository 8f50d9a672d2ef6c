"""The views Runs and Train in a real browser."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect
from tests.conftest import made_up_text
from tests.serve.browser import barriers, button, option, overflow, watched
from tests.serve.conftest import Running

pytestmark = pytest.mark.slow
HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def page(chromium: Browser, served: Running) -> Iterator[Page]:
    for page, _ in watched(chromium, served.url):
        yield page


@pytest.fixture
def listed(served: Running, runs: list[Path]) -> Iterator[None]:
    """Three runs in the folder that the page shows; one has a name that looks like code."""
    parent = served.application.trainings.parent
    parent.mkdir(exist_ok=True)
    links = {parent / "gpt": runs[0], parent / "lstm": runs[1], parent / HOSTILE: runs[1]}
    for link, run in links.items():
        link.symlink_to(run)
    yield
    for link in links:
        link.unlink()


def check_form(page: Page) -> None:
    """Fit for everybody: in light and dark, and on a phone."""
    assert barriers(page) == []
    button(page, "Dark colours").click()
    assert barriers(page, "color-contrast") == []
    button(page, "Light colours").click()
    page.set_viewport_size({"width": 360, "height": 740})
    assert overflow(page) <= 0
    page.set_viewport_size({"width": 1280, "height": 900})


@pytest.mark.usefixtures("listed")
def test_runs_are_listed_and_compared(page: Page) -> None:
    page.get_by_role("link", name="Runs").click()
    row = page.locator(".run-row", has_text="gpt")
    expect(row.locator(".state")).to_have_text("finished")
    expect(row).to_contain_text("step 30")
    page.get_by_label("Compare gpt", exact=True).check()
    page.get_by_label("Compare lstm", exact=True).check()
    expect(page.locator(".chart path.line[d*=M]")).not_to_have_count(0)
    for name in ("gpt", "lstm"):
        expect(page.locator(".chart-legend")).to_contain_text(name)
    expect(page.locator(".run-row")).to_have_count(3)
    expect(page.locator(".run-row", has_text=HOSTILE)).to_be_visible()
    labels, note = page.locator(".chart .labels text"), page.get_by_text("are measured on different texts")
    expect(labels.filter(has_text="PPMd")).to_have_count(1)
    expect(note).to_be_hidden()
    check_form(page)
    page.route("**/api/runs/%3C*", answer_with_another_text)
    page.get_by_label(f"Compare {HOSTILE}", exact=True).check()
    expect(note).to_be_visible()
    expect(labels).to_have_count(3)  # of the curves: the baselines are of one text only


def answer_with_another_text(route: Route) -> None:
    """Let a run be one that is measured on another text."""
    route.fulfill(json=route.fetch().json() | {"held_out": "another"})


@pytest.mark.usefixtures("listed")
def test_a_run_shows_curves_samples_and_recipe(page: Page) -> None:
    page.goto("/#runs/gpt")
    chart = page.get_by_role("img", name="Loss.")
    expect(chart.locator("path.line").first).to_have_attribute("d", re.compile("M.+L"))
    expect(page.locator(".run-page")).to_contain_text("PPMd")
    chart.focus()
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".run-page .chart-legend").first).to_contain_text(re.compile(r"training \d\.\d+.+step \d"))
    beside, below = page.locator(".chart .labels"), page.locator(".chart-labels:not(.unseen)", has_text="validation")
    expect(beside).to_contain_text("validation")
    expect(below).to_have_count(0)
    page.set_viewport_size({"width": 360, "height": 740})
    expect(below).to_contain_text("PPMd")
    expect(beside).to_have_count(0)
    page.get_by_text("Recipe", exact=True).click()
    expect(page.locator(".recipe")).to_contain_text("steps = 30")
    check_form(page)
    button(page, "Play: gpt").click()
    expect(option(page, "Model")).to_have_value("gpt")


def stop(page: Page) -> None:
    """Stop a training before its end."""
    button(page, "Stop and save: my-diary").click()
    expect(page.locator(".state")).to_have_text("stopped", timeout=60_000)


def test_a_text_becomes_a_model_that_can_be_played_and_deleted(page: Page, tmp_path: Path) -> None:
    text = tmp_path / "diary <b>.txt"
    text.write_text(made_up_text(6000), encoding="utf-8")
    page.get_by_role("link", name="Train").click()
    page.get_by_label("Drop a file here, or choose one").set_input_files(text)
    expect(page.get_by_role("region", name="What was read")).to_contain_text("6,000 characters in 1 document.")
    expect(page.locator("table.plan")).to_contain_text("model")
    with page.expect_response("**/api/plans"):
        page.get_by_role("region", name="Time and plan").get_by_text("2", exact=True).click()
    expect(page.locator("table.plan")).not_to_have_attribute("aria-busy", "true")
    check_form(page)
    option(page, "Name of the run").fill("my diary")
    button(page, "Train").click()
    expect(page.get_by_role("heading", name="my-diary")).to_be_visible()
    line = page.locator(".run-page svg[role=img] path.line").first
    expect(line).to_have_attribute("d", re.compile("M.+L"), timeout=60_000)
    drawn = line.get_attribute("d") or ""
    expect(line).not_to_have_attribute("d", drawn)
    stop(page)
    # The page shows at once that the training goes on, though its process takes seconds to start.
    button(page, "Continue: my-diary").click()
    expect(page.locator(".state")).to_have_text("training")
    stop(page)
    button(page, "Play: my-diary").click()
    expect(option(page, "Model")).to_have_value("my-diary")
    option(page, "Length in tokens").fill("5")
    button(page, "Write").click()
    expect(page.locator(".tokens .token")).to_have_count(5)
    page.get_by_role("link", name="Runs").click()
    row = page.locator(".run-row", has_text="my-diary")
    delete = row.get_by_role("button", name="Delete: my-diary")
    delete.click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    expect(row).to_have_count(1)
    delete.click()
    page.get_by_role("dialog").get_by_role("button", name="Delete the run").click()
    expect(row).to_have_count(0)
