"""Segments joined until all are long and sure enough: against properties and sequences worked out by hand."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from holdfast.data.series.segments import Joined, join_segments


def test_the_shortest_goes_first_to_the_side_that_divides_it_less():
    masses = {50: 0.9, 51: 0.8, 54: 0.99}
    starts, found, joined = join_segments([0, 50, 51, 54], 100, lambda a, b, c: masses[b], min_length=5, min_mass=0.5)
    assert starts == [0, 54]  # 50 to 51 joins what follows, and then 50 to 54, still too short, what is before
    assert found == [1.0, 0.99]
    assert joined == [Joined(50, 51, None), Joined(50, 54, None)]


def test_a_doubtful_beginning_goes_and_its_neighbours_are_asked_again():
    asked = []

    def mass(start, middle, end):
        asked.append((start, middle, end))
        return {20: 0.9, 40: 0.2, 70: 0.6}[middle] + 0.05 * (start == 20 and middle == 70)

    starts, masses, joined = join_segments([0, 20, 40, 70], 100, mass, min_length=1, min_mass=0.5)
    assert starts == [0, 20, 70]
    np.testing.assert_allclose(masses, [1, 0.9, 0.65])
    assert joined == [Joined(40, 70, 0.2)]
    assert asked == [(0, 20, 40), (20, 40, 70), (40, 70, 100), (0, 20, 70), (20, 70, 100)]


@given(st.sets(st.integers(1, 59), max_size=12), st.integers(1, 80), st.floats(0, 1), st.integers(0, 1000))
def test_what_is_left_keeps_the_rules(cuts, min_length, min_mass, seed):
    table = np.random.default_rng(seed).random(61)
    given_starts = [0, *sorted(cuts)]
    starts, masses, joined = join_segments(
        given_starts, 60, lambda a, b, c: float(table[b]), min_length=min_length, min_mass=min_mass
    )
    assert set(starts) <= set(given_starts)
    assert starts[0] == 0
    assert len(starts) + len(joined) == len(given_starts)
    lengths = np.diff([*starts, 60])
    assert len(starts) == 1 or lengths.min() >= min_length
    assert all(mass >= min_mass for mass in masses[1:])


def test_nothing_and_one():
    assert join_segments([], 0, lambda a, b, c: 0.0, min_length=5, min_mass=1) == ([], [], [])
    assert join_segments([0], 2, lambda a, b, c: 0.0, min_length=5, min_mass=1) == ([0], [1.0], [])
