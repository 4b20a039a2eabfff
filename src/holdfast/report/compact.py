"""A drawing in fewer bytes that looks the same: for pages that hold many."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

SVG = "http://www.w3.org/2000/svg"
_NUMBER = re.compile(r"-?\d+\.\d+")
_DRAWN = ("d", "x", "y", "x1", "y1", "x2", "y2", "cx", "cy", "r", "width", "height", "transform", "points")


def compact(svg: str) -> str:
    """The SVG without tips, groups that group nothing and what is not seen; repeated styles as classes.

    Coordinates are rounded to a tenth of a pixel.

    Args:
        svg: a whole drawing, as `report.svg` makes it.

    Example:
        >>> compact('<svg xmlns="http://www.w3.org/2000/svg"><g><path d="M 1.04 2" style="fill: red"/></g></svg>')
        '<svg xmlns="http://www.w3.org/2000/svg"><style>.a{fill:red}</style><path d="M1 2" class="a"/></svg>'
    """
    root = ET.fromstring(svg)
    _strip(root)
    classes: dict[str, str] = {}
    names: dict[str, str] = {}
    for element in root.iter():
        if (name := element.get("id")) is not None:
            names[name] = f"i{len(names)}"
    for element in root.iter():
        _shorten(element, classes, names)
    _style(root).text = (_style(root).text or "").strip() + "".join(f".{name}{{{s}}}" for s, name in classes.items())
    ET.register_namespace("", SVG)
    return re.sub(r"\s*/>", "/>", ET.tostring(root, encoding="unicode"))


def _style(root: ET.Element) -> ET.Element:
    found = root.find(f"{{{SVG}}}style")
    if found is None:
        found = ET.Element(f"{{{SVG}}}style")
        root.insert(0, found)
    return found


def _strip(parent: ET.Element) -> None:
    """Take out tips, invisible paths and spaces between elements; lift the children of groups without attributes."""
    kept: list[ET.Element] = []
    for child in list(parent):
        _strip(child)
        tag = child.tag.rpartition("}")[2]
        unseen = tag == "path" and child.get("style", "").replace(" ", "") in ("fill:none", "fill:none;")
        if tag == "title" or (unseen and "id" not in child.attrib):
            continue
        child.tail = None if parent.tag.rpartition("}")[2] != "text" else child.tail
        if tag != "text" and tag != "tspan" and not (child.text or "").strip():
            child.text = None
        kept += list(child) if tag == "g" and not child.attrib else [child]
    parent[:] = kept


def _shorten(element: ET.Element, classes: dict[str, str], names: dict[str, str]) -> None:
    for name, value in list(element.attrib.items()):
        if name == "style":
            declared = re.sub(r"\s*([:;,])\s*", r"\1", value).strip("; ")
            del element.attrib[name]
            if declared:
                element.set("class", classes.setdefault(declared, _letters(len(classes))))
        elif name == "id":
            element.set(name, names[value])
        elif value.startswith("#") and value[1:] in names:
            element.set(name, f"#{names[value[1:]]}")
        elif (inside := re.fullmatch(r"url\(#(.+)\)", value)) and inside[1] in names:
            element.set(name, f"url(#{names[inside[1]]})")
        elif name in _DRAWN:
            rounded = _NUMBER.sub(lambda found: f"{float(found[0]):.1f}".removesuffix(".0"), value)
            element.set(name, re.sub(r"\s*([A-Za-z])\s*", r"\1", rounded) if name == "d" else rounded)


def _letters(number: int) -> str:
    """a ... z, aa ... : a class name."""
    name = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        name = chr(97 + rest) + name
    return name


__all__ = ["compact"]
