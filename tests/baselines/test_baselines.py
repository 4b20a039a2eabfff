"""ERM, AdaBN, FixMatch+ and DANN, each against loops or hand-made passes."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from holdfast.baselines.adabn import adabn
from holdfast.baselines.dann import DANN, DANNSettings, reversal_strength
from holdfast.baselines.erm import ERM, ERMSettings
from holdfast.baselines.fixmatch import FixMatch, FixMatchSettings
from holdfast.canonical import canonical
from holdfast.data.augment import Identity
from holdfast.data.domain_batch import DomainBatch
from holdfast.errors import InputError
from holdfast.layers.norm import BiasedBatchNorm2d
from holdfast.layers.reversal import reverse_gradient
from holdfast.layers.small_convnet import SmallConvNet

K = 4
LEARNERS = {"ERM": (ERM, ERMSettings), "FixMatch": (FixMatch, FixMatchSettings), "DANN": (DANN, DANNSettings)}


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def batch(labelled=False, dtype=torch.float32):
    g = rng()
    images = {"sx": 6, "tx": 9} | ({"lx": 3} if labelled else {})
    made = {name: torch.rand(n, 1, 16, 16, generator=g, dtype=dtype) for name, n in images.items()}
    made["sy"] = torch.arange(6) % K
    return made | ({"ly": torch.arange(3)} if labelled else {})


def cross_entropy(row, weights):
    e = [math.exp(v) for v in row]
    return -sum(w * math.log(v / sum(e)) for w, v in zip(weights, e, strict=True))


@pytest.mark.parametrize("name", LEARNERS)
@pytest.mark.parametrize("labelled", [False, True], ids=["uda", "ssda"])
def test_gradient_reaches_every_parameter_and_settings_are_plain(name, labelled):
    learner_type, settings_type = LEARNERS[name]
    learner = learner_type(SmallConvNet(1, K), K, settings_type())
    learner.progress = 0.5
    loss, parts = learner.loss(batch(labelled), rng())
    loss.backward()
    assert all(p.grad is not None and float(p.grad.abs().sum()) > 0 for p in learner.parameters())
    assert not any(part.requires_grad for part in parts.values())
    owned = {id(p) for o in learner.optimizers() for g in o.param_groups for p in g["params"]}
    assert owned == {id(p) for p in learner.parameters()}
    canonical(learner.settings)


@pytest.mark.parametrize("name", ["FixMatch", "DANN"])
def test_a_target_is_needed(name):
    learner_type, settings_type = LEARNERS[name]
    data = batch()
    del data["tx"]
    with pytest.raises(InputError, match='must have unlabelled images "tx"'):
        learner_type(SmallConvNet(1, K), K, settings_type()).loss(data, rng())


@pytest.mark.parametrize("labelled", [False, True])
def test_erm_against_loops_and_blind_to_the_target(labelled):
    learner = ERM(SmallConvNet(1, K).double(), K, ERMSettings(weak=Identity(), strong=Identity()))
    learner.eval()  # without batch statistics rows can be looked at one by one
    data = batch(labelled, torch.float64)
    loss, _ = learner.loss(data, rng())
    expected = 0.0
    for x, y in (("sx", "sy"), ("lx", "ly"))[: 1 + labelled]:
        rows = zip(learner.net(data[x]).tolist(), data[y].tolist(), strict=True)
        expected += np.mean([cross_entropy(z, np.eye(K)[i]) for z, i in rows])
    assert float(loss.detach()) == pytest.approx(expected)
    data["tx"] = data["tx"] * 0
    learner.train()
    before = learner.net.norm1.running_mean.clone()
    learner.loss(data, rng())
    moved = learner.net.norm1.running_mean.clone()
    learner.net.norm1.running_mean.copy_(before)
    learner.loss({k: v for k, v in data.items() if k != "tx"}, rng())
    torch.testing.assert_close(learner.net.norm1.running_mean, moved)


# --------------------------------------------------------------------------------------------------------------- AdaBN
@pytest.mark.parametrize("norm", [nn.BatchNorm2d, BiasedBatchNorm2d])
def test_adabn_takes_the_statistics_of_the_images(norm):
    net = nn.Sequential(nn.Conv2d(1, 2, 3), norm(2)).double()
    images = torch.rand(10, 1, 6, 6, generator=rng(), dtype=torch.float64)
    adapted = adabn(net, images, batch_size=5)
    maps = net[0](images)
    np.testing.assert_allclose(adapted[1].running_mean, maps.mean((0, 2, 3)).detach(), rtol=1e-10)
    halves = [half.var((0, 2, 3), correction=int(norm is nn.BatchNorm2d)) for half in maps.split(5)]
    np.testing.assert_allclose(adapted[1].running_var, sum(halves).detach() / 2, rtol=1e-10)


def test_adabn_normalises_the_new_domain_as_the_old_one_was():
    """A change of contrast and brightness of all images is undone exactly by the statistics of the first layer."""
    net = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4, eps=1e-12), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3)
    ).double()
    old = torch.rand(50, 1, 6, 6, generator=rng(), dtype=torch.float64)
    new = 0.3 * old + 0.5
    on_old, on_new = adabn(net, old), adabn(net, new)
    torch.testing.assert_close(on_new(new), on_old(old))
    assert not torch.allclose(on_old(new), on_old(old), atol=0.1)


def test_adabn_changes_a_copy_and_restores_settings():
    net = SmallConvNet(1, K).train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    adapted = adabn(net, torch.rand(7, 1, 16, 16), batch_size=3)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert net.training
    assert not any(m.training for m in adapted.modules())
    assert adapted.norm1.momentum == net.norm1.momentum
    assert int(adapted.norm1.num_batches_tracked) == 3
    for name, value in adapted.named_parameters():
        assert torch.equal(value, before[name])


def test_adabn_keeps_dropout_off():
    net = nn.Sequential(nn.Dropout(0.9), nn.BatchNorm2d(1))
    assert float(adabn(net, torch.ones(8, 1, 2, 2))[1].running_mean) == 1.0


def test_adabn_refuses_what_it_cannot_adapt():
    with pytest.raises(InputError, match="net: must have batch-norm layers; received Linear"):
        adabn(nn.Linear(2, 2), torch.zeros(4, 2))
    with pytest.raises(InputError, match="images: must be at least 2; received 1"):
        adabn(nn.BatchNorm2d(1), torch.zeros(1, 1, 2, 2))


# ------------------------------------------------------------------------------------------------------------ FixMatch+
@pytest.mark.parametrize("extra", [0, 2])
def test_fixmatch_against_loops_over_two_batches(extra):
    """Weak views alone are supervised; every row of every domain may get a pseudo-label; marginal of the labels."""
    learner = FixMatch(nn.Identity(), K, FixMatchSettings(threshold=0.6)).double()
    p_data, window = [1 / K] * K, [[1 / K] * K] * 128
    for step in range(2):
        g = rng(step)
        n = 5 + extra + 10
        z_w, z_s = 2 * torch.randn(2, n, K, generator=g, dtype=torch.float64)
        labels = torch.randint(0, K, (5 + extra,), generator=g)
        loss, parts = learner.loss_of_logits(z_w, z_s, DomainBatch(torch.zeros(n), labels, 5, extra, 10))
        q = [[math.exp(v) / sum(math.exp(u) for u in row) for v in row] for row in z_w.tolist()]
        count = [sum(int(i == k) for i in labels[:5].tolist()) / 5 for k in range(K)]
        p_data = [0.999 * a + 0.001 * b for a, b in zip(p_data, count, strict=True)]
        window = [*window[1:], [sum(row[k] for row in q) / n for k in range(K)]]
        p_model = np.mean(window, 0)
        pseudo, passed = 0.0, []
        for row, z in zip(q, z_s.tolist(), strict=True):
            scaled = [v * (1e-6 + a) / (1e-6 + b) for v, a, b in zip(row, p_data, p_model, strict=True)]
            best = int(np.argmax(scaled))
            passed.append(scaled[best] / sum(scaled) >= 0.6)
            pseudo += passed[-1] * cross_entropy(z, np.eye(K)[best])
        each = [cross_entropy(z, np.eye(K)[i]) for z, i in zip(z_w.tolist(), labels.tolist(), strict=False)]
        supervised = np.mean(each[:5]) + (np.mean(each[5:]) if extra else 0)
        assert 0 < sum(passed) < n
        assert float(loss) == pytest.approx(supervised + pseudo / n, rel=1e-6)
        assert float(parts["mask_rate"]) == pytest.approx(np.mean(passed[5 + extra :]))


def test_fixmatch_without_alignment_is_plain_fixmatch():
    learner = FixMatch(nn.Identity(), K, FixMatchSettings(align=None, threshold=0.0, weight=0.5)).double()
    z_w, z_s = torch.randn(2, 6, K, generator=rng(), dtype=torch.float64)
    labels = torch.arange(2)
    loss, _ = learner.loss_of_logits(z_w, z_s, DomainBatch(torch.zeros(6), labels, 2, 0, 4))
    expected = nn.functional.cross_entropy(z_w[:2], labels) + 0.5 * nn.functional.cross_entropy(z_s, z_w.argmax(1))
    torch.testing.assert_close(loss, expected)
    assert learner.aligner is None


# ----------------------------------------------------------------------------------------------------------------- DANN
def test_reversal_strength_by_its_formula():
    for p in (0.0, 0.1, 0.5, 1.0):
        assert reversal_strength(p) == pytest.approx(2 / (1 + math.exp(-10 * p)) - 1)


@pytest.mark.parametrize("labelled", [False, True], ids=["uda", "ssda"])
def test_dann_against_loops(labelled):
    learner = DANN(SmallConvNet(1, K), K, DANNSettings(weak=Identity(), strong=Identity(), weight=0.7)).double().eval()
    data = batch(labelled, torch.float64)
    learner.progress = 0.2
    loss, parts = learner.loss(data, rng())
    features = {name: learner.net.features(data[name]) for name in data if name.endswith("x")}
    expected, logit = 0.0, {name: learner.discriminator(f)[:, 0].tolist() for name, f in features.items()}
    for x, y in (("sx", "sy"), ("lx", "ly"))[: 1 + labelled]:
        rows = zip(learner.net.head(features[x]).tolist(), data[y].tolist(), strict=True)
        expected += np.mean([cross_entropy(z, np.eye(K)[i]) for z, i in rows])
    others = logit["tx"] + logit.get("lx", [])
    domain = np.mean([math.log(1 + math.exp(-v)) for v in logit["sx"]])
    domain = 0.5 * (domain + np.mean([math.log(1 + math.exp(v)) for v in others]))
    assert float(parts["domain"]) == pytest.approx(domain)
    assert float(loss.detach()) == pytest.approx(expected + 0.7 * domain)


def test_dann_moves_features_against_and_the_discriminator_with_its_loss():
    """The features' gradient of the domain loss is -strength times what it would be, the discriminator's is not."""
    torch.manual_seed(0)
    learner = DANN(SmallConvNet(1, K), K, DANNSettings(weak=Identity(), strong=Identity())).double().eval()
    data = batch(dtype=torch.float64)
    rows = DomainBatch.of(data, K)
    for strength in (0.0, 0.5):
        features = learner.net.features(torch.cat([rows.images, rows.images]))
        parameters = [learner.net.conv1.weight, learner.discriminator[0].weight]
        plain = torch.autograd.grad(learner._domain_loss(features, rows)[0], parameters, retain_graph=True)
        reversed_ = torch.autograd.grad(learner._domain_loss(reverse_gradient(features, strength), rows)[0], parameters)
        torch.testing.assert_close(reversed_[0], -strength * plain[0])
        torch.testing.assert_close(reversed_[1], plain[1])


def test_dann_needs_features():
    with pytest.raises(InputError, match="net: must have features"):
        DANN(nn.Linear(2, 2), 2)
