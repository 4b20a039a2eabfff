"""What can be done with a mouse can be done with the keys, and one sees where one is."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from browsing import LOOKS, Look, Watched, watched
from subjects import SITE, Subjects

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

WIDE, PHONE = Look(1440, "light"), Look(390, "dark")
STOPS = 45  # of the Tab key that are looked at, per page
AROUND = 6  # px around an element, for what shows the focus

AT = """() => {
    const at = document.activeElement;
    if (!at || at === document.body) return null;
    const shown = at.matches('input[type=radio]') ? at.closest('label') ?? at : at;  // the input itself is transparent
    const { x, y, width, height } = shown.getBoundingClientRect();
    const words = at.getAttribute('aria-label') || at.innerText || at.labels?.[0]?.innerText || at.id;
    return { name: `${at.localName}: ${(words || '').slice(0, 40)}`, box: { x, y, width, height } };
}"""


# ------------------------------------------------------------------------------------------------------------- focus
def stops(page: Page) -> Iterator[tuple[str, bytes, bytes]]:
    """Where Tab leads, with a picture of the place with and without the focus."""
    for _ in range(STOPS):
        page.keyboard.press("Tab")
        at = page.evaluate(AT)
        if at is None:  # back in the browser's own controls
            return
        box = at["box"]
        left, top = max(0, box["x"] - AROUND), max(0, box["y"] - AROUND)
        size = page.viewport_size
        right = min(size["width"], box["x"] + box["width"] + AROUND)
        bottom = min(size["height"], box["y"] + box["height"] + AROUND)
        if right - left < 1 or bottom - top < 1:
            yield f"{at['name']} lies outside of the window", b"", b""
            continue
        clip = {"x": left, "y": top, "width": right - left, "height": bottom - top}
        focused = page.screenshot(clip=clip, animations="disabled", caret="hide")
        page.evaluate("window.was = document.activeElement; window.was.blur()")
        blurred = page.screenshot(clip=clip, animations="disabled", caret="hide")
        page.evaluate("window.was.focus({ preventScroll: true, focusVisible: true })")
        yield at["name"], focused, blurred


@pytest.mark.parametrize("look", [WIDE, PHONE], ids=str)
@pytest.mark.parametrize("name", ["run", "comparison", "digest", "docs"])
def test_the_focus_can_be_seen(name: str, look: Look, browser: Browser, subjects: Subjects) -> None:
    target = SITE / "index.html" if name == "docs" else subjects.reports[name]
    with watched(browser, look, locale="en-GB") as page:
        page.open(target)
        seen = list(stops(page.page))
    assert len(seen) > 5
    assert [name for name, focused, blurred in seen if focused == blurred] == []


# ------------------------------------------------------------------------------------------------------------- tables
def tab_to(page: Page, condition: str) -> None:
    """Press Tab until the focused element fulfils a condition on `at`."""
    for _ in range(400):
        page.keyboard.press("Tab")
        if page.evaluate(f"(at => Boolean({condition}))(document.activeElement)"):
            return
    raise AssertionError(f"Tab never reaches what fulfils {condition}")


def column(page: Page) -> list[float]:
    """The numbers under the focused heading, from top to bottom; missing ones are left out."""
    return page.evaluate("""() => {
        const head = document.activeElement.closest('th');
        const cells = [...head.closest('table').tBodies[0].rows].map((row) => row.cells[head.cellIndex].dataset.value);
        return cells.filter((value) => value !== '').map(Number);
    }""")


@pytest.mark.parametrize("name", ["run", "comparison"])
def test_tables_sort_by_keyboard(name: str, browser: Browser, subjects: Subjects) -> None:
    with watched(browser, WIDE) as page:
        page.open(subjects.reports[name])
        tab_to(page.page, "at.closest('th.num') && at.closest('table').tBodies[0].rows.length > 2")
        before = column(page.page)
        assert len(set(before)) > 1
        orders = []
        for key in ("Enter", "Space"):
            page.page.keyboard.press(key)
            order = page.page.evaluate("document.activeElement.closest('th').getAttribute('aria-sort')")
            assert column(page.page) == sorted(before, reverse=order == "descending")
            orders.append(order)
        assert sorted(orders) == ["ascending", "descending"]
        assert page.errors == []


# ------------------------------------------------------------------------------------------------------------- digest
def entries(page: Page) -> list[str]:
    """Ids of the entries that are shown."""
    return page.evaluate("[...document.querySelectorAll('details.entry')].filter(e => !e.hidden).map(e => e.id)")


def visible_words(page: Page) -> str:
    return page.evaluate("document.body.innerText")


def test_the_digest_is_searched_by_keyboard(browser: Browser, subjects: Subjects) -> None:
    with watched(browser, WIDE, locale="en-GB") as page:
        keys = page.open(subjects.digest).keyboard
        everything = entries(page.page)
        assert len(everything) > 1
        keys.press("/")
        assert page.page.evaluate("document.activeElement.id") == "the-search"
        keys.type("outliers median")
        assert entries(page.page) == ["showcase"]
        assert page.page.locator("#the-count").inner_text() == "1"
        keys.type(" qqq")
        assert entries(page.page) == []
        assert page.page.locator("#no-match").is_visible()
        keys.press("Escape")
        assert entries(page.page) == everything
        keys.type("中位数")  # found in either language
        assert entries(page.page) == ["showcase"]
        keys.press("Escape")
        keys.press("Escape")
        tab_to(page.page, "at.matches('#showcase > summary')")
        opened = "document.querySelector('#showcase').open"
        was = page.page.evaluate(opened)
        keys.press("Enter")
        assert page.page.evaluate(opened) != was
        assert page.errors == []


def test_the_digest_is_filtered_by_keyboard(browser: Browser, subjects: Subjects) -> None:
    with watched(browser, PHONE, locale="en-GB") as page:
        keys = page.open(subjects.digest).keyboard
        everything = entries(page.page)
        tab_to(page.page, "at.name === 'area'")
        shown = set()
        for _ in range(page.page.locator("input[name=area]").count() - 1):
            keys.press("ArrowRight")
            area = page.page.evaluate("document.activeElement.value")
            wanted = [e for e in everything if area in page.page.locator(f"#{e}").get_attribute("data-areas").split()]
            assert entries(page.page) == wanted
            shown |= set(wanted)
        assert shown == set(everything)


def test_the_language_is_switched_by_keyboard_and_remembered(browser: Browser, subjects: Subjects) -> None:
    with watched(browser, WIDE, locale="en-GB") as page:
        keys = page.open(subjects.digest).keyboard
        assert "演示系统" not in visible_words(page.page)
        tab_to(page.page, "at.name === 'language'")
        keys.press("ArrowRight")
        assert page.page.evaluate("document.documentElement.lang") == "zh-Hans"
        words = visible_words(page.page)
        assert "演示系统" in words
        assert "Showcase" not in words
        page.page.reload()
        assert page.page.evaluate("document.documentElement.lang") == "zh-Hans"
        tab_to(page.page, "at.name === 'language'")
        keys.press("ArrowLeft")
        assert "Showcase" in visible_words(page.page)
        assert page.errors == []


# ------------------------------------------------------------------------------------------------------ documentation
@pytest.fixture(scope="module")
def served() -> Iterator[str]:
    """The site as a web server on this machine gives it out."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments: object) -> None:
            """Nothing on the terminal."""

    handler = functools.partial(Quiet, directory=str(SITE))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def search_by_keyboard(page: Watched) -> None:
    """From the start page to a page found by its words."""
    page.page.wait_for_load_state("networkidle")
    keys = page.page.keyboard
    keys.press("Control+k")
    field = page.page.get_by_role("combobox", name="Search")
    field.wait_for()
    keys.type("DistributionAligner")
    hits = page.page.get_by_role("listbox", name="Search results").get_by_role("option")
    hits.filter(has_text="DistributionAligner").first.wait_for()
    assert field.input_value() == "DistributionAligner"
    keys.press("ArrowDown")
    keys.press("ArrowUp")
    with page.page.expect_navigation():
        keys.press("Enter")
    assert "Aligner" in page.page.locator("article").inner_text()
    assert page.errors == []
    assert page.requests == []


@pytest.mark.parametrize("look", LOOKS[1:3], ids=str)
def test_the_documentation_is_searched_by_keyboard_from_the_file_system(look: Look, browser: Browser) -> None:
    with watched(browser, look) as page:
        page.open(SITE / "index.html")
        search_by_keyboard(page)


def test_the_documentation_is_searched_by_keyboard_on_a_server(browser: Browser, served: str) -> None:
    with watched(browser, WIDE) as page:
        page.open(served)
        search_by_keyboard(page)
