"""Roles, rules, multipliers, groups, and what must not go wrong silently."""

from __future__ import annotations

import copy
import io
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed import fsdp
from torch.distributed.device_mesh import init_device_mesh
from torch.nn import functional

from holdfast.errors import InputError
from holdfast.systems.mutransfer.method.initialisation import initialise, spread
from holdfast.systems.mutransfer.method.rules import SP, DepthScaled, GlobalRate, MuP, Parametrization, Spectral, UMuP
from holdfast.systems.mutransfer.net import MLP, Transformer
from holdfast.systems.mutransfer.tool.optimizers import family_of, set_lr
from holdfast.systems.mutransfer.tool.parametrization import (
    MuParametrization,
    load_weights,
    mu_attention_scale,
    parametrize,
)
from holdfast.systems.mutransfer.tool.readout import MuReadout, MuSharedReadout, convert_readout

BASE = 16


def roles(build: Callable[[int], nn.Module], width: int = 64, **options: Any) -> dict[str, str]:
    report = MuParametrization.from_builder(build, BASE, **options).report(build(width))
    return {name: info.role for name, info in report.infos.items()}


# -------------------------------------------------------------------------------------------------------------- roles
def test_roles_of_layers() -> None:
    class Net(nn.Module):
        def __init__(self, w: int) -> None:
            super().__init__()
            self.embed, self.cls = nn.Embedding(7, w), nn.Parameter(torch.zeros(1, 1, w))
            self.conv, self.depthwise = nn.Conv1d(w, 2 * w, 3), nn.Conv1d(w, w, 3, groups=w)
            self.grouped = nn.Conv1d(w, w, 3, groups=4)
            self.back, self.gru = nn.ConvTranspose1d(w, 3, 2), nn.GRU(w, w)
            self.attend, self.norm = nn.MultiheadAttention(w, 4), nn.BatchNorm1d(w)
            self.scale, self.head = nn.Parameter(torch.ones(3)), nn.Linear(w, 5)

    found = roles(Net)
    assert found["embed.weight"] == found["cls"] == found["depthwise.weight"] == "input"
    assert found["conv.weight"] == found["grouped.weight"] == found["gru.weight_ih_l0"] == "hidden"
    assert found["attend.in_proj_weight"] == found["attend.out_proj.weight"] == "hidden"
    assert found["conv.bias"] == found["norm.weight"] == found["attend.in_proj_bias"] == "vector"
    assert found["back.weight"] == found["head.weight"] == "output"
    assert found["head.bias"] == found["scale"] == "fixed"


def test_an_adapter_is_told_to_be_hidden() -> None:
    class Adapted(nn.Module):
        def __init__(self, w: int) -> None:
            super().__init__()
            self.base = nn.Linear(w, w)
            self.lora_A, self.lora_B = nn.Linear(w, 4, bias=False), nn.Linear(4, w, bias=False)

    assert roles(Adapted)["lora_A.weight"] == "output"
    changed = MuParametrization.from_builder(Adapted, BASE, roles={"lora_A.weight": "hidden"}).report(Adapted(64))
    row = next(row for row in changed.rows if row.info.name == "lora_A.weight")
    assert (row.init_factor, row.scaling.multiplier, row.scaling.adam) == (1.0, 1.0, 0.25)


class Bare(nn.Module):
    def __init__(self, w: int) -> None:
        super().__init__()
        self.first, self.weight_out = nn.Linear(6, w), nn.Parameter(torch.randn(3, w) / w**0.5)

    def forward(self, x: Tensor) -> Tensor:
        return self.first(x).relu() @ self.weight_out.T


def test_a_bare_readout_is_asked_about_and_needs_no_multiplier() -> None:
    with pytest.raises(InputError, match=r"weight_out.*table of vectors or the weight of a readout"):
        roles(Bare)
    report = MuParametrization.from_builder(Bare, BASE, roles={"weight_out": "output"}).report(Bare(64))
    row = report.rows[0] if report.rows[0].info.name == "weight_out" else report.rows[-1]
    assert row.scaling.multiplier == 1.0
    assert row.scaling.adam == 0.25


