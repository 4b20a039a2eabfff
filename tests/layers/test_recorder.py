"""What modules give, in the order of execution."""

import torch
from torch import nn

from holdfast.layers.recorder import OutputRecorder


class Twice(nn.Module):
    """Calls one layer twice, another in between, and gives a tuple that starts with whole numbers."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.unused = nn.Linear(3, 3), nn.Tanh(), nn.Linear(1, 1)

    def forward(self, x):
        x = self.a(self.b(self.a(x)))
        return torch.arange(2), {"loss": x.sum(), "x": x}


def test_the_last_call_counts_and_the_first_tensor_of_what_is_given():
    net, x = Twice().double(), torch.randn(2, 3, dtype=torch.float64)
    with OutputRecorder(net) as recorder:
        net(x)
    found = recorder.outputs()
    assert list(found) == ["b", "a", ""]
    once = net.b(net.a(x))
    torch.testing.assert_close(found["b"], once.float())
    torch.testing.assert_close(found["a"], net.a(once).float())
    assert torch.equal(found[""], found["a"])
    assert not any(output.requires_grad for output in found.values())
    assert recorder.leaves == {"a", "b", "unused"}


def test_later_hooks_are_not_seen_and_nothing_stays_on_the_model():
    net = nn.Sequential(nn.Linear(2, 2))
    net[0].register_forward_hook(lambda module, args, output: output * 2)
    x = torch.randn(1, 2)
    with OutputRecorder(net) as recorder:
        given = net(x)
    torch.testing.assert_close(recorder.outputs()["0"] * 2, given)
    assert [len(module._forward_hooks) for module in net.modules()] == [0, 1]
    net(torch.zeros(1, 2))
    torch.testing.assert_close(recorder.outputs()["0"] * 2, given)
