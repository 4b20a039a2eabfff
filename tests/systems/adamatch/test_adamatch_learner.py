"""The learner: passes, ablations, both settings, training through the loop."""

import warnings

import pytest
import torch
from torch import nn

from holdfast.canonical import canonical
from holdfast.data.augment import Identity
from holdfast.data.domain_stream import DomainStream
from holdfast.errors import InputError
from holdfast.layers.norm import batch_norms
from holdfast.layers.small_convnet import SmallConvNet
from holdfast.losses.alignment import Alignment
from holdfast.systems.adamatch import (
    AdaMatch,
    AdaMatchLoss,
    AdaMatchSettings,
    CTAugmentSettings,
    FixedThreshold,
    NoInterpolation,
    RandomInterpolation,
    SoftTarget,
    cosine_lr,
    frozen_bn_stats,
    random_logit_interpolation,
)
from holdfast.training import fit
from holdfast.training.weight_average import EMA

K = 4


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def batch(seed=0, labelled=False, b=6, t=9):
    g = rng(seed)
    made = {
        "sx": torch.rand(b, 1, 16, 16, generator=g),
        "sy": torch.randint(0, K, (b,), generator=g),
        "tx": torch.rand(t, 1, 16, 16, generator=g),
    }
    if labelled:
        made |= {"lx": torch.rand(3, 1, 16, 16, generator=g), "ly": torch.randint(0, K, (3,), generator=g)}
    return made


def plain(**changes):
    """Settings without augmentation or randomness of the interpolation, unless changed."""
    return AdaMatchSettings(**{"weak": Identity(), "strong": Identity(), "interpolate": NoInterpolation(), **changes})


@pytest.mark.parametrize("labelled", [False, True], ids=["uda", "ssda"])
def test_learner_puts_the_passes_together(labelled):
    """Against its parts, with passes made by hand: order of rows, split into views, statistics recorded once."""
    net = SmallConvNet(1, K).double()
    twin = SmallConvNet(1, K).double()
    twin.load_state_dict(net.state_dict())
    learner = AdaMatch(net, K, plain(interpolate=RandomInterpolation())).double()
    learner.progress = 0.4
    data = {k: v.double() if v.is_floating_point() else v for k, v in batch(labelled=labelled).items()}
    loss, _ = learner.loss(data, rng(3))

    b, n_l = 6, 3 if labelled else 0
    known = torch.cat([data["sx"], data["lx"]]) if labelled else data["sx"]
    everything = torch.cat([known, data["tx"]])
    with frozen_bn_stats(twin):
        z_source = twin(torch.cat([known, known]))
    z_w, z_s = twin(torch.cat([everything, everything])).chunk(2)
    n = b + n_l
    mixed = random_logit_interpolation(torch.cat([z_w[:n], z_s[:n]]), z_source, rng(3))
    m_w, m_s = mixed[:n], mixed[n:]
    extra = (m_w[b:], m_s[b:], data["ly"]) if labelled else None
    expected = AdaMatchLoss(K).double()(m_w[:b], m_s[:b], data["sy"], z_w[n:], z_s[n:], 0.4, extra)["loss"]
    torch.testing.assert_close(loss, expected)
    for ours, theirs in zip(batch_norms(net), batch_norms(twin), strict=True):
        torch.testing.assert_close(ours.running_mean, theirs.running_mean)
        assert int(ours.num_batches_tracked) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"interpolate": NoInterpolation()},
        {"align": None},
        {"threshold": FixedThreshold(0.2)},
        {"target": SoftTarget()},
        {"strong": CTAugmentSettings()},
    ],
    ids=lambda c: next(iter(c), "paper"),
)
@pytest.mark.parametrize("labelled", [False, True], ids=["uda", "ssda"])
def test_gradient_reaches_every_parameter_in_every_ablation(changes, labelled):
    learner = AdaMatch(SmallConvNet(1, K), K, AdaMatchSettings(**changes))
    learner.progress = 1.0
    loss, _ = learner.loss(batch(labelled=labelled), rng())
    loss.backward()
    assert torch.isfinite(loss)
    assert all(p.grad is not None and float(p.grad.abs().sum()) > 0 for p in learner.parameters())
    canonical(learner.settings)


