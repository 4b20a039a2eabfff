from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.report import wording


@given(st.floats(-1e300, 1e300) | st.sampled_from([math.nan, math.inf, -math.inf]))
def test_a_printed_number_reads_back_to_three_digits_and_the_rest_is_a_dash(value):
    printed = wording.number(value)
    if not math.isfinite(value):
        assert printed == wording.NONE
    else:
        assert float(printed.replace(",", "")) == pytest.approx(value, rel=6e-3, abs=0)


@given(st.text(st.characters(categories=["Cc", "Cs", "Cf", "Lu"])))
def test_clean_text_can_be_encoded_and_holds_no_terminal_escape(text):
    cleaned = wording.clean(text)
    assert cleaned.encode("utf-8").decode("utf-8") == cleaned
    assert not any(ord(c) < 32 and c not in "\n\t" for c in cleaned)
    assert "\u202e" not in cleaned
    assert wording.clean(cleaned) == cleaned


@pytest.mark.parametrize("value", [None, "text", True, float("nan"), float("inf"), [1]])
def test_what_is_no_finite_number_is_a_dash(value):
    assert wording.number(value) == wording.NONE


def test_numpy_scalars_print_like_python_ones():
    import numpy as np

    assert wording.number(np.float32(81.25)) == "81.2"
    assert wording.number(np.int64(3)) == "3"


def test_mean_and_sd_share_their_decimals():
    assert wording.spread(0.5, 0.25) == "0.50 ± 0.25"
    assert wording.spread(1234.5, 56.7) == "1,234 ± 57"
    assert wording.spread(math.nan, 1.0) == wording.NONE
    assert wording.spread(81.2, math.nan) == "81.2"


@pytest.mark.parametrize(
    ("pair", "said"),
    [
        ((10, math.inf), "at least 10 %"),
        ((-math.inf, 0), "at most 0 %"),
        ((-1, 1), "between -1 and 1 %"),
        ((5, 5), "exactly 5 %"),
        ((-math.inf, math.inf), wording.NONE),
        (None, wording.NONE),
    ],
)
def test_regions_in_words(pair, said):
    assert wording.region(pair, "%") == said


def test_only_an_undecided_verdict_asks_for_replicates(verdict):
    assert wording.sample_size(verdict(needed=40)) == ""
    assert "About 40 replicates" in wording.sample_size(verdict(verdict="undecided", needed=40))
    assert "second look" in wording.sample_size(verdict(verdict="undecided", needed=None, wants_more=True))


def test_wins_carry_their_interval(verdict):
    assert wording.wins(verdict(wins=8, n=8, wins_interval=(0.6306, 1.0))) == "8 of 8 replicates (63 to 100 %)"
    assert wording.wins(verdict(wins=None, wins_interval=None)) == wording.NONE


def test_no_end_is_rounded_across_the_edge_of_the_region(verdict):
    near = verdict(effect=12.0, interval=(9.9996, 14.0), region=(10.0, math.inf))
    _, interval = wording.measured(near)
    low = float(interval[1:].split(",")[0])
    assert low < 10.0
    assert wording.measured(verdict(effect=19.94, interval=(17.82, 22.06))) == ("+19.9", "[17.8, 22.1]")
    assert wording.measured(verdict(effect=None, interval=None)) == (wording.NONE, wording.NONE)
    assert wording.measured(verdict(effect=3.0, interval=None)) == ("+3.00", wording.NONE)


def test_an_effect_without_a_region_or_an_interval_is_still_worded(verdict):
    assert wording.effect(verdict(effect=2.0, interval=(1.0, 3.0), region=None)) == "+2.0 [1.0, 3.0] %, n = 8"
    assert wording.effect(verdict(effect=None)) == ""
    assert wording.region((-5e-324, 5e-324), "") == "exactly 0"
