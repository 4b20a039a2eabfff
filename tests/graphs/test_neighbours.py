"""Nearest places against distances by hand."""

import math

import pytest
import torch

from holdfast.graphs.neighbours import distances, nearest, nearest_spacing


def test_nearest():
    index, distance = nearest(torch.tensor([[0.9, 0.0], [5.0, 4.0]]), torch.tensor([[0.0, 0.0], [1.0, 0.0]]))
    assert index.tolist() == [1, 1]
    assert distance.tolist() == pytest.approx([0.1, math.sqrt(32)])


def test_small_distances_of_many_places_keep_their_digits():
    places = torch.rand(100, 2) + 50
    assert float(distances(places, places).diagonal().max()) == 0
    assert float(distances(places, places + torch.tensor([0.0, 0.5])).diagonal().min()) == pytest.approx(0.5, abs=1e-5)


def test_spacing():
    places = torch.tensor([[0.0], [1.0], [3.0], [10.0]])  # nearest: 1, 1, 2, 7
    assert nearest_spacing(places) == 1
    assert nearest_spacing(places[1:]) == 2
    assert nearest_spacing(torch.tensor([[2.0], [2.0]])) == 1
