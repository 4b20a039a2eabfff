"""What was weighted up: shares and means against loops over rows."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from holdfast.data.readers.labelled_rows import read_rows
from holdfast.systems.rp_dro.tool.upweighted import draw, upweighted


@pytest.fixture
def rows(tmp_path):
    frame = pd.DataFrame(
        {
            "y": ["a", "a", "a", "a", "b", "b"],
            "size": [1.5, 2.5, 3.5, 4.5, 1.25, 2.25],
            "town": ["Ash", "Ash", "Elm", None, "Elm", "Elm"],
            "text": ["so it is", "so it was", "it is", "it is", "so", "no"],
        }
    )
    frame.to_csv(tmp_path / "d.csv", index=False)
    return lambda text=None: read_rows(tmp_path / "d.csv", label="y", group=None, text=text)


WEIGHTS = np.array([2.0, 0.5, 0.5, 1.0, 1.5, 0.5])


def lines(summary):
    return {(row.label, row.what): row for row in summary.itertuples()}


def test_shares_and_means_per_label(rows):
    found = lines(upweighted(rows(), WEIGHTS))
    ash = found["a", "town = Ash"]
    assert (ash.plain, ash.weighted) == (0.5, 2.5 / 4)
    assert ash.change == pytest.approx(math.log2(1.25))
    assert found["a", "town = (none)"].weighted == 0.25
    assert ("b", "town = Elm") not in found  # all of them: nothing to tell
    size = found["a", "size"]
    assert size.plain == 3.0
    assert size.weighted == pytest.approx((2 * 1.5 + 0.5 * 2.5 + 0.5 * 3.5 + 4.5) / 4)
    spread = np.std([1.5, 2.5, 3.5, 4.5, 1.25, 2.25])
    assert size.change == pytest.approx((size.weighted - 3.0) / spread)
    label = found["b", "all rows"]
    assert (label.plain, label.weighted) == (pytest.approx(2 / 6), pytest.approx(2 / 6))


def test_words_and_the_order(rows):
    summary = upweighted(rows("text"), WEIGHTS)
    found = lines(summary)
    assert (found["a", 'word "so"'].plain, found["a", 'word "so"'].weighted) == (0.5, 2.5 / 4)
    assert (found["b", 'word "no"'].plain, found["b", 'word "no"'].weighted) == (0.5, 0.25)
    assert ("a", 'word "it"') not in found
    changes = summary["change"].abs().tolist()
    assert changes == sorted(changes, reverse=True)


def test_the_figure_shows_every_weight_and_the_largest_changes(rows):
    summary = upweighted(rows(), WEIGHTS)
    left, right = draw(summary, WEIGHTS, most=3).axes
    assert sum(patch.get_height() for patch in left.patches) == len(WEIGHTS)
    names = [tick.get_text() for tick in right.get_yticklabels()]
    first = summary[summary["what"] != "all rows"].iloc[0]
    assert len(names) == 3
    assert names[-1] == f"{first['label']}: {first['what']}"
