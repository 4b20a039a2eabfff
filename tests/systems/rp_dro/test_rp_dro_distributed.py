"""Ratios are normalised over the batch of all processes: two of them train as one does."""

from __future__ import annotations

import pytest
import torch
from torch import multiprocessing

from holdfast.layers.perceptron import Perceptron, classifier
from holdfast.systems.rp_dro import RPDRO, RatioAdversary
from holdfast.training.distributed import average_gradients


def made():
    torch.manual_seed(0)
    learner = RPDRO(
        classifier(Perceptron(3, 5), 2), RatioAdversary(Perceptron(3, 5), 2, init="random"), 0.2, alpha=0.7
    ).double()
    return learner, torch.randn(8, 3, dtype=torch.float64), torch.arange(8) % 2


def gradients(learner, x, y):
    model_loss, adversary_loss, parts = learner.losses({"x": x, "y": y}, torch.Generator())
    model_loss.backward()
    adversary_loss.backward()
    average_gradients(learner.parameters())
    values = [model_loss.detach(), adversary_loss.detach(), *parts.values()]
    return values, [p.grad for p in learner.parameters()]


def _rank(rank, store, results):
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2)
    learner, x, y = made()
    results[rank] = gradients(learner, x.chunk(2)[rank], y.chunk(2)[rank])
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes_equal_one_on_the_joined_batch(tmp_path):
    results = multiprocessing.get_context("spawn").Manager().dict()
    multiprocessing.spawn(_rank, (str(tmp_path / "store"), results), nprocs=2)
    values, expected = gradients(*made())
    apart = [gradients(made()[0], x, y)[0] for x, y in zip(*(t.chunk(2) for t in made()[1:]), strict=True)]
    assert abs(float(sum(v[0] for v in apart) / 2 - values[0])) > 1e-4  # normalised apart it would be another method
    for rank in range(2):
        torch.testing.assert_close(results[rank][0], values)
        torch.testing.assert_close(results[rank][1], expected)
