from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest

from holdfast.report.canvas import quiet, sheet
from holdfast.report.svg import LIGHT, THEMED, to_svg

SVG = "{http://www.w3.org/2000/svg}"


def drawing(label="label"):
    figure, axes = sheet(100, THEMED)
    axes.scatter([1, 2, 3], [3, 1, 2], color="#0072B2").set_gid("tips-0")
    axes.fill_between([1, 2], [1, 1], [2, 2], color=THEMED.region)
    axes.plot([1, 3], [1, 3], color=THEMED.ink, marker="s")
    axes.set_xlabel(label)
    return figure


def render(name="a", label="label", tips=("one", "two", "three"), **kw):
    with quiet():
        return to_svg(drawing(label), name, 'an "alt" <text>', {"tips-0": tips}, **kw)


@pytest.fixture(scope="module")
def svg():
    return render()


def test_ids_are_prefixed_unique_and_every_reference_resolves(svg):
    ids = re.findall(r'\bid="([^"]+)"', svg)
    assert len(ids) == len(set(ids)) > 0
    assert all(identifier.startswith("a-") for identifier in ids)
    referred = re.findall(r'href="#([^"]+)"', svg) + re.findall(r"url\(#([^)]+)\)", svg)
    assert set(referred) <= set(ids)
    assert len(referred) > 0
    assert not set(ids) & set(re.findall(r'\bid="([^"]+)"', render("b")))


def test_the_same_figure_gives_the_same_bytes(svg):
    assert svg == render()


def test_placeholders_become_theme_colours_and_no_style_sheet_leaks(svg):
    for colour in vars(THEMED).values():
        assert colour not in svg
    assert "currentColor" in svg
    assert f"var(--region, {LIGHT.region})" in svg
    assert "<style" not in svg
    assert "<metadata" not in svg


def test_text_stays_text_without_a_font_of_its_own_and_is_escaped():
    label = "<script>alert(1)</script> $x_2$ & 数字 \x00\x1b"
    svg = render(label=label)
    texts = [e.text for e in ET.fromstring(svg).iter(SVG + "text")]
    assert "<script>alert(1)</script> $x_2$ & 数字 \ufffd\ufffd" in texts
    assert "<script>" not in svg
    assert "font-family" not in svg


def test_tooltips_sit_on_the_points_in_their_order(svg):
    group = next(e for e in ET.fromstring(svg).iter(SVG + "g") if e.get("id") == "a-tips-0")
    uses = list(group.iter(SVG + "use"))
    assert [use.find(SVG + "title").text for use in uses] == ["one", "two", "three"]
    heights = [float(use.get("y")) for use in uses]
    assert heights[0] < heights[2] < heights[1]  # the data were 3, 1, 2 and y points down


def test_a_file_of_its_own_has_a_size_and_a_theme():
    root = ET.fromstring(render(standalone=True))
    assert float(root.get("width")) == 380
    assert "prefers-color-scheme:dark" in root.find(SVG + "style").text
    inside = ET.fromstring(render())
    assert inside.get("width") is None
    assert inside.get("aria-label") == 'an "alt" <text>'
