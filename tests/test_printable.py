"""Text made safe to print."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from holdfast.printable import clean, clean_line, without_home


@given(st.text(st.characters()))
def test_a_clean_line_is_one_line_that_can_be_encoded_and_controls_nothing(text: str) -> None:
    line = clean_line(text)
    assert len(line.splitlines()) <= 1
    assert line == clean_line(line)
    line.encode()
    assert not any(c < " " or "\x7f" <= c <= "\x9f" or "\u202a" <= c <= "\u202e" for c in line)


@given(st.text(st.characters(categories=("L", "N", "P", "Zs"))))
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert clean(text) == text
    assert clean_line(f"a{text}b") == f"a{text}b"


def test_the_home_folder_is_left_out(monkeypatch) -> None:
    monkeypatch.setenv("HOME", "/home/me/")
    assert without_home("in /home/me/x.py and /home/me") == "in ~/x.py and ~"
    monkeypatch.setenv("HOME", "/")
    assert without_home("in /home/me") == "in /home/me"
