"""Rows of all processes: the losses and averaged gradients of two processes are those of one on the joined batch."""

from __future__ import annotations

import pytest
import torch
from torch import multiprocessing, nn

from holdfast.training.distributed import average_gradients, gather_rows


def test_one_process_has_all_rows():
    x = torch.randn(3, 2, requires_grad=True)
    assert gather_rows(x) is x


def loss_of(net: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """A softmax over the batch: no mean of the processes' own losses."""
    scores = gather_rows(net(x).squeeze(1))
    return (scores.softmax(0) * scores.square()).sum()


def made(seed: int = 0) -> tuple[nn.Module, torch.Tensor]:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)).double(), torch.randn(6, 3, dtype=torch.float64)


def _rank(rank: int, store: str, results: dict) -> None:
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2)
    net, x = made()
    loss = loss_of(net, x.chunk(2)[rank])
    loss.backward()
    average_gradients(net.parameters())
    results[rank] = (loss.detach(), gather_rows(x.chunk(2)[rank]), [p.grad for p in net.parameters()])
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes_equal_one_on_the_joined_batch(tmp_path):
    results = multiprocessing.get_context("spawn").Manager().dict()
    multiprocessing.spawn(_rank, (str(tmp_path / "store"), results), nprocs=2)
    net, x = made()
    loss = loss_of(net, x)
    loss.backward()
    for rank in range(2):
        value, rows, gradients = results[rank]
        torch.testing.assert_close(value, loss.detach())
        assert torch.equal(rows, x)
        for ours, p in zip(gradients, net.parameters(), strict=True):
            torch.testing.assert_close(ours, p.grad)