# -------------------------------------------------------------------------------------------------------------- rules
RULES = [MuP(), MuP("mup"), Spectral(), SP(), GlobalRate(), DepthScaled(2, 2, ("body.blocks.*",))]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: type(rule).__name__)
@pytest.mark.parametrize("kind", [torch.optim.Adam, torch.optim.SGD, torch.optim.Adafactor])
def test_at_the_base_width_nothing_changes(rule: Parametrization, kind: Any) -> None:
    def train(parametrized: bool) -> Tensor:
        torch.manual_seed(0)
        model = Transformer(BASE, vocabulary=11, length=6)
        tokens = torch.randint(11, (4, 6))
        if parametrized:
            report = MuParametrization.from_builder(lambda w: Transformer(w, 11, 6), BASE, rule=rule).apply(model)
            optimizer = report.optimizer(kind, model, lr=0.01)
        else:
            optimizer = kind(model.parameters(), lr=0.01)
        for _ in range(3):
            loss = functional.cross_entropy(model(tokens).flatten(0, 1), tokens.flatten())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return model(tokens)

    assert torch.equal(train(True), train(False))


@pytest.mark.parametrize("rule", [MuP(), Spectral(), UMuP()], ids=lambda rule: type(rule).__name__)
@pytest.mark.parametrize(("n_in", "n_out"), [(1, 1), (1, 2), (2, 1)])
def test_spectral_norms_of_weights_and_steps_follow_the_condition(rule: Parametrization, n_in: int, n_out: int) -> None:
    """||W|| and ||dW|| of a hidden layer scale as sqrt(n_out / n_in): constant ratios over the width."""

    def build(w: int) -> nn.Module:
        return nn.Sequential(
            nn.Linear(8, n_in * w), nn.Linear(n_in * w, n_out * w, bias=False), nn.Linear(n_out * w, 4)
        )

    norms = []
    for width in (64, 256):
        torch.manual_seed(1)
        model: Any = build(width)
        report = MuParametrization.from_builder(build, 64, rule=rule).apply(model)
        optimizer = report.optimizer(torch.optim.Adam, model, lr=0.01 if not isinstance(rule, UMuP) else 0.1)
        multiplier = next(row.scaling.multiplier for row in report.rows if row.info.name == "1.weight")
        before = model[1].weight.detach().clone()
        x = torch.randn(256, 8)
        functional.cross_entropy(model(x), torch.randint(4, (256,))).backward()
        optimizer.step()
        scale = multiplier / math.sqrt(n_out / n_in)
        norms.append(
            [float(torch.linalg.matrix_norm(w, 2)) * scale for w in (before, model[1].weight.detach() - before)]
        )
    ratio = np.array(norms) / norms[0]
    assert (np.abs(np.log(ratio)) < math.log(1.25)).all(), ratio


@pytest.mark.parametrize("kind", [torch.optim.Adam, torch.optim.SGD])
def test_spectral_form_trains_the_same_function_as_the_multiplier(kind: Any) -> None:
    def train(rule: Parametrization) -> Tensor:
        torch.manual_seed(0)
        model = MLP(64).double()
        options = {"eps": 1e-30} if kind is torch.optim.Adam else {}
        optimizer = parametrize(model, BASE, build=MLP, rule=rule).optimizer(kind, model, 0.01, **options)
        x, y = torch.randn(32, 64, dtype=torch.float64), torch.randint(10, (32,))
        for _ in range(4):
            optimizer.zero_grad()
            functional.cross_entropy(model(x), y).backward()
            optimizer.step()
        return model(x).detach()

    torch.testing.assert_close(train(MuP()), train(Spectral()), rtol=1e-8, atol=1e-10)


def test_closed_forms_of_rates() -> None:
    k = 8
    report = MuParametrization.from_builder(MLP, BASE).report(MLP(k * BASE))
    by_role = {row.info.role: row.scaling for row in report.rows}
    assert (by_role["hidden"].adam, by_role["hidden"].sgd) == (1 / k, 1.0)
    assert (by_role["input"].adam, by_role["input"].sgd) == (1.0, k)
    assert (by_role["output"].adam, by_role["output"].sgd, by_role["output"].multiplier) == (1.0, k, 1 / k)


