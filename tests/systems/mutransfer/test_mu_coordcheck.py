"""The coordinate check passes what is wired rightly and names the layer that is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from holdfast.errors import InputError
from holdfast.systems.mutransfer.method.rules import (
    SP,
    GlobalRate,
    MuP,
    NoReadoutMultiplier,
    Parametrization,
    Spectral,
    UMuP,
)
from holdfast.systems.mutransfer.net import MLP, Transformer
from holdfast.systems.mutransfer.tool.coordcheck import Recorder, coord_check
from holdfast.systems.mutransfer.tool.parametrization import MuParametrization

WIDTHS = [64, 128, 256]
X, Y = torch.randn(64, 64, generator=torch.Generator().manual_seed(0)), torch.arange(64) % 10
TOKENS = torch.randint(32, (8, 12), generator=torch.Generator().manual_seed(0))


def decoder(width: int) -> nn.Module:
    return Transformer(width, vocabulary=32, length=12)


def checked(build: Callable[[int], nn.Module], rule: Parametrization | None = None, **options: Any) -> Any:
    batch = options.pop("batch", (X, Y))
    mu = MuParametrization.from_builder(build, WIDTHS[0], rule=rule, **options.pop("mu", {}))
    return coord_check(build, WIDTHS, batch, mu=mu, seeds=options.pop("seeds", 1), **options)


@pytest.mark.parametrize(
    ("rule", "kind", "lr"),
    [
        (MuP(), torch.optim.Adam, 0.01),
        (MuP(), torch.optim.SGD, 0.5),
        (Spectral(), torch.optim.AdamW, 0.01),
        (UMuP(), torch.optim.Adam, 0.1),
    ],
)
def test_right_wiring_passes(rule: Parametrization, kind: Any, lr: float) -> None:
    found = checked(MLP, rule, optimizer=kind, lr=lr)
    assert found.passed, found.verdict
    assert found.layer is None


@pytest.mark.parametrize("adjust", ["original", "match_rms_adamw"])
def test_muon_passes_whatever_it_does_about_shapes(adjust: str) -> None:
    class Muon(torch.optim.Muon):
        def __init__(self, params: Any, lr: float) -> None:
            super().__init__(params, lr, adjust_lr_fn=adjust)

    def build(width: int) -> nn.Module:
        """Hidden layers whose inputs and outputs grow by factors of their own."""
        own = width * width // 64
        hidden = [nn.Linear(width, own, bias=False), nn.ReLU(), nn.Linear(own, width, bias=False), nn.ReLU()]
        return nn.Sequential(nn.Linear(64, width), nn.ReLU(), *hidden, nn.Linear(width, 10))

    found = checked(build, MuP(), optimizer=Muon, lr=0.01)
    assert found.passed, found.verdict


@pytest.mark.parametrize("says", [True, False])
def test_embeddings_that_are_multiplied_by_the_width(says: bool) -> None:
    class Scaled(nn.Module):
        def __init__(self, width: int) -> None:
            super().__init__()
            self.tokens, self.inner, self.out = nn.Embedding(32, width), nn.Linear(width, width), nn.Linear(width, 32)
            nn.init.normal_(self.tokens.weight, std=0.1)
            if says:
                self.tokens.embed_scale = width**0.5  # type: ignore[assignment]

        def forward(self, tokens: Tensor) -> Tensor:
            h = self.tokens(tokens)
            return self.out(self.inner(h * h.shape[-1] ** 0.5).relu())

    found = checked(Scaled, MuP(), batch=(TOKENS, TOKENS))
    assert found.passed is says
    assert says or (found.layer == "inner" and "model.tokens.embed_scale = width**0.5" in found.verdict), found.verdict


def test_transformer_passes_and_its_standard_form_does_not() -> None:
    assert checked(decoder, MuP(), batch=(TOKENS, TOKENS), lr=3e-3).passed
    assert not checked(decoder, SP(), batch=(TOKENS, TOKENS), lr=3e-3).passed


# Every mistake of the card that raises no exception, and the layer that has to be named.
def redraw(model: Any) -> None:
    """A fixed std after the parametrization, as an own initialiser would."""
    nn.init.normal_(model[2].weight, std=0.1)


def unhooked(model: Any) -> None:
    """What copying by hand loses: the readout's multiplier."""
    model[6]._forward_pre_hooks.clear()


def rescaled(model: Any) -> None:
    """Scaled as if it were parametrized a second time."""
    with torch.no_grad():
        model[4].weight.mul_((model[4].in_features / 64) ** 0.5)


@pytest.mark.parametrize(
    ("rule", "prepare", "layer", "what"),
    [
        (SP(), None, "2", "grows"),
        (NoReadoutMultiplier(), None, "6", "size grows"),
        (GlobalRate(), None, "0", "change vanishes"),
        (MuP(), redraw, "2", "size grows"),
        (MuP(), unhooked, "6", "size grows"),
        (MuP(), rescaled, "4", "size grows"),
    ],
)
def test_mistakes_are_named(rule: Parametrization, prepare: Any, layer: str, what: str) -> None:
    found = checked(MLP, rule, prepare=prepare, seeds=2)
    assert not found.passed
    assert (found.layer, what in found.verdict) == (layer, True), found.verdict


