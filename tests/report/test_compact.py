from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path
from urllib.parse import unquote

import pytest

from holdfast.report.compact import SVG, compact
from holdfast.report.digest import address

FIGURES = sorted((Path(__file__).parents[2] / "docs" / "assets").glob("*.svg"))
DRAWING = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><style>text{x:y}</style><g><g id="mark"><path d="M 1.25'
    ' 2 L 3.04 4" style="fill: none; stroke: red"/></g></g><g><title>a tip</title><path d="M 0 0" style="fill: none"/>'
    '<use href="#mark" x="1.26"/><rect clip-path="url(#mark)" style="fill: none; stroke: red"/></g>'
    "<text>a <tspan>b</tspan> c</text></svg>"
)


def test_what_is_seen_stays_and_the_rest_goes() -> None:
    assert compact(DRAWING) == (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><style>text{x:y}.a{fill:none;stroke:red}</style>'
        '<g id="i0"><path d="M1.2 2L3 4" class="a"/></g><use href="#i0" x="1.3"/>'
        '<rect clip-path="url(#i0)" class="a"/><text>a <tspan>b</tspan> c</text></svg>'
    )


@pytest.mark.parametrize("path", FIGURES, ids=[path.stem for path in FIGURES])
def test_kept_figures_shrink_to_half_and_keep_their_words(path: Path) -> None:
    svg = path.read_text(encoding="utf-8")
    small = compact(svg)
    assert len(small) < 0.6 * len(svg)
    before, after = ET.fromstring(svg), ET.fromstring(small)

    def texts(root: ET.Element) -> list[str]:
        return ["".join(e.itertext()) for e in root.iter(f"{{{SVG}}}text")]

    assert texts(after) == texts(before)
    assert after.get("aria-label") == before.get("aria-label")
    assert compact(small).count("<path") == small.count("<path")
    ids = [e.get("id") for e in after.iter() if e.get("id")]
    assert len(ids) == len(set(ids))
    for element in after.iter():
        assert element.get("href", "#").removeprefix("#") in (*ids, "")


def test_nothing_in_an_address_ends_its_attribute() -> None:
    said = address('<svg a="1" b="it\'s"><text>&lt;b&gt; "x" #1 100% &amp;</text></svg>')
    written = said.partition(",")[2]
    assert not set('"&#') & set(written)
    assert unquote(written) == '<svg a=\'1\' b="it\'s"><text>&lt;b&gt; "x" #1 100% &amp;</text></svg>'
