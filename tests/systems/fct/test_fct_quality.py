"""Qualities of a migration and their intervals."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from holdfast.systems.fct.tool.quality import predict_quality, row_qualities, summary
from holdfast.systems.fct.tool.uncertainty import ResidualNeighbours

RNG = np.random.default_rng(0)


def test_qualities_by_loops() -> None:
    new, moved = RNG.normal(size=(40, 5)), RNG.normal(size=(40, 5))
    moved += new
    found, centre = row_qualities(moved, new, new.mean(0), "l2"), new.mean(0)
    typical = np.mean([np.sum((row - centre) ** 2) for row in new])
    for i in range(40):
        d_new, d_moved = (np.linalg.norm(gallery - new[i], axis=1) for gallery in (new, moved))
        others = [j for j in range(40) if j != i]
        true = set(sorted(others, key=lambda j: d_new[j])[:10])
        mine = set(sorted(others, key=lambda j: d_moved[j])[:10])
        assert found["recall@10"][i] == len(true & mine) / 10
        assert found["finds itself"][i] == (d_moved.argmin() == i)
        assert found["relative error"][i] == pytest.approx(np.sum((moved[i] - new[i]) ** 2) / typical)
        cosine = moved[i] @ new[i] / np.linalg.norm(moved[i]) / np.linalg.norm(new[i])
        assert found["cosine"][i] == pytest.approx(cosine)


def test_predictions_stay_within_what_is_possible() -> None:
    """Rows that all fall where the held-out pairs fared best."""
    points = RNG.normal(size=(60, 2)).astype(np.float32)
    good = (points[:, 0] > 0).astype(float)
    known = ResidualNeighbours.of(torch.from_numpy(points), torch.ones(60))
    rows = np.abs(points) + np.array([2, 0])
    found = predict_quality(rows, known, {"finds itself": good, "relative error": 1 - good}).qualities
    for estimate in found.values():
        assert estimate.low >= 0
    assert found["finds itself"].high <= 1
    assert found["finds itself"].value > good.mean()
    assert summary({"finds itself": good})["finds itself"].value == good.mean()