def test_depth_scales_branches_and_their_rates() -> None:
    rule = DepthScaled(8, 2, ("body.blocks.*.attention.o", "body.blocks.*.feed_forward.down"))
    model = Transformer(BASE, 11, 6)
    report = MuParametrization.from_builder(lambda w: Transformer(w, 11, 6), BASE, rule=rule).apply(model)
    rates = {row.info.name: row.scaling.adam for row in report.rows}
    assert rates["body.blocks.0.attention.o.weight"] == rates["body.blocks.1.feed_forward.down.weight"] == 0.5
    assert rates["body.blocks.0.attention.q.weight"] == 1.0
    x = torch.randn(2, BASE)
    o: Any = model.body.blocks[0].attention.o  # type: ignore[union-attr]
    torch.testing.assert_close(o(x), 0.5 * functional.linear(x, o.weight))


# --------------------------------------------------------------------------------------------------- initialisation
@pytest.mark.parametrize("draw", ["torch", "constant std"])
def test_initialisation_follows_the_base_whatever_law_the_model_has(draw: str) -> None:
    def build(w: int) -> nn.Module:
        model = nn.Sequential(nn.Linear(40, w), nn.Linear(w, w), nn.Linear(w, 40))
        if draw != "torch":
            for layer in model:
                nn.init.normal_(layer.weight, std=0.02)
        return model

    base, wide = build(64), build(1024)
    MuParametrization.from_builder(build, 64).apply(wide)
    ratio = [spread(w.weight) / spread(b.weight) for w, b in zip(wide, base, strict=True)]
    np.testing.assert_allclose(ratio, [1.0, 0.25, 1.0], rtol=0.05)


def test_initialise_by_name() -> None:
    model = nn.Sequential(nn.Linear(40, 256), nn.Linear(256, 256), nn.Linear(256, 40))
    build = lambda w: nn.Sequential(nn.Linear(40, w), nn.Linear(w, w), nn.Linear(w, 40))  # noqa: E731
    report = parametrize(model, 64, build=build)
    initialise(report.infos, model, "1.weight", nn.init.normal_, std=0.02)
    assert spread(model[1].weight) == pytest.approx(0.01, rel=0.05)
    with pytest.raises(InputError, match="mean 0"):
        initialise(report.infos, model, "1.weight", nn.init.normal_, mean=1.0)
    with pytest.raises(InputError, match="parameter of the model"):
        initialise(report.infos, model, "nowhere", nn.init.normal_)


def test_meta_models_are_scaled_once_they_have_values() -> None:
    with torch.device("meta"):
        model = MLP(64)
    report = parametrize(model, BASE, build=MLP, rule=MuP("mup"))
    with pytest.raises(InputError, match="to_empty"):
        report.rescale(model)
    model.to_empty(device="cpu")
    torch.manual_seed(3)
    for module in model.modules():
        if isinstance(module, nn.Linear):
            module.reset_parameters()
    before = model[-1].weight.detach().clone()
    report.rescale(model)
    torch.testing.assert_close(model[-1].weight, 2 * before)


# -------------------------------------------------------------------------------------------------------- multipliers
def test_readout_multiplies_its_input_and_not_its_bias() -> None:
    model = nn.Sequential(nn.Linear(5, 64), nn.Linear(64, 3))
    parametrize(model, BASE, build=lambda w: nn.Sequential(nn.Linear(5, w), nn.Linear(w, 3)))
    x = torch.randn(4, 64)
    torch.testing.assert_close(model[1](x), x @ model[1].weight.T / 4 + model[1].bias)


@pytest.mark.parametrize("how", ["deepcopy", "pickle", "compile", "state dict"])
def test_multipliers_and_groups_survive(how: str) -> None:
    torch.manual_seed(0)
    model: nn.Module = MLP(64)
    report = parametrize(model, BASE, build=MLP)
    x = torch.randn(3, 64)
    want = model(x).detach()
    if how == "deepcopy":
        model = copy.deepcopy(model)
    elif how == "pickle":
        buffer = io.BytesIO()
        torch.save(model, buffer)
        buffer.seek(0)
        model = torch.load(buffer, weights_only=False)
    elif how == "compile":
        model = torch.compile(model, backend="eager")  # type: ignore[assignment]
    else:
        state = model.state_dict()
        assert set(state) == set(MLP(64).state_dict())
        model = MLP(64)
        report = MuParametrization.from_builder(MLP, BASE).apply(model, rescale=False)
        load_weights(model, state)
    torch.testing.assert_close(model(x), want)
    mults = {name: group["lr_mult"] for group in report.param_groups(model, 1.0) for name in group["names"]}
    assert mults == {"0.weight": 1.0, "2.weight": 0.25, "4.weight": 0.25, "6.weight": 1.0}


