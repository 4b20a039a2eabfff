import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from holdfast.errors import InputError
from holdfast.training.weight_average import EMA, Average


@given(st.floats(0, 0.9999), st.integers(1, 10**6))
def test_decay_is_a_decay_and_never_above_the_stated_one(decay, steps):
    used = EMA(decay).over(steps)
    assert 0 <= used <= decay
    assert used == decay or used == pytest.approx(max(0.0, 1 - 5 / steps))


@pytest.mark.parametrize("decay", [-0.1, 1.0, float("nan"), "0.9"])
def test_bad_decay(decay):
    with pytest.raises(InputError, match=r"^decay"):
        EMA(decay)


def test_starts_at_a_copy_and_follows_weights_and_statistics_by_the_recursion():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    average = Average(net, 0.8)
    floats = {name: t.clone() for name, t in net.state_dict().items() if t.is_floating_point()}
    for name, t in average.module.state_dict().items():
        assert torch.equal(t, net.state_dict()[name])
        assert t.data_ptr() != net.state_dict()[name].data_ptr()
    for _ in range(5):
        net(torch.randn(8, 3))
        with torch.no_grad():
            net[0].weight += torch.randn(4, 3)
        average.update()
        floats = {name: 0.8 * t + 0.2 * net.state_dict()[name] for name, t in floats.items()}
    state = average.module.state_dict()
    for name, t in floats.items():
        torch.testing.assert_close(state[name], t)
    assert state["1.num_batches_tracked"].item() == 5
    assert net.training
    assert not average.module.training


class Queue(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("queue", torch.zeros(2))
        self.register_buffer("count", torch.tensor(0))
        self.register_buffer("none", None)


def test_replaced_and_grown_buffers_are_followed():
    module = Queue()
    average = Average(module, 0.5)
    module.queue, module.count = torch.ones(2), torch.tensor(7)
    average.update()
    assert average.module.queue.tolist() == [0.5, 0.5]
    assert average.module.count.item() == 7
    module.queue = torch.ones(3)
    average.update()
    assert average.module.queue.tolist() == [1.0, 1.0, 1.0]
    assert average.module.queue is not module.queue
