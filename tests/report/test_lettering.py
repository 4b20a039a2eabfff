"""Text fits into the room there is, whatever script it is in."""

from __future__ import annotations

import matplotlib
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.textpath import TextToPath

from holdfast.report.lettering import fitted, width, wrapped

LETTERS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=60)


@pytest.mark.parametrize("text", ["AdaMatch - relative threshold", "iiii WWWW", "0.12 ± 3"])
def test_latin_text_is_as_wide_as_matplotlib_says(text):
    font = matplotlib.font_manager.FontProperties(family="DejaVu Sans", size=100)
    expected, _, _ = TextToPath().get_text_width_height_descent(text, font, ismath=False)
    assert width(text, 100) == pytest.approx(expected, rel=0.04)  # it kerns, and measures ink


def test_full_width_characters_take_an_em_and_combining_ones_nothing():
    assert width("数字", 10) == 20
    assert width("e\u0301", 10) == width("e", 10)


@given(LETTERS, st.floats(30, 300), st.sampled_from(["", " (n=8)"]))
def test_fitted_text_fits_and_keeps_its_note(text, room, note):
    found = fitted(text, room + width(note, 9), 9, note=note)
    assert width(found, 9) <= room + width(note, 9) + 1e-9
    assert found.endswith(note)
    assert "\n" not in found


def test_long_names_stay_different_at_their_ends():
    names = [f"a baseline whose name is far too long, with settings {kind}" for kind in "AB"]
    assert len({fitted(name, 120, 10) for name in names}) == 2
    assert fitted("AdaMatch", 120, 10) == "AdaMatch"


@given(LETTERS, st.integers(1, 4))
def test_wrapped_lines_fit_and_lose_nothing_unless_cut(text, most):
    lines = wrapped(text, 60, 10, most=most)
    assert 1 <= len(lines) <= most
    assert all(width(line, 10) <= 60 + 1e-9 for line in lines)
    if not lines[-1].endswith("…") and "…" not in text:
        assert "".join("".join(lines).split()) == "".join(wrapped(text, 1e9, 10)[0].split())


def test_chinese_is_broken_anywhere_and_latin_between_words():
    assert wrapped("从合成图像到真实照片", 40, 10) == ["从合成图", "像到真实", "照片"]
    assert wrapped("one two three", 50, 10) == ["one two", "three"]