@pytest.fixture
def one_process(tmp_path: Path) -> Iterator[None]:
    """A process group of this process alone."""
    dist.init_process_group("gloo", init_method=f"file://{tmp_path / 'group'}", rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.mark.parametrize("how", ["ddp", "fsdp", "fsdp2"])
@pytest.mark.filterwarnings("ignore")
def test_data_parallel_wrappers_keep_multipliers_and_groups(how: str, one_process: None) -> None:
    model = MLP(64)
    report = parametrize(model, BASE, build=MLP)
    x = torch.randn(3, 64)
    want = model(x).detach()
    wrapped: nn.Module = model
    if how == "ddp":
        wrapped = nn.parallel.DistributedDataParallel(model)
    elif how == "fsdp":
        wrapped = fsdp.FullyShardedDataParallel(model, use_orig_params=True, device_id=torch.device("cpu"))
    else:
        fsdp.fully_shard(model, mesh=init_device_mesh("cpu", (1,)))
    optimizer = report.optimizer(torch.optim.Adam, wrapped, lr=0.01)
    mults = {name: group["lr_mult"] for group in optimizer.param_groups for name in group["names"]}
    assert mults == {"0.weight": 1.0, "2.weight": 0.25, "4.weight": 0.25, "6.weight": 1.0}
    out = wrapped(x)
    torch.testing.assert_close(out, want)
    out.sum().backward()
    optimizer.step()
    assert not torch.equal(wrapped(x), want)


class TwoHeads(nn.Module):
    """Two readouts that share one weight."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner, self.a, self.b = nn.Linear(8, width), nn.Linear(width, 3), nn.Linear(width, 3)
        self.b.weight = self.a.weight

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = self.inner(x)
        return self.a(h), self.b(h)


def test_a_weight_tied_between_readouts_is_multiplied_in_each() -> None:
    torch.manual_seed(0)
    model, x = TwoHeads(64), torch.randn(5, 8)
    plain_outputs = [layer(model.inner(x)) for layer in (model.a, model.b)]
    parametrize(model, base=16, build=TwoHeads)
    for layer, before, after in zip((model.a, model.b), plain_outputs, model(x), strict=True):
        scaled = 2 * (before - layer.bias)  # the weight starts larger, by sqrt(4)
        torch.testing.assert_close(after, 0.25 * scaled + layer.bias)


def test_tied_embeddings_keep_their_size_and_are_multiplied_at_the_output() -> None:
    class Tied(nn.Module):
        def __init__(self, w: int) -> None:
            super().__init__()
            self.emb, self.out = nn.Embedding(9, w), nn.Linear(w, 9)
            self.out.weight = self.emb.weight

    class Shared(nn.Module):
        def __init__(self, w: int) -> None:
            super().__init__()
            self.emb = nn.Embedding(9, w)
            self.out = MuSharedReadout(self.emb, bias=True)

    x = torch.randn(2, 64)
    for build in (Tied, Shared):
        model: Any = build(64)
        before = model.emb.weight.detach().clone()
        report = parametrize(model, BASE, build=build)
        assert torch.equal(model.emb.weight, before)
        assert report.infos["emb.weight"].role == "input"
        torch.testing.assert_close(model.out(x), x @ before.T / 4 + model.out.bias)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("training", [True, False])
def test_fused_attention_is_scaled_exactly(bias: bool, training: bool) -> None:
    torch.manual_seed(0)
    build = lambda w: nn.MultiheadAttention(w, 2, bias=bias, batch_first=True)  # noqa: E731
    model = build(64).train(training)
    if bias:
        nn.init.normal_(model.in_proj_bias)
    x = torch.randn(2, 5, 64)
    q, k, v = functional.linear(x, model.in_proj_weight, model.in_proj_bias).chunk(3, -1)
    q, k, v = (t.unflatten(-1, (2, 32)).transpose(1, 2) for t in (q, k, v))
    mixed = functional.scaled_dot_product_attention(q, k, v, scale=mu_attention_scale(32, 8))
    want = model.out_proj(mixed.transpose(1, 2).flatten(-2))
    parametrize(model, BASE, build=build, rescale=False)
    torch.testing.assert_close(model(x, x, x)[0], want)


def test_encoder_layers_keep_the_scaling_in_evaluation() -> None:
    """PyTorch's fused path for evaluation must not pass the multiplier by."""
    torch.manual_seed(0)
    build = lambda w: nn.TransformerEncoderLayer(w, 2, 2 * w, dropout=0.0, batch_first=True)  # noqa: E731
    model = build(64)
    parametrize(model, BASE, build=build)
    x = torch.randn(2, 5, 64)
    want = model.train()(x)
    with torch.no_grad():
        torch.testing.assert_close(model.eval()(x), want)


def test_plain_attention_is_scaled_through_its_keys() -> None:
    model = Transformer(64, 11, 6)
    k: Any = model.body.blocks[0].attention.k  # type: ignore[union-attr]
    x = torch.randn(1, 3, 64)
    before = k(x)
    parametrize(model, BASE, build=lambda w: Transformer(w, 11, 6), rescale=False)
    torch.testing.assert_close(k(x), before / 2)  # heads are four times as wide


# --------------------------------------------------------------------------------------------------------- optimisers
def test_decay_times_rate_is_the_same_for_all() -> None:
    model = MLP(64)
    report = parametrize(model, BASE, build=MLP)
    for like in ("adam", "sgd"):
        groups = report.param_groups(model, 0.1, optimizer=like, weight_decay=0.01)
        assert {round(group["lr"] * group["weight_decay"], 12) for group in groups} == {0.001}
    groups = report.param_groups(model, 0.1, weight_decay=0.01, decoupled_wd=True)
    assert {group["weight_decay"] for group in groups} == {0.01}


@pytest.mark.parametrize("kind", [torch.optim.AdamW, torch.optim.Adam, torch.optim.SGD])
def test_what_is_not_given_is_as_the_class_has_it(kind: Any) -> None:
    model = MLP(64)
    report = parametrize(model, BASE, build=MLP)
    usual = kind(model.parameters(), lr=0.1).defaults
    for group in report.optimizer(kind, model, lr=0.1).param_groups:
        assert group["weight_decay"] == pytest.approx(usual["weight_decay"] / group["lr_mult"])
        assert {k: group[k] for k in usual if k not in ("lr", "weight_decay")} == {
            k: v for k, v in usual.items() if k not in ("lr", "weight_decay")
        }
    for group in report.param_groups(model, 0.1, optimizer=kind):
        assert group["weight_decay"] == usual["weight_decay"] / group["lr_mult"]
    assert {group["weight_decay"] for group in report.optimizer(kind, model, 0.1, weight_decay=0.0).param_groups} == {0}
    with pytest.raises(InputError, match="weight_decay: must be left out"):
        report.optimizer(torch.optim.Rprop, model, 0.1, weight_decay=0.1)


def proportions(width: int) -> nn.Module:
    """Hidden layers whose inputs and outputs grow by factors of their own, both ways."""
    own = width * width // 32
    hidden = [nn.Linear(width, own, bias=False), nn.ReLU(), nn.Linear(own, width, bias=False), nn.ReLU()]
    return nn.Sequential(nn.Linear(8, width), nn.ReLU(), *hidden, nn.Linear(width, 4))


@pytest.mark.parametrize("adjust", ["original", "match_rms_adamw"])
def test_steps_of_muon_follow_the_spectral_condition(adjust: str) -> None:
    norms = []
    for width in (32, 128):
        torch.manual_seed(0)
        model: Any = proportions(width)
        report = parametrize(model, 32, build=proportions)
        optimizer = report.optimizer(torch.optim.Muon, model, lr=0.02, adam={"lr": 0.003}, adjust_lr_fn=adjust)
        before = [model[i].weight.detach().clone() for i in (2, 4)]
        functional.cross_entropy(model(torch.randn(256, 8)), torch.randint(4, (256,))).backward()
        optimizer.step()
        steps = [model[i].weight.detach() - b for i, b in zip((2, 4), before, strict=True)]
        norms.append([float(torch.linalg.matrix_norm(s, 2)) / (s.shape[0] / s.shape[1]) ** 0.5 for s in steps])
    assert np.abs(np.log(np.array(norms[1]) / norms[0])).max() < math.log(1.5), norms  # five iterations are not exact


def test_muon_trains_hidden_matrices_and_adam_the_rest() -> None:
    model = MLP(64)
    report = parametrize(model, BASE, build=MLP)
    optimizer: Any = report.optimizer(torch.optim.Muon, model, lr=0.02, adam={"lr": 0.005, "betas": (0.8, 0.9)})
    muon, adam = optimizer.parts
    assert type(muon) is torch.optim.Muon
    assert type(adam) is torch.optim.AdamW
    assert [n for g in muon.param_groups for n in g["names"]] == ["2.weight", "4.weight"]
    assert [n for g in adam.param_groups for n in g["names"]] == ["0.weight", "6.weight"]
    assert {(g["lr"], g["weight_decay"]) for g in muon.param_groups} == {(0.02, 0.1)}
    assert {(g["lr"], g["weight_decay"], g["betas"]) for g in adam.param_groups} == {(0.005, 0.01, (0.8, 0.9))}
    set_lr(optimizer, 0.04)
    assert [g["lr"] for g in optimizer.param_groups] == pytest.approx([0.04, 0.01])
    model(torch.randn(2, 64)).sum().backward()
    optimizer.step()
    for group in optimizer.param_groups:
        group["lr"] = 0.02
    with pytest.raises(InputError, match="lost its factor"):
        optimizer.step()
    with pytest.raises(InputError, match=r"use report\.optimizer\(Muon"):
        report.param_groups(model, 0.02, optimizer=torch.optim.Muon)
    with pytest.raises(InputError, match="must be Adam-like"):
        parametrize(MLP(64), BASE, build=MLP, rule=UMuP()).optimizer(torch.optim.Muon, model, 0.02)
    with pytest.raises(InputError, match="adam: must be left out"):
        report.optimizer(torch.optim.SGD, model, 0.02, adam={})


def test_adafactor_moves_tensors_by_a_share_of_their_size() -> None:
    report = MuParametrization.from_builder(MLP, BASE).report(MLP(64))
    rates = {row.info.role: row.scaling.rate("adafactor", row.info) for row in report.rows}
    assert rates == {"input": 1.0, "hidden": 0.5, "output": 1.0}


def test_kinds_of_optimisers() -> None:
    class Mine(torch.optim.Optimizer):
        pass

    class MyAdam(torch.optim.AdamW):
        pass

    assert (family_of(MyAdam), family_of(torch.optim.SGD), family_of("SGD-like")) == ("adam", "sgd", "sgd")
    with pytest.raises(InputError, match="like='adam'"):
        family_of(Mine)
    with pytest.raises(InputError, match="must be one of"):
        family_of("newton")


def test_a_schedule_that_sets_rates_is_caught() -> None:
    model = MLP(64)
    optimizer = parametrize(model, BASE, build=MLP).optimizer(torch.optim.Adam, model, lr=0.01)
    model(torch.randn(2, 64)).sum().backward()
    torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 0.5)
    optimizer.step()
    set_lr(optimizer, 0.003)
    optimizer.step()
    assert sorted(group["lr"] for group in optimizer.param_groups) == pytest.approx([0.00075, 0.003])
    for group in optimizer.param_groups:
        group["lr"] = 0.003
    with pytest.raises(InputError, match=r"has lost its factor .*set_lr"):
        optimizer.step()
    with pytest.raises(InputError, match="groups of a parametrization"):
        set_lr(torch.optim.Adam(MLP(16).parameters()), 0.1)