def test_a_schedule_that_sets_rates_fails_loudly() -> None:
    def prepare(model: nn.Module) -> None:
        model.register_forward_hook(lambda *_: None)

    def loss(model: nn.Module, batch: Any) -> Tensor:
        return functional.cross_entropy(model(batch[0]), batch[1])

    class Absolute(torch.optim.Adam):
        def __init__(self, params: Any, lr: float) -> None:
            super().__init__(params, lr)
            for group in self.param_groups:
                group["lr"] = lr

    with pytest.raises(InputError, match="lost its factor"):
        checked(MLP, MuP(), optimizer=Absolute, loss=loss, prepare=prepare)


class Tied(nn.Module):
    """A tied readout written with functional.linear, on which no multiplier can be put."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.emb, self.inner, self.norm = nn.Embedding(32, width), nn.Linear(width, width), nn.LayerNorm(width)

    def forward(self, tokens: Tensor) -> Tensor:
        return functional.linear(self.norm(self.inner(self.emb(tokens))), self.emb.weight)


def test_an_unseen_tied_readout_is_named_by_its_output() -> None:
    found = checked(Tied, MuP(), batch=(TOKENS, TOKENS))
    assert found.layer == "(model)", found.verdict
    after = checked(lambda width: nn.Sequential(Tied(width), nn.Identity()), MuP(), batch=(TOKENS, TOKENS))
    assert after.layer == "1", after.verdict
    judged = checked(decoder, MuP(), batch=(TOKENS, TOKENS), lr=3e-3, steps=2).frame.query("leaf")["layer"]
    assert "(model)" not in set(judged), "what its readout gives is judged once"


def test_attention_logits_may_vanish() -> None:
    """Under SGD they do, faster than width^-1/2, while queries and keys are independent."""
    found = checked(decoder, MuP(), batch=(TOKENS, TOKENS), optimizer=torch.optim.SGD, lr=0.3, seeds=2)
    logits = found.slopes[found.slopes["layer"].str.endswith("logits)")]
    assert logits["change"].min() < -0.5
    assert found.passed, found.verdict


def test_attention_logits_are_recorded_and_grow_without_scaling() -> None:
    def sharpened(model: Any) -> None:
        """Make queries and keys alike, as training does in time, so that a wrong scale shows at once."""
        for block in model.body.blocks:
            block.attention.q.weight.data.copy_(block.attention.k.weight.data)

    same = torch.zeros_like(TOKENS)
    with_scale = checked(decoder, MuP(), batch=(same, TOKENS), lr=1e-3, prepare=sharpened)
    without = checked(decoder, Unscaled(), batch=(same, TOKENS), lr=1e-3, prepare=sharpened)
    assert with_scale.passed, with_scale.verdict
    wrong = [finding.layer for finding in without.findings]
    assert "body.blocks.0.attention (attention logits)" in wrong, without.verdict


class Unscaled(MuP):
    def attention(self, m: float, own: float | None = None) -> float:
        return 1.0


def test_logits_are_those_of_the_model() -> None:
    model: Any = decoder(64)
    mu = MuParametrization.from_builder(decoder, 16)
    mu.apply(model)
    with Recorder(model, mu.attention) as recorder:
        model(TOKENS)
    got = recorder.outputs()["body.blocks.0.attention (attention logits)"]
    x = recorder.outputs()["body.blocks.0.norms.0"]
    layer = model.body.blocks[0].attention
    q, k = ((x @ part.weight.T).unflatten(-1, (4, 16)) for part in (layer.q, layer.k))
    want = torch.einsum("bihd,bjhd->bhij", q, k) / 16**0.5 * (4 / 16) ** 0.5
    torch.testing.assert_close(got, want)


def test_figure_shows_every_step_and_marks_what_is_wrong() -> None:
    found = checked(MLP, SP(), steps=3, seeds=1)
    figure = found.figure()
    panels = [axes for axes in figure.axes if axes.get_xscale() == "log"]
    assert len(panels) == 3
    layers = found.frame[found.frame["leaf"]]["layer"].nunique()
    assert {len(axes.lines) for axes in panels} == {layers}
    wrong = [text.get_text() for text in figure.texts if text.get_text().endswith("(!)")]
    assert [name.removesuffix(" (!)") for name in wrong] == list(dict.fromkeys(f.layer for f in found.findings))


def test_bad_input_is_named() -> None:
    with pytest.raises(InputError, match="widths: must be at least three"):
        coord_check(MLP, [32, 64], (X, Y))
    with pytest.raises(InputError, match="batch: must be"):
        coord_check(MLP, WIDTHS, 3)
    with pytest.raises(
        InputError, match="batch: must fit the model and the loss; received RuntimeError: mat1 and mat2"
    ):
        coord_check(MLP, WIDTHS, (X[:, :3], Y))
    with pytest.raises(InputError, match="device: must be"):
        coord_check(MLP, WIDTHS, (X, Y), device="abacus")
    with pytest.raises(InputError, match="steps: must be at least 2"):
        coord_check(MLP, WIDTHS, (X, Y), steps=1)
    with pytest.raises(InputError, match="make the model return a loss"):
        coord_check(lambda w: Keyword(w), WIDTHS, {"x": X})


class Keyword(MLP):
    def forward(self, x: Tensor) -> Any:  # type: ignore[override]
        return {"logits": super().forward(x)}
