"""Checks of the built site: every link and anchor inside it is alive, nothing is loaded from another host.

python docs/generator/site_check.py site/
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADS = {
    "script": "src",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "object": "data",
    "use": "href",
}
LOADING_LINKS = {"stylesheet", "icon", "preload", "preconnect", "modulepreload", "manifest", "dns-prefetch"}
STYLE_LOADS = re.compile(r"(?:@import\s+(?:url\()?|url\()\s*[\"']?([^\"')\s]+)")


@dataclass
class Page(HTMLParser):
    """What one HTML page defines and refers to.

    Attributes:
        anchors: ids and names.
        links: targets of links.
        loads: addresses of what the page needs to be shown.
        bare: images without an alternative text.
    """

    anchors: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)
    bare: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.anchors |= {values[name] for name in ("id", "name") if values.get(name)}
        self.loads += STYLE_LOADS.findall(values.get("style", ""))
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        elif tag == "link" and LOADING_LINKS & set(values.get("rel", "").split()):
            self.loads.append(values.get("href", ""))
        elif values.get(LOADS.get(tag, "")):
            self.loads.append(values[LOADS[tag]])
        if tag == "img" and "alt" not in values:
            self.bare.append(values.get("src", ""))


@cache
def read(path: Path) -> Page:
    """A page of the site, parsed."""
    page = Page()
    page.feed(path.read_text(encoding="utf-8"))
    return page


def problems(site: Path) -> Iterator[str]:
    """What is wrong, one line each."""
    for path in sorted(site.rglob("*.html")):
        page, name = read(path), path.relative_to(site)
        yield from (f"{name}: image {src} has no alternative text" for src in page.bare)
        for address in page.loads:
            if urlsplit(address).netloc:
                yield f"{name}: loads {address} from another host"
            elif wrong := _dead(address, path, site):
                yield f"{name}: {wrong}"
        yield from (f"{name}: {wrong}" for link in page.links if (wrong := _dead(link, path, site)))
    for path in sorted(site.rglob("*.css")):
        loads = STYLE_LOADS.findall(path.read_text(encoding="utf-8"))
        yield from (f"{path.relative_to(site)}: loads {a} from another host" for a in loads if urlsplit(a).netloc)


def _dead(link: str, path: Path, site: Path) -> str:
    """Why a link of a page leads nowhere; "" where it leads somewhere or away from the site."""
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return ""
    inside = unquote(parts.path)
    base = site if inside.startswith("/") else path.parent
    target = (base / inside.lstrip("/")).resolve() if inside else path.resolve()
    if not target.is_file():
        return f"{link} does not exist"
    if not target.is_relative_to(site.resolve()):
        return f"{link} lies outside the site"
    anchor = unquote(parts.fragment)
    if anchor and target.suffix == ".html" and anchor not in read(target).anchors:
        return f"{link}: {target.name} has no anchor {anchor}"
    return ""


def main() -> None:
    found = list(problems(Path(sys.argv[1])))
    print(*found, sep="\n")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