# -------------------------------------------------------------------------------------------------------------- errors
def test_bad_input_is_named() -> None:
    class Partly(nn.Sequential):
        def __init__(self, w: int, inner: int | None = None) -> None:
            super().__init__(nn.Linear(4, w), nn.Linear(w, inner or 2 * w), nn.Linear(inner or 2 * w, w))

    with pytest.raises(InputError, match=r"1\.weight: axis 0 is 32 in base and delta"):
        MuParametrization(Partly(16, 32), Partly(8, 32)).report(Partly(64, 128))
    with pytest.raises(InputError, match="none named"):
        MuParametrization(nn.Linear(4, 8, bias=False), nn.Linear(4, 16, bias=False)).report(nn.Linear(4, 32))
    with pytest.raises(InputError, match="which the model has not"):
        MuParametrization(nn.Linear(4, 8), nn.Linear(4, 16)).report(nn.Linear(4, 32, bias=False))
    with pytest.raises(InputError, match="must differ from base in every width; received 2 tensors"):
        MuParametrization(nn.Linear(4, 8), nn.Linear(4, 8)).report(nn.Linear(4, 8))
    with pytest.raises(InputError, match="at most two dimensions"):
        MuParametrization.from_builder(lambda w: nn.Conv1d(w, w, w), 4).report(nn.Conv1d(8, 8, 8))
    model = MLP(64)
    parametrize(model, BASE, build=MLP)
    with pytest.raises(InputError, match="twice"):
        parametrize(model, BASE, build=MLP)
    with pytest.raises(InputError, match=r"twice.*received 0, which has been"):  # as a part of another model
        parametrize(nn.Sequential(model), nn.Sequential(MLP(BASE)), nn.Sequential(MLP(2 * BASE)))
    with pytest.raises(InputError, match=r"model: must be a torch\.nn\.Module; received int"):
        parametrize(3, BASE, build=MLP)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="do not transfer across width"):
        load_weights(model, MLP(128).state_dict())
    with pytest.raises(InputError, match="whole number"):
        MuParametrization.from_builder(MLP, 12.5)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"nn\.Module"):
        MuParametrization.from_builder(lambda w: w, 8)  # type: ignore[arg-type,return-value]
    with pytest.raises(InputError, match="must be a width"):
        parametrize(MLP(64), MLP(16), build=MLP)
    with pytest.raises(InputError, match="roles: must match"):
        MuParametrization.from_builder(MLP, BASE, roles={"absent": "hidden"}).report(MLP(32))
    build = lambda w: nn.Sequential(nn.Linear(3, w), nn.TransformerEncoderLayer(w, 2))  # noqa: E731
    with pytest.raises(InputError, match=r"nn\.MultiheadAttention"):
        MuParametrization.from_builder(build, BASE, rule=UMuP()).apply(build(64))


