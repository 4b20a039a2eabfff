"""The reference package's tables of factors, initialisers and training trajectories (mup 1.0.0)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from holdfast.systems.mutransfer.method.initialisation import init_ratio
from holdfast.systems.mutransfer.method.rules import MuP
from holdfast.systems.mutransfer.tool.parametrization import MuParametrization

VECTORS = Path(__file__).parents[2] / "vectors"
TABLES: dict[str, Any] = json.loads((VECTORS / "mutransfer.json").read_text())
ARRAYS = np.load(VECTORS / "mutransfer.npz")


class Net(nn.Module):
    def __init__(self, w: int) -> None:
        super().__init__()
        self.fc1, self.fc2, self.fc3 = nn.Linear(24, w), nn.Linear(w, w), nn.Linear(w, 2 * w)
        self.out = nn.Linear(2 * w, 10)

    def forward(self, x: Tensor) -> Tensor:
        for layer in (self.fc1, self.fc2, self.fc3):
            x = layer(x).relu()
        return self.out(x)


class Conv(nn.Module):
    def __init__(self, w: int) -> None:
        super().__init__()
        self.c1, self.bn = nn.Conv2d(3, w, 3), nn.BatchNorm2d(w)
        self.c2 = nn.Conv2d(w, 2 * w, 3, bias=False)
        self.fc, self.out = nn.Linear(2 * w * 16, 4 * w), nn.Linear(4 * w, 10)


class Convs(nn.Module):
    """Linear layers and convolutions: of 1 to 3 dimensions, transposed, grouped, depthwise, in an own proportion."""

    def __init__(self, w: int) -> None:
        super().__init__()
        self.l1, self.l2, self.out = nn.Linear(3, w), nn.Linear(w, 2 * w), nn.Linear(2 * w, 7)
        self.a1, self.b1 = nn.Conv1d(3, w, 3), nn.Conv1d(w, 2 * w, 3)
        self.a2, self.b2, self.c2 = nn.Conv2d(3, w, 3), nn.Conv2d(w, 2 * w, 3), nn.Conv2d(w, 5, 1)
        self.a3, self.b3 = nn.Conv3d(3, w, 3), nn.Conv3d(w, 2 * w, 3)
        self.t1, self.t2 = nn.ConvTranspose1d(w, w, 3), nn.ConvTranspose2d(w, 2 * w, 3)
        self.t3 = nn.ConvTranspose3d(w, w, 3)
        self.u1, self.u2 = nn.ConvTranspose1d(3, w, 2), nn.ConvTranspose2d(w, 3, 2)
        self.g1, self.g2 = nn.Conv1d(w, w, 3, groups=4), nn.Conv2d(w, 2 * w, 3, groups=2)
        self.d1, self.gt = nn.Conv1d(w, w, 3, groups=w), nn.ConvTranspose2d(w, w, 3, groups=4)
        self.at = nn.MultiheadAttention(w, 2)
        own = w * w // 8
        self.lw, self.cw, self.tw = nn.Linear(w, own), nn.Conv2d(w, own, 3), nn.ConvTranspose2d(w, own, 3)


class Decoder(nn.Module):
    """One pre-LN block whose logits are divided by the width of a head, as the reference's users write it."""

    def __init__(self, d: int, tied: bool = False) -> None:
        super().__init__()
        self.emb, self.pos = nn.Embedding(32, d), nn.Embedding(8, d)
        self.ln1, self.ln2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.q, self.k, self.v = (nn.Linear(d, d, bias=False) for _ in range(3))
        self.o, self.f1, self.f2 = nn.Linear(d, d), nn.Linear(d, 4 * d), nn.Linear(4 * d, d)
        self.out = nn.Linear(d, 32, bias=not tied)
        if tied:
            self.out.weight = self.emb.weight

    def forward(self, tokens: Tensor) -> Tensor:
        h = self.emb(tokens) + self.pos(torch.arange(tokens.shape[1]))
        x = self.ln1(h)
        q, k, v = (layer(x).unflatten(-1, (4, -1)).transpose(1, 2) for layer in (self.q, self.k, self.v))
        mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True, scale=8 / q.shape[-1])
        h = h + self.o(mixed.transpose(1, 2).flatten(-2))
        return self.out(h + self.f2(self.f1(self.ln2(h)).relu()))


CASES = {
    "mlp": Net,
    "conv": Conv,
    "convs": Convs,
    "transformer_tied": lambda d: Decoder(d, tied=True),
    "transformer": Decoder,
}


