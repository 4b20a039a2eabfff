"""Minmax selection: against a plain recomputation over the whole list, what is not taken, what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from holdfast.errors import InputError
from holdfast.layers.perceptron import Perceptron, classifier
from holdfast.systems.rp_dro import MinMaxSelector, MinMaxValidation, RatioAdversary, batch_log_ratios, compare_models
from holdfast.systems.rp_dro.method.selection import ratio_kl, reverse_kl, zero_one_errors


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def ratios(seed, n=20, spread=1.0):
    return batch_log_ratios(spread * torch.randn(n, generator=rng(seed), dtype=torch.float64))


def plain_score(errors, adversaries):
    return max(sum(math.exp(a) * e for a, e in zip(row, errors, strict=True)) / len(errors) for row in adversaries)


def test_decisions_are_those_of_recomputing_everything_every_time():
    selector, listed, best, best_at, stored, redone = MinMaxSelector(), [[0.0] * 20], None, None, 0.0, 0
    for i in range(30):
        # Each a little worse on average than the one before, but more even.
        log_r, u = ratios(i), torch.rand(20, generator=rng(100 + i), dtype=torch.float64)
        errors = 0.4 + 0.005 * i + 0.6 * (u - 0.5) / (1 + 0.3 * i)
        assert selector.add_adversary(log_r)
        listed.append(log_r.tolist())
        better = best is None or plain_score(errors.tolist(), listed) < plain_score(best, listed)
        redone += best is not None and better != (plain_score(errors.tolist(), listed) < stored)
        assert selector.update(errors) is better
        if better:
            best, best_at, stored = errors.tolist(), i, plain_score(errors.tolist(), listed)
        assert selector.best_ == best_at
        assert selector.best_score_ == pytest.approx(plain_score(best, listed), rel=1e-12)
    assert redone  # a stored score would have decided otherwise at least once


def test_the_uniform_one_is_in_the_list_from_the_start_and_the_first_of_equals_stays():
    selector = MinMaxSelector()
    assert selector.best_ is None
    assert selector.best_score_ == math.inf
    assert selector.update(torch.tensor([1.0, 0.0]))
    assert selector.best_score_ == 0.5
    assert not selector.update(torch.tensor([0.0, 1.0]))
    assert selector.best_ == 0
    assert selector.updates == 2


def test_an_adversary_beyond_the_divergence_is_not_taken():
    n = 40
    one_hot = batch_log_ratios(torch.cat([torch.tensor([60.0]), torch.zeros(n - 1)]).double())
    eighth = batch_log_ratios(torch.cat([torch.full((n // 8,), 60.0), torch.zeros(n - n // 8)]).double())
    assert float(ratio_kl(one_hot)) == pytest.approx(math.log(n))
    assert float(ratio_kl(eighth)) == pytest.approx(math.log(8))
    selector = MinMaxSelector()
    assert not selector.add_adversary(one_hot)
    assert selector.add_adversary(eighth)
    assert len(selector.log_ratios) == 1
    assert MinMaxSelector(kl_max=4).add_adversary(one_hot)
    at_the_limit = MinMaxSelector(kl_max=1.5, divergence=lambda log_r: torch.tensor(1.5))
    assert at_the_limit.add_adversary(eighth)


def test_divergences_against_loops():
    log_r = ratios(3)
    assert float(ratio_kl(log_r)) == pytest.approx(sum(math.exp(v) * v for v in log_r.tolist()) / 20)
    assert float(reverse_kl(log_r)) == pytest.approx(-sum(log_r.tolist()) / 20)
    assert ratio_kl(torch.stack([log_r, log_r])).shape == (2,)


def test_state_goes_on_where_it_was():
    first, second = MinMaxSelector(), MinMaxSelector()
    second.load_state_dict(first.state_dict())
    assert second.log_ratios == []
    assert second.best_ is None
    for i in range(3):
        first.add_adversary(ratios(i))
        first.update(torch.rand(20, generator=rng(i)))
    second.load_state_dict(first.state_dict())
    assert (second.best_, second.updates, second.best_score_) == (first.best_, 3, first.best_score_)
    errors = torch.rand(20, generator=rng(9)) / 2
    assert first.update(errors) == second.update(errors)


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda s: s.add_adversary(torch.zeros(0)), "at least one"),
        (lambda s: s.add_adversary(torch.zeros(2, 2)), "at least one"),
        (lambda s: s.add_adversary(torch.zeros(3)), "must have 2 examples"),
        (lambda s: s.update(torch.zeros(3)), "must have 2 examples"),
        (lambda s: s.add_adversary(torch.tensor([1.0, 1.0])), "mean ratio of 1"),
        (lambda s: s.add_adversary(torch.tensor([0.0, float("nan")])), "must be finite"),
        (lambda s: s.update(torch.tensor([0.0, float("inf")])), "must be finite"),
        (lambda s: MinMaxSelector(kl_max=0), "kl_max"),
    ],
)
def test_bad_rows_are_refused(act, message):
    selector = MinMaxSelector()
    selector.update(torch.zeros(2))
    with pytest.raises(InputError, match=message):
        act(selector)
    assert not selector.log_ratios
    assert selector.updates == 1


def test_models_of_several_runs_against_a_double_loop():
    errors = torch.rand(5, 20, generator=rng(1), dtype=torch.float64)
    log_ratios = torch.stack([ratios(i) for i in range(7)])
    table = [[plain_score(e, [row]) for row in log_ratios.tolist()] for e in errors.tolist()]
    model = int(np.argmin([max(row) for row in table]))
    assert compare_models(errors, log_ratios) == (model, int(np.argmax(table[model])))
    for bad in (
        (errors[0], log_ratios),
        (errors, log_ratios[:, :5]),
        (errors, log_ratios[:0]),
        (errors[:0], log_ratios),
    ):
        with pytest.raises(InputError):
            compare_models(*bad)


def test_zero_one_errors():
    logits = torch.tensor([[1.0, 0.0], [0.0, 1.0], [2.0, 1.0]])
    assert zero_one_errors(logits, torch.tensor([0, 0, 0])).tolist() == [0, 1, 0]


def validation(every=2):
    torch.manual_seed(0)
    model = classifier(Perceptron(3, 4), 2)
    adversary = RatioAdversary(Perceptron(3, 4), 2, init="random")
    x, y = torch.randn(600, 3, generator=rng(4)), torch.randint(0, 2, (600,), generator=rng(5))
    return model, adversary, MinMaxValidation(x, y, every)


def test_a_look_normalises_over_the_whole_set_and_keeps_the_weights_of_then():
    model, adversary, held = validation()
    held.after_step(model, adversary)
    assert held.steps == 1
    assert held.best_step == 0
    assert not held.best_weights
    assert not held.selector.log_ratios
    held.after_step(model, adversary)
    raw = adversary(held.x, held.y).detach().double()
    found = held.selector.log_ratios[0]
    assert (found - (raw - raw.logsumexp(0) + math.log(600))).abs().max() < 1e-6
    kept = {k: v.clone() for k, v in model.state_dict().items()}
    right = model(held.x).argmax(1) == held.y
    assert held.selector.best_score_ == pytest.approx(held.selector.score(1 - right.double()))
    with torch.no_grad():
        for p in model.parameters():
            p.zero_()
        model[1].bias.copy_(torch.tensor([1.0, 0.0]) if held.y.sum() > 300 else torch.tensor([0.0, 1.0]))
    errors = (model(held.x).argmax(1) != held.y).double()
    worse = held.selector.score(errors) >= held.selector.best_score_
    assert worse
    assert not held.look(model, adversary)
    assert held.best_step == 2
    assert all(torch.equal(held.best_weights[k], kept[k]) for k in kept)


def test_a_look_leaves_modes_and_gradients_alone():
    model, adversary, held = validation(1)
    model = nn.Sequential(*model, nn.Dropout(0.0)).train()
    held.after_step(model, adversary)
    assert model.training
    assert all(p.grad is None for p in [*model.parameters(), *adversary.parameters()])


def test_validation_needs_rows():
    with pytest.raises(InputError, match="at least one validation example"):
        MinMaxValidation(torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64), 1)
    with pytest.raises(InputError, match="label for each"):
        MinMaxValidation(torch.zeros(2, 3), torch.zeros(1, dtype=torch.int64), 1)
