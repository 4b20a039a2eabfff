"""Small networks are trained by one thread, large ones by as many as before."""

import torch
from torch import nn

from holdfast.training.threads import threads_for


def test_only_small_networks_get_one_thread() -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        for net, wanted in ((nn.Linear(10, 10), 1), (nn.Linear(1000, 1000, bias=False), 3), (nn.Identity(), 1)):
            with threads_for(net):
                assert torch.get_num_threads() == wanted
            assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
