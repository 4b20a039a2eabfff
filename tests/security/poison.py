"""Puts a payload into every text of nested declarations, the same text always becoming the same payload."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping
from html.parser import HTMLParser
from typing import Any

PAYLOAD = (
    '"><script>alert(7)</script></script></title></style><img src=x onerror=alert(7)>'
    "<iframe src=javascript:alert(7)>' onload='alert(7)' {{7*7}}{%x%}]]>--> [x](javascript:alert(7)) <!--"
    "\x1b[31m\x1b]8;;https://example.org\x07link\x1b]8;;\x07\x9b0m\x00\u202e[bold]b[/bold][/]|`x` ${7*7}\ud800"
)
# Words with a meaning to holdfast, or names of files: not free text.
WORDS = {"role", "verdict", "status", "kind", "direction", "file", "key", "source", "id", "arxiv", "url", "areas"}
KEYS = WORDS | {
    *("x", "y", "x_label", "values", "units", "name", "caption", "arm", "configuration", "pilots", "mean", "chosen"),
    *(
        "text",
        "why",
        "pairs",
        "problem",
        "type",
        "tuned",
        "tuning",
        "frozen_at",
        "looks",
        "seconds",
        "peak_bytes",
        "question",
        "arms",
    ),
}
ANYWHERE = {"script", "img", "iframe", "object", "embed", "form", "link", "base", "meta", "a", "input", "button"}


class Poison:
    """Callable on anything; remembers which fields of which dataclasses it has reached."""

    def __init__(self, payload: str = PAYLOAD) -> None:
        self.payload = payload
        self.reached: set[tuple[str, str]] = set()
        self._given: dict[str, str] = {}

    def text(self, text: str) -> str:
        """The text, a number of its own, and the payload."""
        return self._given.setdefault(text, f"{text[:20]} <b id=p{len(self._given)}>{self.payload}")

    def __call__(self, value: Any) -> Any:
        """The same thing with every text in it poisoned, keys of mappings too."""
        if isinstance(value, str):
            return self.text(value)
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return self._dataclass(value)
        if isinstance(value, Mapping):
            return {k if k in KEYS else self(k): v if k in WORDS else self(v) for k, v in value.items()}
        if isinstance(value, list | tuple):
            return type(value)(map(self, value))
        return value

    def _dataclass(self, value: Any) -> Any:
        new = object.__new__(type(value))
        for field in dataclasses.fields(value):
            old = getattr(value, field.name)
            if field.name not in WORDS or (field.name == "source" and isinstance(old, str)):
                if _holds_text(old):
                    self.reached.add((type(value).__name__, field.name))
                old = self(old)
            object.__setattr__(new, field.name, old)
        return new


def _holds_text(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(_holds_text(v) for v in (*value, *value.values()))
    return isinstance(value, str) or (isinstance(value, list | tuple) and any(map(_holds_text, value)))


def texts_of(kind: type) -> set[tuple[str, str]]:
    """(class, field) of every field of a dataclass that is declared to hold text and is no word of holdfast's."""
    named = ((f.name, str(f.type)) for f in dataclasses.fields(kind))
    return {(kind.__name__, name) for name, said in named if "str" in said and name not in WORDS}


class Shape(HTMLParser):
    """What a page is made of, without its text."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.kinds: set[tuple[str, tuple[str, ...]]] = set()
        self.tags: Counter[str] = Counter()
        self.addresses: list[str] = []
        self.said: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.kinds.add((tag, tuple(sorted({name for name, _ in attrs}))))
        self.tags[tag] += 1
        self.addresses += [value or "" for name, value in attrs if name in ("href", "src", "action", "srcset", "data")]

    def handle_data(self, data: str) -> None:
        self.said.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment appeared: {data[:80]}")


def assert_same_shape(clean: str, poisoned: str, may_vary: frozenset[str] = frozenset()) -> None:
    """Text has changed, and nothing else: no new kind of element or attribute, no more of those that act."""
    before, after = Shape(clean), Shape(poisoned)
    assert after.kinds <= before.kinds, after.kinds - before.kinds
    for tag in ANYWHERE - may_vary:
        assert after.tags[tag] <= before.tags[tag], f"{tag}: {before.tags[tag]} became {after.tags[tag]}"
    for address in after.addresses:
        assert address.startswith(("#", "data:image/", "https://arxiv.org/abs/", "https://example.org/", "artifacts/"))
    assert "alert(7)" in "".join(after.said), "the payload is not on the page at all"
    assert_no_controls(poisoned)


def assert_no_controls(text: str) -> None:
    """Nothing that moves a cursor, opens a link in a terminal, or turns text around."""
    bad = [c for c in text if (c < " " and c not in "\n\t") or "\x7f" <= c <= "\x9f" or "\u202a" <= c <= "\u202e"]
    assert not bad, bad[:5]
