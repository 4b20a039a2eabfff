"""From a matplotlib figure to an SVG that can stand inside a page: themable, deterministic, without foreign ids."""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.report.wording import clean

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Palette:
    """Colours of everything that is not an arm."""

    ink: str
    muted: str
    grid: str
    region: str
    failed: str
    paper: str


LIGHT = Palette("#1b2128", "#5b6470", "#d9dee5", "#cfe3d6", "#b3261e", "#ffffff")
# Colours that follow the reader's theme: matplotlib draws with placeholders, the SVG refers to CSS variables.
THEMED = Palette("#010203", "#020304", "#030405", "#040506", "#050607", "#060708")
THEME = {
    THEMED.ink: "currentColor",
    THEMED.muted: f"var(--muted, {LIGHT.muted})",
    THEMED.grid: f"var(--line, {LIGHT.grid})",
    THEMED.region: f"var(--region, {LIGHT.region})",
    THEMED.failed: f"var(--bad, {LIGHT.failed})",
    THEMED.paper: f"var(--paper, {LIGHT.paper})",
    # The darker of the arms' colours are lightened on a dark page, by its CSS.
    "#0072b2": "var(--blue, #0072b2)",
    "#d55e00": "var(--vermillion, #d55e00)",
    "#009e73": "var(--green, #009e73)",
    "#56b4e9": "var(--sky, #56b4e9)",
}
STANDALONE = (
    ":root{color:#1b2128;font-family:system-ui,'Segoe UI',Roboto,'DejaVu Sans',sans-serif}"
    "text{paint-order:stroke;stroke:var(--paper,#fff);stroke-width:3px}"
    "@media(prefers-color-scheme:dark){:root{color:#e6e9ed;--muted:#a3adb8;--line:#3a424c;--region:#234334;"
    "--bad:#ff8a80;--paper:#15191e;--blue:#3d9be0;--vermillion:#ff7a45;--green:#2fc194;--sky:#a5dafa}}"
)
_NUMBER = re.compile(r"-?\d+\.\d{3,}")
_SVG, _LINK = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}href"
_SHORTHAND = re.compile(r"font: ([^;]*?)(\d+(?:\.\d+)?px)[^;]*")
_FAMILY = re.compile(r"\s*font-family:[^;]*;?")
_GEOMETRY = ("d", "x", "y", "points", "transform", "width", "height", "viewBox")


@dataclass(frozen=True)
class Picture:
    """A finished figure.

    Attributes:
        name: unique on a page, made of ASCII letters, digits and hyphens; prefixes every id inside the SVG.
        title: the message, in one sentence.
        alt: what somebody who cannot see it should know.
        svg: the `<svg>` element.
    """

    name: str
    title: str
    alt: str
    svg: str


def to_svg(figure: Figure, name: str, alt: str, tips: Mapping[str, Sequence[str]], *, standalone: bool = False) -> str:
    """The figure as one `<svg>` element with text kept as text.

    Args:
        figure: drawn with the placeholder colours of this module.
        name: prefix of the ids, unique on the page.
        alt: the accessible name.
        tips: gid of a scatter -> one tooltip per point, in the order of its points.
        standalone: carry the theme inside, for a file of its own; else the page's CSS gives it.
    """
    import matplotlib as mpl

    stream = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": name, "svg.fonttype": "none"}):
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    root = ET.fromstring(clean(stream.getvalue().decode()))
    _strip(root)
    _rename_ids(root, name)
    for gid, texts in tips.items():
        _add_tips(root, f"{name}-{gid}", texts)
    for element in root.iter():
        _restyle(element)
    for unit in ("width", "height"):
        root.attrib.pop(unit, None)
    root.set("role", "img")
    root.set("aria-label", clean(alt))
    root.set("stroke-linejoin", "round")
    if standalone:
        _, _, width, height = root.attrib["viewBox"].split()
        root.set("width", width)
        root.set("height", height)
        style = ET.Element(_SVG + "style")
        style.text = STANDALONE
        root.insert(0, style)
    ET.register_namespace("", _SVG[1:-1])
    return ET.tostring(root, encoding="unicode")


def _strip(root: ET.Element) -> None:
    """Drop metadata, comments and matplotlib's style sheet, whose `*` rule would reach the whole page."""
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in (_SVG + "metadata", _SVG + "style"):
                parent.remove(child)
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag == _SVG + "defs" and len(child) == 0:
                parent.remove(child)


def _rename_ids(root: ET.Element, name: str) -> None:
    """Prefix ids that something refers to or that were set on purpose; drop matplotlib's own names (`patch_3`)."""
    referred: set[str] = set()
    for element in root.iter():
        if _LINK in element.attrib:
            element.set("href", element.attrib.pop(_LINK))
        for value in element.attrib.values():
            referred.update(re.findall(r"url\(#([^)]+)\)", value))
            if value.startswith("#"):
                referred.add(value[1:])
    for element in root.iter():
        own = element.attrib.pop("id", None)
        if own is not None and (own in referred or own.startswith("tips")):
            element.set("id", f"{name}-{own}")
        for key, value in element.attrib.items():
            if key == "href" and value.startswith("#"):
                element.set(key, f"#{name}-{value[1:]}")
            elif "url(#" in value:
                element.set(key, value.replace("url(#", f"url(#{name}-"))


def _add_tips(root: ET.Element, identifier: str, texts: Sequence[str]) -> None:
    """Give each point of a scatter its tooltip."""
    group = next((e for e in root.iter(_SVG + "g") if e.get("id") == identifier), None)
    if group is None:
        return
    points = [e for e in group.iter() if e.tag == _SVG + "use"] or [e for e in group if e.tag == _SVG + "path"]
    for element, text in zip(points, texts, strict=False):
        ET.SubElement(element, _SVG + "title").text = clean(text)


def _restyle(element: ET.Element) -> None:
    """Theme colours, the page's font, two decimals."""
    style = element.get("style")
    if style is not None:
        for placeholder, colour in THEME.items():
            style = style.replace(placeholder, colour)
        if element.tag == _SVG + "text":
            style = _FAMILY.sub("", _SHORTHAND.sub(_long_form, style))
        element.set("style", style)
    if element.get("transform", "").startswith("rotate(-0 "):
        del element.attrib["transform"]
    for key in _GEOMETRY:
        value = element.get(key)
        if value is not None:
            value = _NUMBER.sub(lambda m: f"{float(m.group()):.2f}".rstrip("0").rstrip("."), value)
            element.set(key, value.replace(" \n", " ").replace("\n", " ").strip())


def _long_form(found: re.Match[str]) -> str:
    """`font: 700 10px 'DejaVu Sans'` as separate properties without the family, which the page gives."""
    weight = "; font-weight: 700" if re.search(r"bold|[67]00", found.group(1)) else ""
    return f"font-size: {found.group(2)}{weight}"
