"""Cards: any text as TOML, and valid cards changed a little."""

from __future__ import annotations

import contextlib
import json
import math
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from hypothesis import strategies as st

from fuzz.calling import obey_on_terminal
from fuzz.hunt import Attempt, Fuzz, Outcome, obey
from fuzz.mutation import changed, damaged
from fuzz.sandbox import toy_in
from fuzz.words import deep, texts
from holdfast import catalogue
from holdfast.catalogue import Catalogue, System, read_card
from holdfast.report.digest import render
from toy_system import CARD


def toml(value: Any) -> str:
    """A value as an inline TOML value; what TOML lacks becomes text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_quoted(str(k))} = {toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else "inf"
    return str(value) if isinstance(value, int | float) else _quoted(str(value))


def _quoted(text: str) -> str:
    return json.dumps(text.encode(errors="replace").decode()).replace("\x7f", "\\u007f")


def document(card: Any) -> str:
    """A whole TOML file: top-level keys first, then what is nested, as inline tables."""
    if not isinstance(card, dict):
        return toml(card)
    return "".join(f"{_quoted(str(k))} = {toml(v)}\n" for k, v in card.items())


VALID = tomllib.loads(CARD.replace("NAME", "toy"))


@contextlib.contextmanager
def _reading(folder: Path) -> Iterator[tuple[st.SearchStrategy[bytes], Attempt]]:
    path = folder / "card.toml"
    valid = document(VALID).encode()
    assert read_card_of(path, valid).id == "toy"
    text = st.one_of(
        changed(VALID).map(document).map(str.encode),
        damaged(valid),
        damaged(CARD.encode()),
        texts.map(lambda t: t.encode(errors="surrogateescape") if _encodes(t) else b"\xff"),
        deep.map(lambda nested: f"id = {nested}".encode()),
        st.integers(1, 5000).map(lambda n: (("a." * n) + "b = 1").encode()),
    )

    def attempt(content: bytes) -> Outcome:
        path.write_bytes(content)
        return obey(lambda: read_card(path))

    yield text, attempt


def _encodes(text: str) -> bool:
    try:
        text.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        return False
    return True


def read_card_of(path: Path, content: bytes) -> Any:
    path.write_bytes(content)
    return read_card(path)


@contextlib.contextmanager
def _showing(folder: Path) -> Iterator[tuple[st.SearchStrategy[Any], Attempt]]:
    """Cards that are accepted are shown everywhere: list, show, the digest."""
    with toy_in(folder) as toy:
        package = toy.package

        def attempt(card: Any) -> Outcome:
            (package / "card.toml").write_text(document(card), encoding="utf-8")
            found: list[System] = []
            outcome = obey(
                lambda: found.append(System(read_card(package / "card.toml"), toy.name, package, "plugin t"))
            )
            if outcome == "refused":
                return outcome
            with contextlib.ExitStack() as stack:
                stack.enter_context(_only(found[0]))
                for line in (["list"], ["list", "--json"], ["show", found[0].id]):
                    assert obey_on_terminal(line) == "accepted", f"a good card, and {line} fails"
                render(catalogue.find())
            return "accepted"

        valid = {**VALID, "id": toy.name}
        said = st.builds(_with_texts, st.just(valid), st.lists(texts, min_size=12))
        yield st.one_of(said, said, changed(valid)), attempt


def _with_texts(card: Any, said: list[str]) -> Any:
    """The card with other free texts, one after the other."""
    left = [f"{text} x" for text in said]

    def other(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {k: other(v, k) for k, v in value.items()}
        if isinstance(value, list):
            return [other(v, key) for v in value]
        return left.pop() if isinstance(value, str) and key not in ("id", "areas") and left else value

    return other(card)


@contextlib.contextmanager
def _only(system: System) -> Iterator[None]:
    with mock.patch.object(catalogue, "find", return_value=Catalogue({system.id: system})):
        yield


FUZZES = (
    Fuzz(
        "card",
        "A card of nonsense",
        "random and damaged TOML; valid cards with fields changed, added or removed",
        2000,
        _reading,
    ),
    Fuzz(
        "card-shown",
        "Odd texts in a card that is accepted",
        "valid cards with fields changed, then `list`, `list --json`, `show` and the digest",
        300,
        _showing,
    ),
)
