import pytest
import torch
from torch import nn

from holdfast.training.history import History
from holdfast.training.learner import Learner, Minimise


class Pair(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Parameter(torch.tensor([1.0, -2.0])), nn.Parameter(torch.tensor([0.5]))

    def loss(self):
        return (self.a * self.b).square().sum() + self.a.sum()


def minimiser(module, clip=None, accumulate=1, scaler=None):
    from lightning_fabric import Fabric
    from lightning_fabric.plugins import MixedPrecision

    plugins = None if scaler is None else [MixedPrecision("16-mixed", "cpu", scaler)]
    fabric = Fabric(accelerator="cpu", devices=1, plugins=plugins)
    optimizers = [torch.optim.SGD([module.a], 0.1), torch.optim.SGD([module.b], 0.2)]
    return Minimise(fabric, optimizers, History(10, torch.device("cpu")), clip, accumulate)


@pytest.mark.parametrize("clip", [None, 0.3])
@pytest.mark.parametrize("scaler", [None, torch.amp.GradScaler("cpu", init_scale=2.0**10, growth_interval=1)])
def test_all_optimisers_move_down_one_loss_with_one_global_norm(clip, scaler):
    module = Pair()
    minimise = minimiser(module, clip, scaler=scaler)
    a, b = torch.tensor([1.0, -2.0]), torch.tensor([0.5])
    for _ in range(3):
        ga, gb = 2 * a * b**2 + 1, (2 * a**2 * b).sum().reshape(1)
        norm = (ga.square().sum() + gb.square().sum()).sqrt()
        scale = 1.0 if clip is None else min(1.0, clip / norm.item())
        a, b = a - 0.1 * scale * ga, b - 0.2 * scale * gb
        minimise(module.loss())
        torch.testing.assert_close(module.a.detach(), a)
        torch.testing.assert_close(module.b.detach(), b)


def test_gradients_can_be_changed_between_the_halves_and_stay_until_the_next_backward():
    module = Pair()
    minimise = minimiser(module)
    minimise.backward(module.loss(), player=0)
    assert module.b.grad is None
    module.a.grad.fill_(1.0)
    minimise.update(player=0)
    assert module.a.tolist() == pytest.approx([0.9, -2.1])
    assert module.a.grad.tolist() == [1.0, 1.0]
    minimise.backward(module.a.sum() * 3, player=0)
    assert module.a.grad.tolist() == [3.0, 3.0]


def test_two_backwards_add_up():
    module = Pair()
    minimise = minimiser(module)
    loss = module.loss()
    minimise.backward(loss, retain_graph=True)
    once = module.a.grad.clone()
    minimise.backward(loss)
    assert torch.equal(module.a.grad, 2 * once)


def test_accumulation_takes_the_mean_and_moves_only_at_the_last():
    module = Pair()
    minimise = minimiser(module, accumulate=2)
    minimise.last = False
    minimise(module.a.sum())
    assert module.a.tolist() == [1.0, -2.0]
    minimise.last = True
    minimise(module.a.sum() * 3)
    assert module.a.tolist() == pytest.approx([1 - 0.1 * 2, -2 - 0.1 * 2])


def test_a_learner_without_a_loss_cannot_be_made():
    with pytest.raises(TypeError, match="loss"):
        Learner()


def test_default_optimiser_leaves_frozen_parameters_out():
    class Frozen(Learner):
        def __init__(self):
            super().__init__()
            self.p, self.q = nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(1), requires_grad=False)

        def loss(self, batch, rng):
            return self.p.sum(), {}

    (group,) = Frozen().optimizers()[0].param_groups
    assert (group["lr"], group["momentum"], len(group["params"])) == (0.03, 0.9, 1)
