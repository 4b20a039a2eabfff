"""The game: loops and closed forms for every equation, who moves whom, and what is refused."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from holdfast.data.batches import Batches
from holdfast.errors import InputError
from holdfast.layers.perceptron import Perceptron, classifier
from holdfast.systems.rp_dro import (
    RPDRO,
    BatchNormalised,
    RatioAdversary,
    SelfNormalised,
    batch_log_ratios,
    rp_dro_losses,
)
from holdfast.systems.rp_dro.experiment import Alternating, Shuffled
from holdfast.systems.rp_dro.method.selection import MinMaxValidation
from holdfast.training import Checkpoints, fit

SCORES = st.lists(st.floats(-20, 20), min_size=2, max_size=16)


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def numbers(values):
    return torch.tensor(values, dtype=torch.float64)


def players(seed=0, init="random", features=3, classes=3):
    torch.manual_seed(seed)
    model = classifier(Perceptron(features, 5), classes)
    return model, RatioAdversary(Perceptron(features, 5), classes, init=init)


def batch(n=8, seed=1, features=3, classes=3):
    x = torch.randn(n, features, generator=rng(seed))
    return {"x": x, "y": torch.randint(0, classes, (n,), generator=rng(seed + 1))}


# ------------------------------------------------------------------------------------------------------------ ratios
@settings(max_examples=25)
@given(SCORES, st.floats(-50, 50))
def test_ratios_have_mean_one_lie_below_n_and_ignore_a_constant(values, constant):
    s = numbers(values)
    r = batch_log_ratios(s).exp()
    assert float(r.mean()) == pytest.approx(1, abs=1e-9)
    assert float(r.min()) > 0
    assert float(r.max()) <= len(s) * (1 + 1e-12)
    assert (batch_log_ratios(s + constant) - batch_log_ratios(s)).abs().max() < 1e-9


def test_ratios_against_a_loop_for_the_actual_size_of_the_batch():
    for n in (2, 3, 7):
        s = numbers([0.3 * k - 0.1 * k * k for k in range(n)])
        total = sum(math.exp(v) for v in s.tolist())
        expected = [math.log(n * math.exp(v) / total) for v in s.tolist()]
        assert batch_log_ratios(s).tolist() == pytest.approx(expected, abs=1e-12)


def test_ratios_along_another_axis():
    s = torch.randn(3, 5, generator=rng(), dtype=torch.float64)
    assert torch.equal(batch_log_ratios(s, dim=1)[1], batch_log_ratios(s[1]))


# ------------------------------------------------------------------------------------------------------------ losses
@settings(max_examples=25)
@given(SCORES, st.floats(0.01, 5))
def test_losses_against_loops(values, tau):
    s, losses = numbers(values), numbers([abs(v) / 3 + 0.1 for v in values])
    n = len(s)
    top = max(values)
    r = [n * math.exp(v - top) / sum(math.exp(u - top) for u in values) for v in values]
    kl = sum(x * math.log(x) if x > 0 else 0.0 for x in r) / n
    model, adversary, info = rp_dro_losses(losses, s, tau)
    weighted = sum(a * b for a, b in zip(r, losses.tolist(), strict=True)) / n
    assert float(model) == pytest.approx(weighted, rel=1e-9)
    assert float(adversary) == pytest.approx(-weighted + tau * kl, rel=1e-7, abs=1e-9)
    assert float(info["kl"]) == pytest.approx(kl, abs=1e-8)
    assert -1e-9 <= float(info["kl"]) <= math.log(n) + 1e-9
    assert float(info["ess"]) == pytest.approx(1 / sum((x / n) ** 2 for x in r), rel=1e-9)
    assert float(info["max_ratio"]) == pytest.approx(max(r), rel=1e-9)
    assert info["ratios"].tolist() == pytest.approx(r, rel=1e-9)


def test_equal_scores_are_plain_training():
    losses = numbers([0.1, 2.0, 0.7])
    model, adversary, info = rp_dro_losses(losses, numbers([4.0, 4.0, 4.0]), 0.3)
    assert float(model) == pytest.approx(float(losses.mean()))
    assert float(adversary) == pytest.approx(-float(losses.mean()))
    assert float(info["kl"]) == pytest.approx(0, abs=1e-12)


def test_the_adversary_of_fixed_losses_ends_at_the_softmax_of_losses_over_tau():
    losses, tau = numbers([0.2, 0.5, 1.1, 0.9]), 0.4
    s = torch.zeros(4, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([s], lr=0.1)
    for _ in range(400):
        optimizer.zero_grad()
        rp_dro_losses(losses, s, tau)[1].backward()
        optimizer.step()
    assert (batch_log_ratios(s).exp().detach() / 4 - torch.softmax(losses / tau, 0)).abs().max() < 1e-6


def test_self_normalised_ratios_are_pulled_to_mean_one():
    raw, losses = numbers([0.5, 1.0, -0.2]), numbers([1.0, 2.0, 3.0])
    r = [math.exp(v) for v in raw.tolist()]
    mean = sum(r) / 3
    expected = (
        -sum(a * b for a, b in zip(r, losses.tolist(), strict=True)) / 3
        + 0.2 * sum(a * math.log(a) for a in r) / 3
        + 2.5 * math.log(mean) ** 2
    )
    model, adversary, _ = rp_dro_losses(losses, raw, 0.2, normalise=SelfNormalised(2.5))
    assert float(adversary) == pytest.approx(expected, rel=1e-12)
    assert float(model) == pytest.approx(sum(a * b for a, b in zip(r, losses.tolist(), strict=True)) / 3, rel=1e-12)


def test_without_stop_gradients_both_losses_reach_both():
    losses, raw = numbers([1.0, 2.0]).requires_grad_(), numbers([0.0, 1.0]).requires_grad_()
    model, adversary, _ = rp_dro_losses(losses, raw, 0.5, detach=False)
    assert torch.autograd.grad(model, raw)[0].abs().min() > 0
    assert torch.autograd.grad(adversary, losses)[0].abs().min() > 0


@pytest.mark.parametrize(
    ("losses", "raw", "tau", "message"),
    [
        (torch.tensor(1.0), torch.zeros(1), 0.1, "reduction='none'"),
        (torch.ones(2, 2), torch.zeros(2, 2), 0.1, "reduction='none'"),
        (torch.ones(0), torch.zeros(0), 0.1, "must not be empty"),
        (torch.ones(3), torch.zeros(2), 0.1, "must have the shape of losses"),
        (torch.tensor([1.0, float("nan")]), torch.zeros(2), 0.1, "nan in row 1"),
        (torch.ones(2), torch.zeros(2), 0.0, "tau"),
        (torch.ones(2), torch.zeros(2), -1.0, "tau"),
    ],
)
def test_bad_losses_are_refused(losses, raw, tau, message):
    with pytest.raises(InputError, match=message):
        rp_dro_losses(losses, raw, tau)


def test_one_example_is_warned_of():
    with pytest.warns(UserWarning, match="a batch of one"):
        assert float(rp_dro_losses(torch.tensor([2.0]), torch.tensor([5.0]), 0.1)[0]) == 2.0


# --------------------------------------------------------------------------------------------------------- adversary
def test_the_score_is_the_raw_output_for_the_true_class():
    _, adversary = players()
    b = batch()
    scores = adversary.head(adversary.backbone(b["x"]))
    assert torch.equal(adversary(b["x"], b["y"]), torch.stack([scores[i, y] for i, y in enumerate(b["y"].tolist())]))


def test_a_zero_head_starts_at_uniform_ratios_and_a_random_one_does_not():
    b = batch()
    for init, uniform in (("zero", True), ("random", False)):
        _, adversary = players(init=init)
        assert bool((batch_log_ratios(adversary(b["x"], b["y"])).abs() < 1e-6).all()) is uniform


def test_a_ratio_of_x_alone_does_not_depend_on_the_label():
    adversary = RatioAdversary(Perceptron(3, 5), 3, joint=False, init="random")
    b = batch()
    scores = adversary(b["x"], b["y"])
    assert scores.shape == (8,)
    assert torch.equal(scores, adversary(b["x"], (b["y"] + 1) % 3))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RatioAdversary(nn.Identity(), 3), "must have an attribute dim"),
        (lambda: RatioAdversary(nn.Identity(), 3, dim=0), "dim"),
        (lambda: RatioAdversary(nn.Identity(), 3, dim=2, init="ones"), "init"),
        (lambda: RatioAdversary(nn.Identity(), 3, dim=2)(torch.ones(2, 2), torch.tensor([0, 3])), "outputs of the adv"),
        (
            lambda: RatioAdversary(nn.Identity(), 3, dim=2)(torch.ones(2, 2), torch.tensor([0, -1])),
            "outputs of the adv",
        ),
        (lambda: SelfNormalised(0.0), "lam"),
        (lambda: RPDRO(*players(), tau=0), "tau"),
        (lambda: RPDRO(*players(), alpha=1.1), "alpha"),
        (lambda: RPDRO(*players(), adversary_lr=0), "adversary_lr"),
    ],
)
def test_bad_settings_are_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()


# ----------------------------------------------------------------------------------------------------------- learner
def test_losses_of_the_learner_are_those_of_the_function_and_alpha_mixes():
    model, adversary = players()
    b = batch()
    losses = nn.functional.cross_entropy(model(b["x"]), b["y"], reduction="none")
    expected = rp_dro_losses(losses, adversary(b["x"], b["y"]), 0.2)
    for alpha in (1.0, 0.25, 0.0):
        found = RPDRO(model, adversary, 0.2, alpha).losses(b, rng())
        mixed = alpha * expected[0] + (1 - alpha) * losses.mean()
        assert float(found[0]) == pytest.approx(float(mixed), rel=1e-6)
        assert float(found[1]) == pytest.approx(float(expected[1]), rel=1e-6)
        assert float(found[2]["mean loss"]) == pytest.approx(float(losses.mean()), rel=1e-6)
        assert not any(value.requires_grad for value in found[2].values())  # recorded numbers keep no graph
    total, _ = RPDRO(model, adversary, 0.2).loss(b, rng())
    assert float(total) == pytest.approx(float(expected[0] + expected[1]), rel=1e-6)


def test_every_parameter_of_both_players_gets_its_own_gradient():
    learner = RPDRO(*players(), tau=0.2)
    model_loss, adversary_loss, _ = learner.losses(batch(64), rng())
    model_loss.backward()
    assert all(bool((p.grad != 0).any()) for p in learner.model.parameters())
    assert all(p.grad is None for p in learner.adversary.parameters())
    before = [p.grad.clone() for p in learner.model.parameters()]
    adversary_loss.backward()
    assert all(bool((p.grad != 0).any()) for p in learner.adversary.parameters())
    assert all(torch.equal(p.grad, g) for p, g in zip(learner.model.parameters(), before, strict=True))


class Clipped(RPDRO):
    """Losses so steep that both gradients are clipped."""

    def losses(self, b, rng):
        model_loss, adversary_loss, parts = super().losses(b, rng)
        return 1e4 * model_loss, 1e4 * adversary_loss, parts


@pytest.mark.parametrize("kind", [RPDRO, Clipped])
def test_steps_are_simultaneous_clipped_apart_and_only_the_models_rate_falls(kind):
    """Three steps of the loop against three written out: both gradients of the same weights, then both Adams."""
    rows = batch(24, seed=5)
    steps, tau, lr, adversary_lr, clip = 3, 0.2, 0.05, 0.02, 0.3
    learner = kind(*players(), tau, lr=lr, adversary_lr=adversary_lr)
    fit(learner, Batches(rows, 8, 7), steps=steps, clip=clip)

    model, adversary = players()
    optimizers = [
        torch.optim.AdamW(p.parameters(), lr=r, weight_decay=0) for p, r in ((model, lr), (adversary, adversary_lr))
    ]
    stream, by_hand = Batches(rows, 8, 7), kind(model, adversary, tau)
    for step in range(steps):
        b = next(stream)
        model_loss, adversary_loss, _ = by_hand.losses(b, rng())
        for player, loss in ((model, model_loss), (adversary, adversary_loss)):
            parameters = list(player.parameters())
            for p, g in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
                p.grad = g
            nn.utils.clip_grad_norm_(parameters, clip)
        optimizers[0].param_groups[0]["lr"] = lr * (1 - step / steps)
        for optimizer in optimizers:
            optimizer.step()
    for ours, theirs in ((learner.model, model), (learner.adversary, adversary)):
        for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
            assert (p - q).abs().max() < 1e-5
    rates = [optimizer.param_groups[0]["lr"] for optimizer in optimizers]
    assert rates == pytest.approx([lr / 3, adversary_lr])
    assert learner._model_optimizer.param_groups[0]["lr"] == pytest.approx(lr / 3)


def test_the_adversary_has_no_dropout_in_training_and_the_model_has():
    model, _ = players()
    adversary = RatioAdversary(nn.Sequential(nn.Linear(3, 5), nn.Dropout(0.5)), 3, init="random", dim=5)
    learner = RPDRO(nn.Sequential(model, nn.Dropout(0.5)), adversary).train()
    assert learner.training
    assert learner.model.training
    assert not any(m.training for m in adversary.modules())
    b = batch()
    assert torch.equal(learner.adversary(b["x"], b["y"]), learner.adversary(b["x"], b["y"]))


def test_weight_decay_reaches_both_optimisers():
    learner = RPDRO(*players(), weight_decay=0.3)
    assert [o.param_groups[0]["weight_decay"] for o in learner.optimizers()] == [0.3, 0.3]
    assert [o.param_groups[0]["weight_decay"] for o in RPDRO(*players()).optimizers()] == [0, 0]


def test_losses_of_cases_may_be_those_of_a_regression():
    adversary = RatioAdversary(Perceptron(3, 5), 1, joint=False)
    learner = RPDRO(nn.Sequential(nn.Linear(3, 1), nn.Flatten(0)), adversary, case_loss=lambda z, y: (z - y).square())
    x = torch.randn(6, 3, generator=rng())
    expected = (learner.model(x) - x[:, 0]).square().mean()
    assert float(learner.losses({"x": x, "y": x[:, 0]}, rng())[0]) == pytest.approx(float(expected), rel=1e-6)


def test_shuffled_ratios_are_the_same_numbers_for_other_examples():
    r = torch.arange(10.0)
    shuffled = Shuffled(*players()).weights(r, rng())
    assert sorted(shuffled.tolist()) == r.tolist()
    assert not torch.equal(shuffled, r)
    assert torch.equal(RPDRO(*players()).weights(r, rng()), r)


def test_alternating_updates_move_the_adversary_first():
    """One step: the model's gradient is that of ratios after the adversary's step."""
    rows = batch(8, seed=5)
    learner = Alternating(*players(), 0.2, lr=0.05, adversary_lr=0.5)
    fit(learner, Batches(rows, 8, 0), steps=1)
    model, adversary = players()
    by_hand, b = RPDRO(model, adversary, 0.2), next(Batches(rows, 8, 0))
    optimizers = [torch.optim.AdamW(p.parameters(), lr=r, weight_decay=0) for p, r in ((adversary, 0.5), (model, 0.05))]
    by_hand.losses(b, rng())[1].backward()
    optimizers[0].step()
    by_hand.losses(b, rng())[0].backward()
    optimizers[1].step()
    for p, q in zip(learner.model.parameters(), model.parameters(), strict=True):
        assert (p - q).abs().max() < 1e-5


def test_a_resumed_training_ends_with_the_same_weights_and_the_same_choice(tmp_path):
    rows, held = batch(32, seed=3), batch(16, seed=9)

    def run(stop=None):
        def on_step(done, total):
            if done == stop:
                raise KeyboardInterrupt

        learner = RPDRO(
            *players(), 0.1, adversary_lr=0.05, lr=0.05, validation=MinMaxValidation(held["x"], held["y"], 4)
        )
        fit(learner, Batches(rows, 8, 0), steps=20, checkpoints=Checkpoints(tmp_path, every=6), on_step=on_step)
        return learner

    with pytest.raises(KeyboardInterrupt):
        run(stop=13)
    resumed = run().state_dict()
    for file in tmp_path.iterdir():
        file.unlink()
    whole = run().state_dict()
    assert all(torch.equal(whole[k], resumed[k]) for k in whole if isinstance(whole[k], torch.Tensor))
    mine, theirs = (s["validation._extra_state"] for s in (whole, resumed))
    assert mine["steps"] == theirs["steps"] == 20
    assert mine["best_step"] == theirs["best_step"]
    assert torch.equal(mine["selector"]["log_ratios"], theirs["selector"]["log_ratios"])
    assert all(torch.equal(mine["best_weights"][k], theirs["best_weights"][k]) for k in mine["best_weights"])


def test_batch_normalised_is_what_the_function_uses_by_itself():
    losses, raw = numbers([1.0, 2.0]), numbers([0.0, 1.0])
    assert rp_dro_losses(losses, raw, 0.5)[1] == rp_dro_losses(losses, raw, 0.5, normalise=BatchNormalised())[1]


def test_what_a_step_records_keeps_no_graph():
    """Otherwise every batch until the next record would stay in memory."""
    parts = RPDRO(*players()).step(batch(), rng(), Silent())
    assert {"loss", "adversary loss", "kl"} <= set(parts)
    assert not any(value.requires_grad for value in parts.values())


class Silent:
    """A `Minimise` that does nothing."""

    def backward(self, loss, player):
        assert loss.requires_grad

    def update(self, player):
        assert player in (0, 1)
