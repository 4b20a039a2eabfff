"""The comparison of old, migrated and new galleries."""

from __future__ import annotations

import numpy as np
import pytest

from holdfast.errors import InputError
from holdfast.systems.fct import compat_report

Q = np.random.default_rng(0).normal(size=(60, 8))
Y = np.arange(60) % 5
OWN = {"query_ids": np.arange(60), "gallery_ids": np.arange(60)}


def test_the_report_with_new_vectors_as_the_migrated_ones_gives_new_new() -> None:
    report = compat_report(Q, Q[:, :4], Q, Q, q_old=Q[:, :4], labels=Y, **OWN)
    assert report.table.loc["new/migrated"].equals(report.table.loc["new/new"])
    assert list(report.table.columns) == ["CMC top-1", "CMC top-5", "mAP", "recall@10"]
    assert list(report.table.index) == ["old/old", "new/migrated", "new/new"]
    assert set(report.kept.values()) == {1.0}
    same_size = compat_report(Q, Q + 1, Q, labels=Y, **OWN)
    assert list(same_size.table.index) == ["new/old", "new/migrated"]


def test_something_to_compare_with_is_needed() -> None:
    with pytest.raises(InputError, match="g_new, labels"):
        compat_report(Q, Q, Q)