def test_convert_readout() -> None:
    model = MLP(32)
    new = convert_readout(model, "6", output_mult=2.0)
    assert isinstance(model[6], MuReadout)
    assert not new.weight.any()
    kept = nn.Sequential(nn.Linear(3, 8), nn.Linear(8, 2))
    weight = kept[1].weight.detach().clone()
    convert_readout(kept, "1", output_mult=2.0, zero_init=False)
    x = torch.randn(4, 8)
    torch.testing.assert_close(kept[1](x), 2 * x @ weight.T + kept[1].bias)
    with pytest.raises(InputError, match=r"nn\.Linear"):
        convert_readout(kept, "")
    with pytest.raises(InputError, match="layer of the model"):
        convert_readout(kept, "9")


def test_base_shapes_on_disk(tmp_path: Path) -> None:
    build = lambda w: Transformer(w, 11, 6)  # noqa: E731
    mu = MuParametrization.from_builder(build, BASE)
    mu.save(tmp_path / "shapes.json")
    again = MuParametrization.load(tmp_path / "shapes.json")
    torch.manual_seed(0)
    model = build(64)
    twin = copy.deepcopy(model)
    assert mu.apply(model).frame().equals(again.apply(twin).frame())
    tokens = torch.randint(11, (2, 6))
    assert torch.equal(model(tokens), twin(tokens))
    (tmp_path / "shapes.json").write_text("{}")
    with pytest.raises(InputError, match="base shapes"):
        MuParametrization.load(tmp_path / "shapes.json")
    with pytest.raises(InputError, match="written by save"):
        MuParametrization.load(tmp_path / "absent.json")
