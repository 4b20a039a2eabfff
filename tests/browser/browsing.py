"""A real browser: Chromium as the operating system has it, and pages that note what goes wrong in them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
GET_IT = (
    "no Chromium found: `apt install chromium` on Debian, `apt install chromium-browser` on Ubuntu, "
    "`dnf install chromium` on Fedora; or name one: CHROMIUM=/path/to/it make browser"
)
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--force-color-profile=srgb")
AUDIT = (Path(__file__).parent / "audit.js").read_text(encoding="utf-8")
LOCAL = ("file:", "data:", "blob:", "about:", "http://localhost:", "http://127.0.0.1:")


def chromium() -> str:
    """The path of the browser; "" where there is none. The variable CHROMIUM comes first."""
    wanted = os.environ.get("CHROMIUM")
    found = (shutil.which(name) for name in ((wanted,) if wanted else NAMES))
    return next((path for path in found if path), "")


@dataclass(frozen=True)
class Look:
    """How a page is looked at.

    Attributes:
        width: of the window, px: a phone, or a wide screen.
        scheme: "light" or "dark", as the operating system would say.
    """

    width: int
    scheme: str

    @property
    def height(self) -> int:
        """Of the window, px."""
        return 844 if self.width < 600 else 900

    def __str__(self) -> str:
        return f"{self.width}-{self.scheme}"


LOOKS = tuple(Look(width, scheme) for width in (390, 1440) for scheme in ("light", "dark"))


@dataclass
class Watched:
    """A page with everything that went wrong in it so far.

    Attributes:
        errors: uncaught exceptions, and the errors and warnings on the console.
        requests: addresses outside of this machine that the page asked for.
    """

    page: Page
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda message: self._hear(message.type, message.text))
        self.page.on("request", lambda request: self._note(request.url))

    def _hear(self, kind: str, text: str) -> None:
        if kind in ("error", "warning", "assert"):
            self.errors.append(f"console, {kind}: {text}")

    def _note(self, address: str) -> None:
        if not address.startswith(LOCAL):
            self.requests.append(address)

    def open(self, target: Path | str) -> Page:
        """Load a file or an address, and everything in it."""
        self.page.goto(target if isinstance(target, str) else target.as_uri(), wait_until="load")
        self.page.evaluate("document.fonts.ready.then(() => true)")
        return self.page

    def audit(self, what: str, *arguments: Any) -> Any:
        """One of the functions of audit.js, on the page as it is now."""
        if not self.page.evaluate("'audit' in window"):
            self.page.evaluate(AUDIT)
        return self.page.evaluate(f"(all) => window.audit.{what}(...all)", list(arguments))


@contextmanager
def watched(browser: Browser, look: Look, **options: Any) -> Iterator[Watched]:
    """A fresh page in a profile of its own. Options are those of Playwright's `new_context`."""
    size: Any = {"width": look.width, "height": look.height}
    scheme: Any = look.scheme
    context = browser.new_context(viewport=size, color_scheme=scheme, reduced_motion="reduce", **options)
    context.set_default_timeout(20_000)
    try:
        yield Watched(context.new_page())
    finally:
        context.close()
