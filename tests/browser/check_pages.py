"""What holds for every page at every width and in both colour schemes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browsing import LOOKS, Look, Watched, watched
from subjects import SITE, Subjects, site

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

REPORTS = ("run", "explored", "comparison", "digest")
LANGUAGES = {"en": "en-GB", "zh": "zh-CN"}
SMALLEST = 8.0  # px; axis labels of figures on a phone are the smallest texts
SOME = ("index", "verdicts", "running", "contributing", "changelog", "reference/index")
SOME += ("reference/losses/alignment", "reference/systems/adamatch/index", "reference/experiment/claims/index")


def problems(watched: Watched) -> dict[str, list[str]]:
    """Everything wrong with a page, by kind; only what is not empty."""
    assert watched.audit("texts") > 20, "the page shows no text"
    found = {name: watched.audit(name) for name in ("overflowing", "empty", "covered", "faint", "dead")}
    found |= {"tiny": watched.audit("tiny", SMALLEST), "errors": watched.errors, "requests": watched.requests}
    return {name: wrong for name, wrong in found.items() if wrong}


def unfold(page: Page) -> None:
    """Open everything that can be opened."""
    page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")


@pytest.mark.parametrize("look", LOOKS, ids=str)
@pytest.mark.parametrize("name", REPORTS)
def test_reports(
    name: str, look: Look, browser: Browser, subjects: Subjects, shot: Callable[[Page, str], None]
) -> None:
    for language, locale in LANGUAGES.items() if name == "digest" else [("", "en-GB")]:
        with watched(browser, look, locale=locale) as page:
            page.open(subjects.reports[name])
            if language:
                said = page.page.evaluate("document.documentElement.lang")
                assert said == {"en": "en", "zh": "zh-Hans"}[language], "the browser's language comes first"
                unfold(page.page)
            assert page.page.locator("figure svg, figure img").count() > 0
            shot(page.page, f"{name}{language and '-'}{language}-{look}")
            assert problems(page) == {}


def pages_of_the_site() -> list[str]:
    """Some pages of every kind, and those of all systems."""
    systems = [page.relative_to(SITE).with_suffix("").as_posix() for page in sorted(SITE.glob("systems/*.html"))]
    return [*SOME, *systems]


def test_the_site_is_there() -> None:
    assert (SITE / "index.html").is_file(), "build it first: make docs"


@pytest.mark.parametrize("look", LOOKS, ids=str)
@pytest.mark.parametrize("name", pages_of_the_site())
def test_documentation(name: str, look: Look, browser: Browser, shot: Callable[[Page, str], None]) -> None:
    with watched(browser, look) as page:
        page.open(SITE / f"{name}.html")
        shot(page.page, f"docs-{name.replace('/', '-')}-{look}")
        assert problems(page) == {}


@pytest.mark.parametrize("look", [LOOKS[0], LOOKS[3]], ids=str)
def test_every_page_of_the_documentation(look: Look, browser: Browser) -> None:
    wrong = {}
    with watched(browser, look) as page:
        for path in site():
            page.open(path)
            if found := problems(page):
                wrong[path.relative_to(SITE).as_posix()] = found
            page.errors.clear()
    assert wrong == {}


@pytest.mark.parametrize("look", LOOKS, ids=str)
@pytest.mark.parametrize("figure", sorted(path.name for path in SITE.glob("assets/*.svg") if path.stem != "mark"))
def test_figures_of_the_documentation(figure: str, look: Look, browser: Browser, tmp_path: Path) -> None:
    """They are images in the pages, so their inside is looked at here, on the site's background."""
    drawing = (SITE / "assets" / figure).read_text(encoding="utf-8")
    around = '<body style="margin: 0; width: min(100%, 35rem); background: light-dark(#fff, #15191e)">'
    page_file = tmp_path / "figure.html"
    page_file.write_text(f"<!doctype html><meta charset=utf-8><style>:root {{ color-scheme: light dark }} svg {{ width:"
                         f" 100%; height: auto }}</style>{around}{drawing}", encoding="utf-8")  # fmt: skip
    with watched(browser, look) as page:
        page.open(page_file)
        found = {name: page.audit(name) for name in ("overflowing", "empty", "covered", "faint")}
        assert {name: wrong for name, wrong in found.items() if wrong} == {}
