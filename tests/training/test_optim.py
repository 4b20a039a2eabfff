import torch
from torch import nn

from holdfast.training.optim import sgd, warm_cosine


def test_sgd_equals_the_loss_with_its_decay_term_written_out():
    """Two steps with momentum against plain autograd of `loss + wd / 2 * sum ||W||^2` over layers' weights."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 3)).double()
    x = torch.randn(5, 1, 4, 4, dtype=torch.float64)
    reference = [p.detach().clone() for p in net.parameters()]
    velocity = [torch.zeros_like(p) for p in reference]
    optimizer = sgd(net, lr=0.1, momentum=0.9, weight_decay=0.5)
    twin = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 3)).double()
    for _ in range(2):
        optimizer.zero_grad()
        net(x).square().mean().backward()
        optimizer.step()
        with torch.no_grad():
            for p, value in zip(twin.parameters(), reference, strict=True):
                p.copy_(value)
        decayed = [twin[0].weight, twin[3].weight]
        loss = twin(x).square().mean() + 0.25 * sum((w**2).sum() for w in decayed)
        for i, g in enumerate(torch.autograd.grad(loss, list(twin.parameters()))):
            velocity[i] = 0.9 * velocity[i] + g
            reference[i] = reference[i] - 0.1 * velocity[i]
    for p, value in zip(net.parameters(), reference, strict=True):
        torch.testing.assert_close(p.detach(), value)


def test_sgd_leaves_out_frozen_parameters():
    net = nn.Linear(2, 2)
    net.weight.requires_grad_(False)
    groups = sgd(net, lr=0.1, weight_decay=1.0).param_groups
    assert [p is net.bias for group in groups for p in group["params"]] == [True]


def test_the_rate_rises_and_falls_as_half_a_cosine():
    rates = [warm_cosine(t / 100, 0.05) for t in range(100)]
    assert rates[0] == 0
    assert max(rates) == rates[5] == 1
    assert rates[5:] == sorted(rates[5:], reverse=True)
    assert warm_cosine(0.0) == 1
