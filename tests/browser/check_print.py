"""On paper: everything is there, dark on white, and what only serves a screen is not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browsing import Look, watched
from subjects import SITE, Subjects

if TYPE_CHECKING:
    from playwright.sync_api import Browser

A4 = Look(718, "light")  # 190 mm at 96 px per inch; browsers print in light colours
PAGES = ("run", "comparison", "digest", "docs")
ONLY_ON_SCREEN = "nav, .controls, .languages, .md-header, .md-tabs, .md-sidebar, .md-search"


@pytest.mark.parametrize("name", PAGES)
def test_print(name: str, browser: Browser, subjects: Subjects, shots: Path) -> None:
    target = SITE / "systems" / "adamatch.html" if name == "docs" else subjects.reports[name]
    with watched(browser, A4, locale="en-GB") as page:
        page.open(target)
        page.page.emulate_media(media="print")
        assert page.page.evaluate("getComputedStyle(document.body).backgroundColor") in (
            "rgb(255, 255, 255)",
            "rgba(0, 0, 0, 0)",
        )
        shown = page.page.locator(ONLY_ON_SCREEN).locator("visible=true")
        assert shown.count() == 0
        folded = "[...document.querySelectorAll('details > :not(summary)')].filter((each) => !each.checkVisibility())"
        other_language = "each.matches('.zh') || each.closest('.zh')"
        hidden = page.page.evaluate(f"{folded}.filter((each) => !({other_language})).length")
        assert hidden == 0, "what is folded is unfolded on paper"
        for name_of_check in ("overflowing", "empty", "faint"):
            assert page.audit(name_of_check) == []
        printed = page.page.pdf(path=shots / f"print-{name}.pdf", format="A4", print_background=False)
    assert printed.count(b"/Type /Page\n") + printed.count(b"/Type /Page ") > 1
