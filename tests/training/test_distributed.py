"""With one process; two processes are in test_training.py and, for gradients, below."""

import os
import subprocess
import sys

import pytest
import torch
from torch import nn

from holdfast.training.distributed import all_mean, all_minimum, average_gradients, share_state, world_size

SCRIPT = """
import sys
import torch, torch.distributed as dist
from torch import nn
from holdfast.training import distributed
from holdfast.training.distributed import all_mean, all_minimum, average_gradients, share_state

rank = int(sys.argv[1])
dist.init_process_group("gloo", init_method="file://" + sys.argv[2], rank=rank, world_size=2)
distributed.BUCKET = 7  # several buckets, one of them smaller than its parameter
shapes = [(3,), (2, 2), (10,), (1,), ()]
parameters = [nn.Parameter(torch.zeros(s)) for s in shapes] + [nn.Parameter(torch.zeros(2, dtype=torch.float64))]
both, only_first, neither = {0, 2, 5}, {1, 4}, {3}
for i, p in enumerate(parameters):
    if i in both or (i in only_first and rank == 0):
        p.grad = torch.full_like(p, 10.0 * i + rank)
for _ in range(2):  # averaging twice changes nothing
    average_gradients(parameters)
    for i, p in enumerate(parameters):
        if i in neither:
            assert p.grad is None
        else:
            expected = 10.0 * i + 0.5 if i in both else 5.0 * i
            assert torch.equal(p.grad, torch.full_like(p, expected)), (i, p.grad)
assert all_mean(torch.tensor(3 * rank)).item() == 1.5
x = torch.tensor([float(rank)], requires_grad=True)
assert all_mean(x).item() == 0.5 and x.item() == rank and not all_mean(x).requires_grad
assert all_minimum(5 - rank, torch.device("cpu")) == 4
module = nn.BatchNorm1d(2)
nn.init.constant_(module.weight, rank + 1.0)
module.num_batches_tracked.fill_(rank)
share_state(module)
assert module.weight.tolist() == [1.0, 1.0] and module.num_batches_tracked.item() == 0
dist.destroy_process_group()
"""


def test_one_process_changes_nothing():
    x = torch.tensor([1.0, 2.0])
    assert all_mean(x) is x
    assert all_minimum(3, torch.device("cpu")) == 3
    assert world_size() == 1
    p = nn.Parameter(torch.ones(2))
    average_gradients([p])
    assert p.grad is None
    share_state(nn.Linear(2, 2))


@pytest.mark.slow
def test_two_processes(tmp_path):
    script = tmp_path / "check.py"
    script.write_text(SCRIPT)
    command = [sys.executable, str(script)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    processes = [
        subprocess.Popen(
            [*command, str(rank), str(tmp_path / "meet")], stderr=subprocess.PIPE, text=True, env=environment
        )
        for rank in (0, 1)
    ]
    for process in processes:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors[-3000:]
