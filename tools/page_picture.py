"""The picture of the page in the README: a text of a model, and the box of one of its tokens.

Run `python -m tools.page_picture RUN PICTURE` where Chromium is installed. It starts `lilliput serve RUN`.
"""

import shutil
import subprocess
import sys

from playwright.sync_api import Page, sync_playwright

PROMPT = "ROMEO:\n"
TOKENS = 260
SURPRISING = """
    [...document.querySelectorAll(".token")]
    .filter((token) => Math.abs(token.getBoundingClientRect().left - 470) < 70)
    .map((token) => [Number(token.style.getPropertyValue("--heat")), token.dataset.index])
    .sort((one, two) => two[0] - one[0])[0][1]
"""
"""A surprising token whose box leaves the text and the settings visible."""


def take(page: Page, picture: str) -> None:
    page.get_by_label("Prompt", exact=True).fill(PROMPT)
    page.get_by_label("Length in tokens", exact=True).fill(str(TOKENS))
    page.get_by_label("Temperature", exact=True).fill("0.6")
    page.get_by_role("button", name="Write", exact=True).click()
    page.locator("p.status", has_text="It reached the length that you set.").wait_for()
    page.locator(f".token[data-index='{page.evaluate(SURPRISING)}']").click()
    page.locator(".alternatives.with-settings").wait_for()
    page.mouse.move(0, 0)
    page.evaluate("window.scrollTo(0, 0)")
    page.screenshot(path=picture)


def main(run: str, picture: str) -> None:
    command = [sys.executable, "-m", "lilliput", "serve", run, "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server, sync_playwright() as playwright:
        try:
            assert server.stdout is not None
            address = next(word for word in server.stdout.readline().split() if word.startswith("http"))
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1280, "height": 860})
            page.goto(address)
            take(page, picture)
        finally:
            server.terminate()


if __name__ == "__main__":
    main(*sys.argv[1:])
