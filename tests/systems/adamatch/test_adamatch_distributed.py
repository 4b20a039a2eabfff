"""Two processes agree with one."""

import pytest
import torch
from torch import multiprocessing

from holdfast.losses.alignment import TO_SOURCE_PREDICTIONS
from holdfast.systems.adamatch import (
    AdaMatchLoss,
)

K = 4


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def logits(seed, n, k=K, scale=2.0):
    return scale * torch.randn(n, k, generator=rng(seed), dtype=torch.float64)


def _rank(rank, store, z, y, results):
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2)
    criterion = AdaMatchLoss(K).double()
    out = []
    for step in range(2):
        mine = [x[step].chunk(2)[rank] for x in z]
        parts = criterion(mine[0], mine[1], y.chunk(2)[rank], mine[2], mine[3], 0.5)
        q = criterion.aligner(mine[2].softmax(1))
        out.append(
            (
                parts["threshold"],
                criterion.aligner.p_src.clone(),
                criterion.aligner.p_tgt,
                q.amax(1) >= parts["threshold"],
                parts["loss"],
            )
        )
    results[rank] = out
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes_equal_one_on_the_joined_batch(tmp_path):
    z = [torch.stack([logits(10 * s + i, n) for s in range(2)]) for i, n in enumerate((8, 8, 24, 24))]
    y = torch.randint(0, K, (8,), generator=rng())
    results = multiprocessing.get_context("spawn").Manager().dict()
    multiprocessing.spawn(_rank, (str(tmp_path / "store"), z, y, results), nprocs=2)
    criterion = AdaMatchLoss(K, align=TO_SOURCE_PREDICTIONS).double()
    for step in range(2):
        parts = criterion(*(x[step] for x in z[:2]), y, *(x[step] for x in z[2:]), 0.5)
        mask = criterion.aligner(z[2][step].softmax(1)).amax(1) >= parts["threshold"]
        assert 0 < int(mask.sum()) < len(mask)
        for rank in range(2):
            threshold, p_src, p_tgt, mine, _ = results[rank][step]
            torch.testing.assert_close(threshold, parts["threshold"])
            torch.testing.assert_close(p_src, criterion.aligner.p_src)
            torch.testing.assert_close(p_tgt, criterion.aligner.p_tgt)
            assert torch.equal(mine, mask.chunk(2)[rank])
        torch.testing.assert_close((results[0][step][4] + results[1][step][4]).detach() / 2, parts["loss"])
