"""The paper's h between standardised embeddings: what standardising does to inputs, targets, classifier and errors."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from holdfast.layers.standardise import Standardise
from holdfast.systems.fct import MLP, TransformTraining

RNG = np.random.default_rng(0)
OLD, SIDE = RNG.normal(2, 3, size=(80, 4)), RNG.normal(-1, 0.5, size=(80, 2))
NEW = np.tanh(OLD[:, :3]) * [1.0, 5.0, 0.2] + [3.0, 0.0, -7.0]
W, LABELS = RNG.normal(size=(5, 3)), np.arange(80) % 5
TRAINING = TransformTraining(epochs=2, batch_size=16)


def tensor(x) -> torch.Tensor:
    return torch.tensor(np.asarray(x), dtype=torch.float32)


def moments(x) -> tuple[list[float], list[float]]:
    """Mean and variance of each column, by loops."""
    means = [sum(column) / len(column) for column in x.T.tolist()]
    variances = [sum((v - m) ** 2 for v in c) / len(c) for c, m in zip(x.T.tolist(), means, strict=True)]
    return means, variances


def test_standardising_takes_each_dimension_s_spread_or_one_for_all() -> None:
    x = np.c_[NEW, np.full(80, 4.0)]
    means, variances = moments(x)
    each, common = Standardise(4).learn(tensor(x)), Standardise(4).learn(tensor(x), each=False)
    for made in (each, common):
        assert made.mean.tolist() == pytest.approx(means, rel=1e-5)
        assert np.allclose(made.back(made(tensor(x))), x, atol=1e-5)
        assert np.allclose(made(tensor(x)), (x - means) / made.scale.numpy(), atol=1e-5)
    assert each.scale.tolist() == pytest.approx([math.sqrt(v) for v in variances[:3]] + [1.0], rel=1e-5)
    assert common.scale.tolist() == pytest.approx([math.sqrt(sum(variances) / 4)] * 4, rel=1e-5)
    constant = Standardise(4).learn(tensor(np.ones((5, 4))), each=False)
    assert constant.scale.tolist() == [1.0] * 4


@pytest.mark.parametrize("new", [NEW, NEW[:, :1]], ids=["3 dimensions", "1 dimension"])
def test_new_embeddings_in_other_units_give_the_same_map_in_those_units(new) -> None:
    """Scaled by a power of two, so that nothing is rounded otherwise: predictions scale with it, errors squared."""
    method = MLP(inner_dim=8, training=TRAINING, uncertainty=True)
    one, other = method.fit(OLD, new, SIDE, seed=3), method.fit(OLD, 8 * new, SIDE, seed=3)
    x, side = tensor(OLD), tensor(SIDE)
    assert torch.allclose(other(x, side), 8 * one(x, side), rtol=1e-4, atol=1e-4)
    assert torch.allclose(other.expected_error(x, side), 64 * one.expected_error(x, side), rtol=1e-3)


def given_to_training(monkeypatch, **changes) -> dict:
    """What `MLP.fit` hands to the training of h."""
    told: dict = {}

    def train(transform, old, new, side, **options) -> None:
        told.update(old=old, new=new, side=side, **options)

    monkeypatch.setattr("holdfast.systems.fct.tool.transform.train_transform", train)
    MLP(inner_dim=8, **changes).fit(OLD, NEW, SIDE, labels=LABELS, classifier=W, seed=1)
    return told


def test_the_classifier_sees_the_embeddings_as_they_were(monkeypatch) -> None:
    """W z is what the classifier that training is given makes of standardised z."""
    told = given_to_training(monkeypatch)
    logits = told["new"] @ told["classifier"].T + told["bias"]
    assert np.allclose(logits, NEW @ W.T, atol=1e-4)
    assert (told["labels"].tolist(), told["labels"].dtype) == (LABELS.tolist(), torch.int64)


def test_inputs_are_standardised_each_dimension_by_itself(monkeypatch) -> None:
    told = given_to_training(monkeypatch)
    for name in ("old", "side"):
        means, variances = moments(told[name].double().numpy())
        assert means == pytest.approx([0] * len(means), abs=1e-5)
        assert variances == pytest.approx([1] * len(means), rel=1e-4)


def test_without_standardising_all_is_as_given(monkeypatch) -> None:
    told = given_to_training(monkeypatch, standardise=False)
    for name, x in {"old": OLD, "new": NEW, "side": SIDE, "classifier": W}.items():
        assert torch.equal(told[name], tensor(x))
    assert not told["bias"].any()
