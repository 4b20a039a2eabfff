import pytest
import torch
from torch import nn

from holdfast.errors import InputError
from holdfast.training.inference import forward_in_batches


@pytest.mark.parametrize("size", [1, 3, 7, 100])
def test_equals_one_call_in_evaluation_mode(size):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Dropout(0.5), nn.Linear(5, 2))
    net(torch.randn(16, 4))
    net.train()
    net[1].eval()  # a frozen part stays frozen
    before = {name: t.clone() for name, t in net.state_dict().items()}
    x = torch.randn(7, 4)
    out = forward_in_batches(net, x, size=size)
    assert [m.training for m in net] == [True, False, True, True]
    assert net.training
    assert not out.requires_grad
    for name, t in net.state_dict().items():
        assert torch.equal(t, before[name])
    torch.testing.assert_close(out, net.eval()(x).detach())


def test_flags_are_restored_after_an_error():
    net = nn.Linear(4, 2)
    with pytest.raises(RuntimeError):
        forward_in_batches(net, torch.zeros(3, 5))
    assert net.training


def test_progress_counts_rows():
    calls = []
    forward_in_batches(
        nn.Identity(), torch.zeros(5, 1), size=2, on_step=lambda done, total: calls.append((done, total))
    )
    assert calls == [(2, 5), (4, 5), (5, 5)]


@pytest.mark.parametrize(("x", "size", "name"), [(torch.zeros(0, 3), 2, "x"), (torch.zeros(3, 3), 0, "size")])
def test_bad_input(x, size, name):
    with pytest.raises(InputError, match=f"^{name}:"):
        forward_in_batches(nn.Identity(), x, size=size)