def reference(build: Any, base: int) -> MuParametrization:
    return MuParametrization.from_builder(build, base, rule=MuP("mup"), attention=None)


@pytest.mark.parametrize("case", [name for name in TABLES if "_w" in name and name.split("_w")[0] in CASES])
def test_factors(case: str) -> None:
    table = TABLES[case]
    build = CASES[case.rpartition("_w")[0]]
    model = build(table["width"])
    report = reference(build, table["base_width"]).report(model)
    assert set(report.infos) == set(table["params"])
    for row in report.rows:
        want = table["params"][row.info.name]
        assert row.info.shape == tuple(want["shape"])
        assert row.info.infinite == tuple(size is not None for size in want["base"])
        assert (row.info.ninf, row.info.width_mult) == (want["ninf"], want["width_mult"])
        assert row.init_factor == pytest.approx(want["init_rescale"], rel=1e-5)
    for kind, like in (("MuSGD", "sgd"), ("MuAdam", "adam"), ("MuAdamW", "adamw")):
        for group in report.param_groups(model, 1.0, optimizer=like, weight_decay=0.1):
            for name in group["names"]:
                assert group["lr"] == pytest.approx(table["params"][name][f"{kind}_lr"], rel=1e-6)
                assert group["weight_decay"] == pytest.approx(table["params"][name][f"{kind}_wd"], rel=1e-6)


@pytest.mark.parametrize("case", TABLES["init_ratio_mup_over_torch"])
def test_initialisers(case: str) -> None:
    function, width, name = case.split("|")
    info = MuParametrization.from_builder(Net, 16).report(Net(int(width[1:]))).infos[name]
    mode = {"mode": "fan_out"} if function.endswith("fanout") else {}
    initialiser = getattr(nn.init, function.replace("_fanout", "_"))
    ratio = init_ratio(info, initialiser, **mode)
    assert ratio == pytest.approx(TABLES["init_ratio_mup_over_torch"][case], abs=2e-6)


def raw(model: nn.Module, prefix: str) -> nn.Module:
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(torch.from_numpy(ARRAYS[f"{prefix}_raw_{name}"]))
    return model


@pytest.mark.parametrize(
    ("name", "kind", "options"),
    [
        ("MuSGD", torch.optim.SGD, {"lr": 0.1, "momentum": 0.9}),
        ("MuAdam", torch.optim.Adam, {"lr": 1e-2}),
        ("MuAdamW", torch.optim.AdamW, {"lr": 1e-2, "weight_decay": 0.05}),
    ],
)
def test_trajectory_of_an_mlp(name: str, kind: Any, options: dict[str, float]) -> None:
    x, y = torch.from_numpy(ARRAYS["mlp_x"]), torch.from_numpy(ARRAYS["mlp_y"])
    model = raw(Net(32), "mlp_w32")
    report = reference(Net, 8).apply(model)
    np.testing.assert_allclose(model(x).detach(), ARRAYS["mlp_w32_logits0"], atol=1e-5)
    optimizer = report.optimizer(kind, model, **options)
    losses = descend(model, optimizer, x, y)
    np.testing.assert_allclose(losses, ARRAYS[f"mlp_w32_{name}_losses"], atol=1e-5)
    np.testing.assert_allclose(model(x).detach(), ARRAYS[f"mlp_w32_{name}_logits5"], atol=1e-5)


def test_trajectory_of_a_transformer() -> None:
    x, y = torch.from_numpy(ARRAYS["tf_tokens"]), torch.from_numpy(ARRAYS["tf_targets"])
    model = raw(Decoder(64), "tf_w64")
    report = reference(Decoder, 32).apply(model)
    np.testing.assert_allclose(model(x).detach(), ARRAYS["tf_w64_logits0"], atol=1e-5)
    losses = descend(model, report.optimizer(torch.optim.Adam, model, lr=1e-3), x, y)
    np.testing.assert_allclose(losses, ARRAYS["tf_w64_MuAdam_losses"], atol=1e-5)
    np.testing.assert_allclose(model(x).detach(), ARRAYS["tf_w64_logits5"], atol=1e-5)


def descend(model: nn.Module, optimizer: torch.optim.Optimizer, x: Tensor, y: Tensor) -> list[float]:
    losses = []
    for _ in range(5):
        loss = functional.cross_entropy(model(x).flatten(0, -2), y.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses
