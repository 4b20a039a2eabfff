"""Several optimisers as one do what each does alone."""

import copy

import pytest
import torch
from torch import nn

from holdfast.errors import InputError
from holdfast.training.joined_optimizer import JoinedOptimizer


def net() -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(3, 2)


def joined(model: nn.Linear) -> JoinedOptimizer:
    parts = [torch.optim.SGD([model.weight], lr=0.1, momentum=0.9), torch.optim.Adam([model.bias], lr=0.01)]
    return JoinedOptimizer(parts)


def steps(model: nn.Linear, optimizers: list[torch.optim.Optimizer], count: int = 3) -> None:
    for _ in range(count):
        for optimizer in optimizers:
            optimizer.zero_grad()
        model(torch.ones(4, 3)).square().sum().backward()
        for optimizer in optimizers:
            optimizer.step()


def test_it_steps_as_its_parts_do_and_schedules_reach_them() -> None:
    one, two = net(), net()
    both = joined(one)
    parts = joined(two).parts
    schedule = torch.optim.lr_scheduler.LambdaLR(both, lambda step: 0.5**step)
    for _ in range(2):
        steps(one, [both], 1)
        schedule.step()
        steps(two, list(parts), 1)
        for part in parts:
            for group in part.param_groups:
                group["lr"] *= 0.5
    assert torch.equal(one.weight, two.weight)
    assert torch.equal(one.bias, two.bias)


def test_its_state_goes_on_where_it_was() -> None:
    one = net()
    first = joined(one)
    steps(one, [first])
    two = copy.deepcopy(one)
    second = joined(two)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    steps(one, [first])
    steps(two, [second])
    assert torch.equal(one.weight, two.weight)
    assert second.param_groups[1] is second.parts[1].param_groups[0]
    with pytest.raises(InputError, match="must be of 2 joined optimisers"):
        second.load_state_dict({"parts": []})
    with pytest.raises(InputError, match="at least one"):
        JoinedOptimizer([])


def test_a_closure_is_asked_once() -> None:
    model, asked = net(), []
    both = joined(model)

    def closure() -> float:
        both.zero_grad()
        loss = model(torch.ones(4, 3)).square().sum()
        loss.backward()
        asked.append(loss.item())
        return asked[-1]

    assert both.step(closure) == asked[0]
    assert len(asked) == 1
