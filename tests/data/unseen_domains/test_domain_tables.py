"""Parts of tables with domains; reading them is tested with the verbs of d3g."""

import numpy as np
import pytest
import torch

from holdfast.data.unseen_domains.tables import adjacency_of, domain_means, is_classes
from holdfast.data.unseen_domains.worlds import balanced_rows


def test_domains_are_seen_equally_often():
    found = balanced_rows(torch.tensor([1, 0, 1, 1, 2]))
    assert sorted(found.tolist()) == [0, 1, 1, 1, 2, 3, 4, 4, 4]


def test_metadata_that_differ_within_a_domain_are_averaged():
    means, varying = domain_means(np.array([[1.0], [3.0], [5.0], [5.0]]), np.array(["b", "b", "a", "a"]))
    assert means.tolist() == [[5.0], [2.0]]
    assert varying == 1


def test_edges_count_both_ways_and_not_to_oneself():
    found = adjacency_of(["a", "b", "c"], [("a", "b", 2.0), ("c", "c", 1.0), ("c", "d", 1.0)])
    assert found.tolist() == [[0, 2, 0], [2, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize(
    ("y", "classes"),
    [
        (np.array(["a", "b"]), True),
        (np.array([True, False]), True),
        (np.array([0, 1, 1]), True),
        (np.array([0.0, 1.0]), True),
        (np.array([0.5, 1.0]), False),
        (np.arange(21), False),
        (np.arange(20), True),
    ],
)
def test_which_targets_are_classes(y, classes):
    assert is_classes(y) == classes