def test_without_batch_norm_the_interpolation_changes_nothing_and_a_warning_says_so():
    net = nn.Sequential(nn.Conv2d(1, 5, 3), nn.ReLU(), nn.Flatten(), nn.Linear(5 * 14 * 14, K))
    with pytest.warns(UserWarning, match="no batch norm"):
        with_it = AdaMatch(net, K, plain(interpolate=RandomInterpolation()))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        without = AdaMatch(net, K, plain())
    torch.testing.assert_close(with_it.loss(batch(), rng())[0], without.loss(batch(), rng())[0])


def test_labelled_rows_pass_twice_and_the_ablation_saves_that():
    class Counting(SmallConvNet):
        rows = 0

        def forward(self, x):
            self.rows += len(x)
            return super().forward(x)

    counted = []
    for part in (RandomInterpolation(), NoInterpolation()):
        learner = AdaMatch(Counting(1, K), K, plain(interpolate=part))
        learner.loss(batch(b=6, t=18), rng())
        counted.append(learner.net.rows)
    assert counted == [2 * 6 * (2 + 3), 2 * 6 * (1 + 3)]


def test_same_generator_same_loss_and_wrong_batches_are_refused():
    learner = AdaMatch(SmallConvNet(1, K), K)
    twin = AdaMatch(SmallConvNet(1, K), K)
    twin.load_state_dict(learner.state_dict())
    first, same, other = (net.loss(batch(), rng(seed))[0].item() for net, seed in ((learner, 1), (twin, 1), (twin, 2)))
    assert first == same != other
    with pytest.raises(InputError, match=r"labels: must lie in \[0, 4\)"):
        learner.loss({**batch(), "sy": torch.full((6,), K)}, rng())
    with pytest.raises(InputError, match="tx: must have as many channels"):
        learner.loss({**batch(), "tx": torch.rand(9, 3, 16, 16)}, rng())


def test_loss_path_never_waits_for_the_device(monkeypatch):
    """Host round trips would go through these; labels are checked on the host only where they live there."""
    learner = AdaMatch(SmallConvNet(1, K), K)
    data = batch()
    learner.loss(data, rng())
    monkeypatch.setattr("holdfast.data.domain_batch.check_labels", lambda *args: None)

    def refuse(*args, **kwargs):
        raise AssertionError("the loss waited for the device")

    for name in ("item", "cpu", "tolist", "numpy", "__bool__", "__float__", "__int__", "nonzero"):
        monkeypatch.setattr(torch.Tensor, name, refuse)
    loss, parts = learner.loss(data, rng())
    assert loss.requires_grad
    assert all(isinstance(part, torch.Tensor) for part in parts.values())


def test_weight_decay_acts_on_weights_of_layers_only():
    (optimizer,) = AdaMatch(SmallConvNet(1, K), K).optimizers()
    decayed = {p.ndim for group in optimizer.param_groups if group["weight_decay"] for p in group["params"]}
    kept = {p.ndim for group in optimizer.param_groups if not group["weight_decay"] for p in group["params"]}
    assert (decayed, kept) == ({2, 4}, {1})
    assert {group["lr"] for group in optimizer.param_groups} == {0.03}


def test_learner_trains_through_the_loop_and_labels_the_target():
    """Classes are bright quadrants; in the target the contrast is halved and all is brighter."""
    g = rng(0)

    def draw(n, gain, offset):
        y = torch.randint(0, K, (n,), generator=g)
        x = 0.1 * torch.rand(n, 1, 16, 16, generator=g)
        for k in range(K):
            x[y == k, :, 8 * (k // 2) : 8 * (k // 2) + 8, 8 * (k % 2) : 8 * (k % 2) + 8] += 0.8
        return x * gain + offset, y

    (sx, sy), (tx, ty) = draw(64, 1.0, 0.0), draw(96, 0.4, 0.4)
    torch.manual_seed(0)
    settings_ = AdaMatchSettings(align=Alignment(ema=0.9, window=16), strong=Identity())
    learner = AdaMatch(SmallConvNet(1, K, bn_momentum=0.1), K, settings_)
    batches = DomainStream((sx, sy), tx, batch=16, ratio=2)
    trained = fit(learner, batches, steps=40, schedule=cosine_lr, ema=EMA(0.8), log_every=10)
    accuracy = (trained.averaged.net(tx).argmax(1) == ty).float().mean()
    assert float(accuracy) > 0.9
    assert {"loss", "source", "target", "mask_rate", "threshold"} <= set(trained.history)
