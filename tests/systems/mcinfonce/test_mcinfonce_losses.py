"""The losses against loops and the reference's numbers; heads; the world."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from holdfast.errors import InputError
from holdfast.systems.mcinfonce import (
    ELKLoss,
    HedgedInstanceLoss,
    MCInfoNCE,
    ProbabilisticHead,
    VMFWorld,
    VonMisesFisher,
    credible_set,
    log_vmf_normalizer,
)
from holdfast.systems.mcinfonce.method import losses
from holdfast.systems.mcinfonce.method.losses import log_elk

VECTORS = np.load(Path(__file__).parents[2] / "vectors" / "mcinfonce.npz")
NAMES = ("mu_ref", "k_ref", "mu_pos", "k_pos", "mu_neg", "k_neg")
GIVEN = tuple(torch.tensor(VECTORS[name]) for name in NAMES)
SHARP = tuple(t if i % 2 == 0 else torch.full_like(t, torch.inf) for i, t in enumerate(GIVEN))


def seeded(seed):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("kappa", [5, 20])
def test_at_infinite_kappa_it_is_infonce(kappa):
    for form, name in (("mean", f"ref_mcinfonce_inf_kappa{kappa}"), ("mean", f"infnce_meanneg_kappa{kappa}"),
                       ("sum", f"infonce_sumneg_kappa{kappa}")):  # fmt: skip
        found = float(MCInfoNCE(kappa, 3, negatives=form)(*SHARP))
        assert found == pytest.approx(float(VECTORS[name]), rel=1e-4)


@pytest.mark.parametrize("kappa", [5, 20])
def test_samples_give_the_references_loss(kappa):
    mean, sd = VECTORS[f"ref_mcinfonce_S512_mean_sd_kappa{kappa}"]
    loss = MCInfoNCE(kappa, 512, negatives="mean")
    found = [float(loss(*GIVEN, generator=seeded(s))) for s in range(8)]
    assert np.mean(found) == pytest.approx(mean, abs=3 * sd * math.sqrt(1 / 8 + 1 / 20) + 0.005)


def test_elk_is_the_references_with_the_references_normaliser(monkeypatch):
    k = VECTORS["kappas"]
    rows = np.stack([np.ones_like(k), k, k**1.1], 1)
    a, b, c = np.linalg.lstsq(rows, VECTORS["ref_logC_p10"], rcond=None)[0]
    monkeypatch.setattr(losses, "log_vmf_normalizer", lambda kappa, p: a + b * kappa + c * kappa**1.1)
    assert float(ELKLoss(20.0, "sum")(*GIVEN)) == pytest.approx(float(VECTORS["ref_ELK_kappa20"]), rel=1e-4)


def test_the_kernel_is_the_integral_of_the_product():
    mu = F.normalize(torch.randn(2, 3, generator=seeded(0)).double(), dim=1)
    k = torch.tensor([[3.0], [9.0]]).double()
    z = F.normalize(torch.randn(400_000, 3, generator=seeded(1)).double(), dim=1)
    one, two = (VonMisesFisher(mu[i], k[i]).log_prob(z).exp() for i in (0, 1))
    expected = 4 * math.pi * (one * two).mean()
    assert float(log_elk((mu[0], k[0]), (mu[1], k[1])).exp()) == pytest.approx(float(expected), rel=0.02)


def drawn(draws, seed):
    mu = torch.cat([GIVEN[0][:, None], GIVEN[2], GIVEN[4]], 1)
    kappa = torch.cat([GIVEN[1][:, None], GIVEN[3], GIVEN[5]], 1)
    return VonMisesFisher(mu, kappa).rsample((draws,), seeded(seed))


@pytest.mark.parametrize("form", ["sum", "mean"])
def test_mcinfonce_written_out(form):
    z, total = drawn(4, 7), 0.0
    for b in range(6):
        likelihood = 0.0
        for s in range(4):
            plus = math.exp(8 * float(z[s, b, 0] @ z[s, b, 1]))
            others = [math.exp(8 * float(z[s, b, 0] @ z[s, b, m])) for m in range(2, 6)]
            likelihood += plus / (plus + sum(others) / (len(others) if form == "mean" else 1)) / 4
        total -= math.log(likelihood) / 6
    found = MCInfoNCE(8.0, 4, negatives=form)(*GIVEN, generator=seeded(7))
    assert float(found) == pytest.approx(total, rel=1e-5)


def test_without_negatives_positives_of_others_serve():
    for loss in (MCInfoNCE(8.0, 2), HedgedInstanceLoss(10, 8.0, 2), ELKLoss()):
        rolled = (GIVEN[2].roll(1, 0), GIVEN[3].roll(1, 0))
        sharp = (GIVEN[2].roll(1, 0), torch.full_like(GIVEN[3], torch.inf))
        kind = isinstance(loss, ELKLoss)
        given, other = (GIVEN[:4], rolled) if kind else (SHARP[:4], sharp)
        torch.testing.assert_close(loss(*given), loss(*given, *other))


def test_hib_written_out():
    z, a = drawn(4, 3), 8.0
    ends = log_vmf_normalizer(torch.tensor([a, 0.0]).double(), 10)
    b = float(ends[0] - ends[1])

    def chance(one, two):
        return 1 / (1 + math.exp(-(a * float(one @ two) + b)))

    match = [-math.log(np.mean([chance(z[s, i, 0], z[s, i, 1]) for s in range(4)])) for i in range(6)]
    apart = [-math.log(np.mean([1 - chance(z[s, i, 0], z[s, i, m]) for s in range(4)]))
             for i in range(6) for m in range(2, 6)]  # fmt: skip
    found = HedgedInstanceLoss(10, a, 4)(*GIVEN, generator=seeded(3)).detach()
    assert float(found) == pytest.approx((np.mean(match) + np.mean(apart)) / 2, rel=1e-4)


def test_chunks_change_neither_the_law_nor_the_gradient():
    assert float(MCInfoNCE(5.0, 6, chunk=2)(*SHARP)) == pytest.approx(float(MCInfoNCE(5.0, 6)(*SHARP)), rel=1e-6)
    found = [float(MCInfoNCE(5.0, 256, chunk=50)(*GIVEN, generator=seeded(s))) for s in range(6)]
    whole = [float(MCInfoNCE(5.0, 256)(*GIVEN, generator=seeded(s))) for s in range(6)]
    assert np.mean(found) == pytest.approx(np.mean(whole), abs=4 * np.std(whole) / math.sqrt(3))
    kappa = GIVEN[1].clone().requires_grad_()
    args = (GIVEN[0], kappa, *GIVEN[2:])
    chunks = MCInfoNCE(5.0, 4, chunk=2)
    value = chunks(*args, generator=seeded(0))
    (slope,) = torch.autograd.grad(value, kappa)
    seeds = torch.randint(2**62, (2,), generator=seeded(0)).tolist()
    parts = [chunks._log_mean(args[:2], args[2:4], args[4:], 2, seeded(s)) for s in seeds]
    again = -(torch.logsumexp(torch.stack(parts), 0) - math.log(4)).mean()
    torch.testing.assert_close(value, again)
    torch.testing.assert_close(slope, torch.autograd.grad(again, kappa)[0])


@pytest.mark.parametrize("loss", [MCInfoNCE(8.0, 4), ELKLoss(), HedgedInstanceLoss(10, 8.0, 4)])
def test_a_gradient_reaches_everything(loss):
    parts = [t.clone().requires_grad_() for t in GIVEN]
    loss(*parts, generator=seeded(0)).backward()
    for tensor in (*parts, *loss.parameters()):
        assert bool(torch.isfinite(tensor.grad).all())
        assert bool((tensor.grad != 0).any())


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({0: torch.zeros(6, 10, 1)}, "mu_ref"),
        ({1: torch.ones(6)}, "kappa_ref"),
        ({2: torch.zeros(6, 2, 10)}, "mu_pos"),
        ({4: torch.zeros(6, 4, 9)}, "mu_neg"),
        ({5: torch.ones(6, 3, 1)}, "kappa_neg"),
        ({4: torch.zeros(6, 0, 10), 5: torch.zeros(6, 0, 1)}, "M at least 1"),
        ({5: None}, "kappa_neg"),
    ],
)
def test_bad_shapes(change, named):
    args = [change.get(i, t) for i, t in enumerate(GIVEN)]
    with pytest.raises(InputError, match=named):
        MCInfoNCE()(*args)


def test_bad_settings():
    with pytest.raises(InputError, match="batch of one"):
        MCInfoNCE()(*(t[:1] for t in GIVEN[:4]))
    for bad in ({"kappa_pos": 0}, {"n_samples": 0}, {"negatives": "all"}, {"chunk": 0}, {"grad": "no"}):
        with pytest.raises(InputError, match=next(iter(bad))):
            MCInfoNCE(**bad)


def test_heads_give_unit_vectors_and_the_kappas_that_were_asked():
    x = torch.randn(300, 5, generator=seeded(0))
    torch.manual_seed(0)
    head = ProbabilisticHead(5, 4, "norm", kappa_init=12.0).calibrate(x)
    mu, kappa = head(x)
    torch.testing.assert_close(mu.norm(dim=1), torch.ones(300))
    assert float(kappa.mean()) == pytest.approx(12, rel=1e-4)
    embedded = head.mu_net(x)
    torch.testing.assert_close(kappa * mu, head.scale * embedded)
    net = ProbabilisticHead(5, 4, "network", kappa_init=16.0).calibrate(x)
    assert net(x)[1].min().item() == pytest.approx(16, rel=1e-4)
    assert net(x)[1].max().item() == pytest.approx(32, rel=1e-4)
    with pytest.raises(InputError, match="two different rows"):
        net.calibrate(torch.ones(3, 5))
    with pytest.raises(InputError, match="dim"):
        ProbabilisticHead(5, 1)


def test_the_worlds_pairs_have_the_probability_that_it_says():
    world = VMFWorld(seed=1)
    ref, pos, neg = world.pairs(3000, 3, seeded(0))
    assert (ref.shape, pos.shape, neg.shape) == ((3000, 6), (3000, 6), (3000, 3, 6))
    # P(x | Y = 1): the mean of sigmoid over z gives how much oftener a pair is of neighbours, by brute force
    x = torch.rand(300_000, 2, 6, generator=seeded(1))
    z = world.sample(x, seeded(2))
    p = torch.sigmoid(world.kappa_pos * (z[:, 0] * z[:, 1]).sum(1) + world.b)
    cosine = (world.mu(x[:, 0]) * world.mu(x[:, 1])).sum(1)
    for found, weight in (
        ((world.mu(ref) * world.mu(pos)).sum(1).mean(), p),
        ((world.mu(ref)[:, None] * world.mu(neg)).sum(2).mean(), 1 - p),
    ):
        # references are uniform, and each row's candidates are weighted within the row
        expected = (weight * cosine).sum() / weight.sum()
        assert float(found) == pytest.approx(float(expected), abs=0.05)
    ends = log_vmf_normalizer(torch.tensor([20.0, 0.0]).double(), 3)
    assert world.b == pytest.approx(float(ends[0] - ends[1]))


def test_worlds_are_as_the_rule_accepts_them():
    for seed in (0, 1):
        world = VMFWorld(seed)
        mu = world.mu(torch.rand(2000, 6, generator=seeded(0)))
        assert float((mu @ mu.T).min()) < -0.7
        assert float(mu.mean(0).norm()) < 0.45
        kappa = world.kappa(torch.rand(2000, 6, generator=seeded(0)))
        assert 4 <= float(kappa.min()) < 14
        assert 50 < float(kappa.max()) <= 128
    again = VMFWorld(0)
    assert torch.equal(again.mu(torch.ones(1, 6)), VMFWorld(0).mu(torch.ones(1, 6)))


def test_credible_sets_grow_with_doubt():
    gallery = torch.nn.functional.normalize(torch.randn(500, 3, generator=torch.Generator().manual_seed(0)), dim=1)
    mu = gallery[:1].expand(3, 3)
    mask, threshold = credible_set(mu, torch.tensor([[200.0], [20.0], [2.0]]), gallery)
    sizes = mask.sum(1).tolist()
    assert 1 <= sizes[0] < sizes[1] < sizes[2] < 500
    assert torch.equal(mask[1], gallery @ mu[1] >= threshold[1])
    for named, value in (("level", 1.0), ("kappa", torch.zeros(3, 1)), ("gallery", gallery[:, :2])):
        given = {"mu": mu, "kappa": torch.ones(3, 1), "gallery": gallery, named: value}
        with pytest.raises(InputError, match=named):
            credible_set(**given)


def test_elk_written_out_in_both_forms():
    ref, pos, neg = (GIVEN[0][:, None], GIVEN[1][:, None]), GIVEN[2:4], GIVEN[4:]
    plus, others = log_elk(ref, pos)[:, 0].exp().double(), log_elk(ref, neg).exp().double()
    for form, divided in (("sum", 1), ("mean", 4)):
        expected = -torch.log(plus / (plus + others.sum(1) / divided)).mean()
        assert float(ELKLoss(negatives=form)(*GIVEN)) == pytest.approx(float(expected), rel=1e-4)


def test_edges_of_heads_and_sets():
    net = ProbabilisticHead(5, 3, "network", hidden=0).calibrate(torch.randn(9, 5))
    assert [type(part).__name__ for part in net.mu_net] == ["Linear"]
    assert not net.scale.requires_grad
    assert not net.shift.requires_grad
    mask, _ = credible_set(torch.eye(3)[:1], torch.full((1, 1), torch.inf), torch.eye(3))
    assert mask.tolist() == [[True, False, False]]
