"""The browser, and the pages that it looks at. Nothing is imported or made before a check asks for it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import subjects as showcase  # noqa: E402  found through the line above
from browsing import FLAGS, chromium  # noqa: E402

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SHOTS = HERE.parents[1] / "build" / "browser"


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium(), args=list(FLAGS))
        yield started
        started.close()


@pytest.fixture(scope="session")
def subjects(tmp_path_factory: pytest.TempPathFactory) -> showcase.Subjects:
    return showcase.made(tmp_path_factory.mktemp("with space") / "plugin")


@pytest.fixture(scope="session")
def shots() -> Path:
    shutil.rmtree(SHOTS, ignore_errors=True)
    SHOTS.mkdir(parents=True)
    return SHOTS


@pytest.fixture
def shot(shots: Path) -> Callable[[Page, str], None]:
    """Keeps a picture of the whole page."""

    def take(page: Page, name: str) -> None:
        page.screenshot(path=shots / f"{name}.png", full_page=True, animations="disabled")

    return take
