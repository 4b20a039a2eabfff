"""Stacked experts, (experts, out, in) or (experts, in, out): every law holds for each matrix of the stack."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from holdfast.errors import InputError
from holdfast.systems.mutransfer.method.dimensions import ParameterInfo
from holdfast.systems.mutransfer.method.rules import MuP, Parametrization, Scaling
from holdfast.systems.mutransfer.tool.coordcheck import coord_check
from holdfast.systems.mutransfer.tool.parametrization import MuParametrization

BASE = 32
BATCH = torch.randn(64, 8, generator=torch.Generator().manual_seed(0)), torch.arange(64) % 5


class Experts(nn.Module):
    """Four experts of width -> own -> width, averaged."""

    def __init__(self, width: int, own: int, transposed: bool) -> None:
        super().__init__()
        self.order = transposed
        up, down = ((4, width, own), (4, own, width)) if transposed else ((4, own, width), (4, width, own))
        self.up, self.down = nn.Parameter(torch.randn(up) * width**-0.5), nn.Parameter(torch.randn(down) * own**-0.5)

    def forward(self, x: Tensor) -> Tensor:
        up, down = (w if self.order else w.mT for w in (self.up, self.down))
        return (torch.relu(x @ up) @ down).mean(dim=0)


class Net(nn.Module):
    def __init__(self, width: int, own: int, transposed: bool, says: bool = False) -> None:
        super().__init__()
        self.first, self.experts, self.out = nn.Linear(8, width), Experts(width, own, transposed), nn.Linear(width, 5)
        if says:
            self.experts.is_transposed = transposed

    def forward(self, x: Tensor) -> Tensor:
        h = self.first(x).relu()
        return self.out(h + self.experts(h))


def squared(transposed: bool, says: bool = False) -> Callable[[int], nn.Module]:
    """The experts' own width grows faster than the model's, so that inputs and outputs have factors of their own."""
    return lambda width: Net(width, width * width // BASE, transposed, says)


def rows(build: Callable[[int], nn.Module], **options: Any) -> dict[str, Any]:
    report = MuParametrization.from_builder(build, BASE, **options).report(build(4 * BASE))
    return {row.info.name.rpartition(".")[2]: row for row in report.rows if "experts" in row.info.name}


def layout(transposed: bool) -> dict[str, str]:
    return {"experts.*": "batch in out" if transposed else "batch out in"}


@pytest.mark.parametrize("transposed", [False, True])
def test_factors_are_those_of_each_matrix(transposed: bool) -> None:
    for found in (rows(squared(transposed), roles=layout(transposed)), rows(squared(transposed, says=True))):
        up, down = found["up"], found["down"]
        assert (up.info.role, up.info.m_in, up.info.m_out) == ("hidden", 4, 16)
        assert (up.scaling.adam, up.scaling.sgd) == (1 / 4, 4)
        assert (down.scaling.adam, down.scaling.sgd) == (1 / 16, 1 / 4)
        assert (up.init_factor, down.init_factor) == (1.0, 1.0)  # they fall as fan_in^-1/2 by themselves
    with pytest.raises(InputError, match=r"experts\.up: may be stored either way.*'batch out in'.*'batch in out'"):
        rows(squared(transposed))


def test_the_order_does_not_matter_where_both_grow_alike() -> None:
    for transposed in (False, True):
        found = rows(lambda w: Net(w, 2 * w, transposed))  # noqa: B023
        assert {(row.scaling.adam, row.scaling.sgd) for row in found.values()} == {(1 / 4, 1.0)}


class Stack(nn.Module):
    def __init__(self, *size: int) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.randn(*size))


@pytest.mark.parametrize(
    ("size", "said", "want"),
    [
        (lambda w: (4, 3, w), "batch out in", ("output", 4, 1)),
        (lambda w: (4, 3, w), "batch in out", ("input", 1, 4)),
        (lambda w: (4, w, 3), "batch in out", ("output", 4, 1)),
        (lambda w: (4, w, 3), None, "a stack of 4 matrices of which one axis grows"),
        (lambda w: (w, 4, w), None, "may be stored either way round"),
        (lambda w: (w, 4, 3), "batch in out", "must grow with the width in its 'batch in out' alone"),
        (lambda w: (w, w * w), None, "may be stored either way round.*'out in'"),
        (lambda w: (w, w * w), "in out", ("hidden", 4, 16)),
        (lambda w: (w, 3), "batch in out", "must have the axes 'batch in out'"),
    ],
)
def test_bare_tensors_are_told_or_refused(size: Callable[[int], Any], said: str | None, want: Any) -> None:
    def infos() -> ParameterInfo:
        mu = MuParametrization.from_builder(lambda w: Stack(*size(w)), 8, roles={"w": said} if said else {})
        return mu.report(Stack(*size(32))).infos["w"]

    if isinstance(want, str):
        with pytest.raises(InputError, match=want):
            infos()
    else:
        assert (infos().role, infos().m_in, infos().m_out) == want


@pytest.mark.parametrize(("kind", "lr"), [(torch.optim.Adam, 0.01), (torch.optim.SGD, 0.3)])
@pytest.mark.parametrize("transposed", [False, True])
def test_the_check_notices_swapped_axes(kind: Any, lr: float, transposed: bool) -> None:
    def check(said: bool) -> Any:
        mu = MuParametrization.from_builder(squared(transposed), BASE, roles=layout(said))
        return coord_check(squared(transposed), [32, 64, 128], BATCH, mu=mu, optimizer=kind, lr=lr, seeds=2, steps=3)

    right = check(transposed)
    assert right.passed, right.verdict
    wrong = check(not transposed)
    assert wrong.layer == "experts"
    assert f"roles={{'experts.up': '{layout(transposed)['experts.*']}'}}" in wrong.verdict


class FirstAxis(MuP):
    """As if the number of experts were the fan-out, which makes SGD's rate fall as 1/m."""

    def scaling(self, info: ParameterInfo) -> Scaling:
        found = super().scaling(info)
        return replace(found, sgd=1 / info.m_in) if "experts" in info.name else found


@pytest.mark.parametrize(("rule", "passes"), [(MuP(), True), (FirstAxis(), False)])
def test_the_check_notices_experts_that_stand_still(rule: Parametrization, passes: bool) -> None:
    build = lambda w: Net(w, 2 * w, False)  # noqa: E731
    mu = MuParametrization.from_builder(build, BASE, rule=rule)
    found = coord_check(build, [32, 64, 128], BATCH, mu=mu, optimizer=torch.optim.SGD, lr=0.3, seeds=2, steps=3)
    assert found.passed is passes, found.verdict
    if not passes:
        assert "experts: what its own weights change vanishes" in found.verdict
