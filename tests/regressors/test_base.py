"""Rows that are built when they are asked for."""

import numpy as np

from holdfast.regressors.base import RowSource


def test_rows_asked_for_one_by_one_are_those_of_the_blocks() -> None:
    table = np.random.default_rng(0).normal(size=(23, 3))
    source = RowSource(23, 5, lambda part: table[part], lambda k: table[:, k])
    np.testing.assert_array_equal(np.concatenate(list(source.blocks())), table)
    np.testing.assert_array_equal(np.stack([source.row(k) for k in (22, 3, 4, 5, 0)]), table[[22, 3, 4, 5, 0]])
