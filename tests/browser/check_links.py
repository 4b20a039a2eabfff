"""Links lead where they say, in the browser: pages load, anchors scroll into view, linked files are there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import pytest
from browsing import Look, watched
from subjects import SITE, Subjects

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

WIDE, PHONE = Look(1440, "light"), Look(390, "light")


def links(page: Page) -> list[str]:
    """The addresses that a page links to, as the browser understands them."""
    return page.evaluate("[...new Set([...document.querySelectorAll('a[href]')].map((link) => link.href))]")


@pytest.mark.parametrize("name", ["run", "explored", "comparison", "digest"])
def test_links_of_reports(name: str, browser: Browser, subjects: Subjects) -> None:
    with watched(browser, WIDE) as page:
        page.open(subjects.reports[name])
        found = links(page.page)
        assert found
        files = [Path(unquote(urlsplit(link).path)) for link in found if link.startswith("file:")]
        assert [str(path) for path in files if not path.exists()] == []
        assert {urlsplit(link).scheme for link in found} <= {"file", "https"}, "what leaves the machine is encrypted"


@pytest.mark.parametrize("look", [WIDE, PHONE], ids=str)
@pytest.mark.parametrize("name", ["run", "comparison"])
def test_the_sections_of_a_report_are_reached(name: str, look: Look, browser: Browser, subjects: Subjects) -> None:
    with watched(browser, look) as page:
        page.open(subjects.reports[name])
        sections = page.page.locator("nav a")
        assert sections.count() > 2
        for i in range(sections.count()):
            sections.nth(i).click()
            target = page.page.locator(sections.nth(i).get_attribute("href"))
            heading = target.locator("h2").first.bounding_box()
            bar = page.page.locator("nav").first.bounding_box()
            assert heading is not None
            assert bar is not None
            last = page.page.evaluate("innerHeight + scrollY >= document.documentElement.scrollHeight - 2")
            assert last or bar["height"] - 2 <= heading["y"] < 300, "the heading is at the top and nothing covers it"
        assert page.errors == []


def test_an_entry_of_the_digest_has_an_address(browser: Browser, subjects: Subjects) -> None:
    with watched(browser, PHONE) as page:
        page.open(subjects.digest.as_uri() + "#showcase")
        entry = page.page.locator("#showcase")
        assert entry.get_attribute("open") is not None
        top = entry.bounding_box()
        assert top is not None
        assert -5 < top["y"] < 500
        page.page.goto(subjects.digest.as_uri() + "#adamatch")
        assert page.page.locator("#adamatch").get_attribute("open") is not None


def test_from_the_start_page_to_a_system_and_its_reference(browser: Browser) -> None:
    with watched(browser, WIDE) as page:
        page.open(SITE / "index.html")
        page.page.locator("article table a").first.click()
        page.page.wait_for_url("**/systems/*.html")
        for heading in ("What it is for", "On your own data", "Results against the paper"):
            assert page.page.get_by_role("heading", name=heading).is_visible()
        page.page.get_by_role("link", name="API", exact=True).first.click()
        page.page.wait_for_url("**/reference/**")
        page.page.get_by_role("link", name="experiment", exact=True).first.click()
        page.page.get_by_role("link", name="Better", exact=True).first.click()
        page.page.wait_for_url("**/reference/experiment/claims/**")
        assert page.errors == []
        page.page.go_back()
        page.page.get_by_role("link", name="Digest").first.click()
        page.page.wait_for_url("**/digest/index.html")
        assert page.page.locator("details.entry").count() > 0


def test_the_menu_of_a_phone(browser: Browser) -> None:
    with watched(browser, PHONE) as page:
        page.open(SITE / "index.html")
        for name, target in {"Guide": "**/running.html", "Data": "**/data.html"}.items():
            page.page.locator("label[for=__drawer]").locator("visible=true").first.click()
            page.page.locator(".md-nav--primary a").filter(has_text=name).locator("visible=true").last.click()
            page.page.wait_for_url(target)
        assert page.errors == []
