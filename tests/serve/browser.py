"""The page in a real Chromium, which reports what should never happen, and steps on it."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from filelock import FileLock
from playwright.sync_api import Browser, Dialog, Locator, Page, Request, expect, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
INSTALL = "apt-get update && apt-get install -y chromium"
PATIENCE = 8_000
"""Milliseconds that an expectation may take on a machine that has other work."""
PROMPT = "The old river"


def find_chromium() -> str:
    """Return the path of Chromium; install it if this process may."""
    path = _on_path()
    if path is None and os.name == "posix" and os.geteuid() == 0 and shutil.which("apt-get"):
        # Test processes run at the same time, and only one may install.
        with FileLock(Path(tempfile.gettempdir()) / "lilliput-tests-chromium.lock"):
            if _on_path() is None:
                quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
                subprocess.run(INSTALL, shell=True, stdin=subprocess.DEVNULL, capture_output=True, env=quiet)
        path = _on_path()
    if path is None:
        pytest.fail(f"Chromium is not on the PATH. Install it: sudo sh -c '{INSTALL}'", pytrace=False)
    return path


def _on_path() -> str | None:
    return next(filter(None, map(shutil.which, NAMES)), None)


def launched() -> Iterator[Browser]:
    """Run Chromium until the generator is closed."""
    # Chromium's sandbox refuses to run as root.
    arguments = ["--no-sandbox"] if os.name == "posix" and os.geteuid() == 0 else []
    path = find_chromium()
    with sync_playwright() as playwright:
        expect.set_options(timeout=PATIENCE)
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        yield browser
        browser.close()


@dataclass
class Watch:
    """What a page did and should not have done; `allowed` are parts of messages that a test expects."""

    host: str
    found: list[str] = field(default_factory=list)
    allowed: list[str] = field(default_factory=list)

    def add(self, text: str) -> None:
        self.found.append(text)

    def dialog(self, dialog: Dialog) -> None:
        self.add(f"dialog: {dialog.message}")
        dialog.dismiss()

    def request(self, request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme not in ("data", "blob") and address.netloc != self.host:
            self.add(f"request to another host: {request.url}")

    def unexpected(self) -> list[str]:
        return [text for text in self.found if not any(part in text for part in self.allowed)]


def watched(browser: Browser, url: str) -> Iterator[tuple[Page, Watch]]:
    """Open the page with storage of its own, and check at the end that nothing unexpected happened."""
    with browser.new_context(base_url=url, viewport={"width": 1280, "height": 900}) as context:
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        watch = Watch(urlsplit(url).netloc)
        page.on("console", lambda message: message.type in ("error", "warning") and watch.add(message.text))
        page.on("pageerror", lambda error: watch.add(f"exception: {error}"))
        page.on("dialog", watch.dialog)
        context.on("request", watch.request)
        page.goto("/")
        yield page, watch
        assert watch.unexpected() == []


def barriers(page: Page, rule: str | None = None) -> list[str]:
    """Return what axe finds serious or critical, by all rules or by one."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(Axe().axe_script)
    options = {"resultTypes": ["violations"]} | ({"runOnly": [rule]} if rule else {})
    found = page.evaluate("options => axe.run(document, options)", options)["violations"]
    return [
        f"{violation['id']}: {node['html']} {node['failureSummary']}"
        for violation in found
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
    ]


def overflow(page: Page) -> int:
    """Return by how many pixels the page is wider than its window."""
    return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


def tab_to(page: Page, target: Locator) -> None:
    """Press Tab until the target has the focus."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if target.evaluate("node => node === document.activeElement"):
            return
    pytest.fail(f"Tab does not reach {target}")


def button(page: Page, name: str) -> Locator:
    """Return the visible button with this name."""
    return page.get_by_role("button", name=name, exact=True).locator("visible=true")


def option(page: Page, name: str) -> Locator:
    """Return the visible field with this label."""
    return page.get_by_label(name, exact=True).locator("visible=true")


def text_of(page: Page) -> str:
    """Return the text that is shown as tokens."""
    return page.locator(".tokens:visible").text_content() or ""


def finished(page: Page) -> None:
    """Wait for the end of a text."""
    expect(page.locator(".status:visible")).to_contain_text("It reached the length that you set.")


def ask(page: Page, prompt: str = PROMPT, tokens: int = 30) -> None:
    """Press Write."""
    option(page, "Prompt").fill(prompt)
    option(page, "Length in tokens").fill(str(tokens))
    button(page, "Write").click()


def write(page: Page, prompt: str = PROMPT, tokens: int = 30) -> None:
    """Write a text and wait for its end."""
    ask(page, prompt, tokens)
    finished(page)


def write_both(page: Page) -> None:
    """Write 20 tokens in both columns."""
    for column in (page.locator(".column").first, page.locator(".column").last):
        column.locator("summary").first.click()
        column.get_by_label("Length in tokens", exact=True).fill("20")
    button(page, "Write both").click()
    expect(page.locator(".column .status", has_text="20 tokens in")).to_have_count(2)


def show(page: Page, mode: str) -> None:
    """Go to a mode and fill it with what it shows; the text of the first is written already."""
    page.goto(f"/#playground/{mode}")
    if mode == "compare":
        write_both(page)
    elif mode == "score":
        option(page, "Text to score").fill(PROMPT * 3)
        button(page, "Score").click()
        expect(page.locator(".figures")).to_be_visible()
    elif mode == "inside":
        button(page, "Look inside").click()
        expect(page.locator("canvas.matrix")).to_be_visible()
    elif mode == "items":
        page.get_by_label("How many").fill("3")
        button(page, "Invent 3").click()
        expect(page.locator(".status:visible")).to_contain_text("3 new items.")
    else:
        expect(button(page, "Write")).to_be_visible()
