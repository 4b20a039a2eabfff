"""PEZ and what it is compared with: against the reference's numbers, loops, and what must be so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from holdfast.baselines.token_search import Best, TokenObjective
from holdfast.errors import InputError
from holdfast.systems.pez.method import (
    FluentPrompt,
    Pez,
    ProjectInPlace,
    Projection,
    SoftThenProject,
    StraightThroughProject,
    nearest_token_project,
)

VECTORS = Path(__file__).parents[2] / "vectors" / "pez.npz"
METRICS = ("euclidean", "cosine")
ALL = torch.ones(60, dtype=torch.bool)


@pytest.fixture(scope="module")
def reference():
    return {name: torch.from_numpy(array) for name, array in np.load(VECTORS).items()}


@pytest.fixture(scope="module")
def table(reference):
    E = torch.from_numpy(np.random.RandomState(0).randn(49408, 8).astype(np.float32))
    assert torch.equal(E[:5], reference["emb_head"])
    return E


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def toy(V=60, D=6, rows=3, seed=0, **options):
    """A table and a loss of each row: the squared distance of the mean of prompts from an aim of its own."""
    E = torch.randn(V, D, generator=generator(seed))
    aims = torch.randn(rows, D, generator=generator(seed + 1)) / 2

    def loss(embedded, ids, who):
        return (torch.tanh(embedded).mean(1) - aims[who]).square().sum(1)

    return TokenObjective(E, torch.ones(V, dtype=torch.bool), loss, **options)


class Spy:
    """An objective that writes down what it is asked."""

    def __init__(self, objective):
        self.objective, self.points = objective, []

    def __getattr__(self, name):
        return getattr(self.objective, name)

    def gradient(self, embedded, ids):
        self.points.append((embedded.clone(), ids))
        return self.objective.gradient(embedded, ids)


# ------------------------------------------------------------------------------------------------------------ parity
def test_the_projection_is_the_references(reference, table):
    rows, ids = nearest_token_project(reference["proj_in"], table)
    assert torch.equal(ids, reference["proj_ids"])
    assert torch.equal(rows, table[ids])


def test_fifteen_steps_are_the_references(reference, table):
    targets = F.normalize(reference["targets"], dim=1)

    def loss(embedded, ids, rows):
        vectors = F.normalize(torch.tanh(embedded.mean(1) @ reference["A"]), dim=1)
        return 1 - (vectors @ targets.T).mean(1)

    soft = []

    class Watched(Pez):
        def start(self, P, hard):
            soft.append(P.clone())
            return P

    objective = Spy(TokenObjective(table, torch.ones(len(table), dtype=torch.bool), loss))
    # It starts where the reference did: the embeddings of its first tokens.
    first = nearest_token_project(reference["soft"][0], table)[1]
    assert torch.equal(table[first], reference["soft"][0])
    found = Watched(0.1, 0.1, reduction="mean").search(objective, first, 45, generator())
    assert torch.equal(torch.stack([ids for _, ids in objective.points]), reference["ids"])
    torch.testing.assert_close(torch.stack(soft), reference["soft"], atol=1e-5, rtol=0)
    torch.testing.assert_close(1 - found.history, reference["scores"], atol=1e-5, rtol=0)
    best = found.ids[int(found.loss[:, 0].argmin()), 0]
    assert torch.equal(best, reference["best_ids"])


# -------------------------------------------------------------------------------------------------------- projection
@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("chunk", [7, 60, 1000])
def test_the_nearest_row_by_a_loop(metric, chunk):
    E, P = torch.randn(60, 5, generator=generator(3)), torch.randn(4, 3, 5, generator=generator(4))
    E[17] = 0
    rows, ids = nearest_token_project(P, E, metric, chunk=chunk)
    for b in range(4):
        for position in range(3):
            p, best = P[b, position], None
            for v in range(60):
                if v == 17:
                    continue
                near = -float((p - E[v]).square().sum())
                if metric == "cosine":
                    near = float(p @ E[v] / p.norm() / E[v].norm())
                best = max(best, (near, v)) if best else (near, v)
            assert int(ids[b, position]) == best[1]
    assert torch.equal(rows, E[ids])


def test_real_tokens_are_their_own_nearest_and_length_does_not_matter():
    E = torch.randn(60, 5, generator=generator(5))
    assert torch.equal(nearest_token_project(E[None], E)[1][0], torch.arange(60))
    P = torch.randn(2, 7, 5, generator=generator(6))
    assert torch.equal(nearest_token_project(P, E)[1], nearest_token_project(P * 37.0, E)[1])


def test_rows_of_zeros_and_masked_tokens_are_never_nearest():
    E = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.9, 0.1], [0.0, 1.0]])
    P = torch.tensor([[[-1.0, -0.1], [1.0, 0.01]]])
    for metric in ("cosine", "euclidean"):
        assert 0 not in nearest_token_project(P * 1e-3, E, metric)[1]
    allowed = torch.tensor([[True, True, True, True], [True, False, True, True]])
    assert nearest_token_project(P, E, allowed=allowed)[1].tolist() == [[3, 2]]
    assert nearest_token_project(P, E, allowed=allowed, chunk=1)[1].tolist() == [[3, 2]]
    swapped = nearest_token_project(P.flip(1), E, allowed=allowed)[1].tolist()
    assert swapped == [[1, 3]], "a mask holds for its own position"


def test_equal_rows_give_the_first_also_across_chunks():
    E = torch.tensor([[0.0, 1.0], [1.0, 0.0], [2.0, 0.0], [1.0, 0.0]])
    for chunk in (1, 2, 4):
        assert nearest_token_project(torch.tensor([[5.0, 0.0]]), E, chunk=chunk)[1].tolist() == [1]


@pytest.mark.parametrize("allowed", [torch.zeros(3, dtype=torch.bool), torch.tensor([[True] * 3, [False] * 3])])
def test_a_mask_must_leave_something(allowed):
    with pytest.raises(InputError, match="allowed"):
        nearest_token_project(torch.ones(1, 2, 2), torch.ones(3, 2), allowed=allowed)


def test_a_mask_must_fit():
    with pytest.raises(InputError, match="allowed"):
        nearest_token_project(torch.ones(1, 2, 2), torch.ones(3, 2), allowed=torch.ones(3, 3, dtype=torch.bool))


def test_straight_through_forwards_projects_and_backwards_does_nothing():
    E = torch.randn(60, 5, generator=generator(7))
    P = torch.randn(2, 3, 5, generator=generator(8), requires_grad=True)
    hard = StraightThroughProject.apply(P, Projection(E, torch.arange(60)))
    assert torch.equal(hard.detach(), nearest_token_project(P.detach(), E)[0])
    weights = torch.randn(2, 3, 5, generator=generator(9))
    (slope,) = torch.autograd.grad((hard**2 * weights).sum(), P)
    torch.testing.assert_close(slope, 2 * hard.detach() * weights)


# ------------------------------------------------------------------------------------------------------------ a step
def test_gradients_are_those_of_the_loss_at_the_tokens():
    objective = toy()
    ids = torch.tensor([[3, 7], [1, 2], [9, 9]])
    loss, slope = objective.gradient(objective.table[ids], ids)
    torch.testing.assert_close(loss, objective.of_ids(ids, torch.arange(3)))
    for row, position, d in ((0, 1, 2), (2, 0, 5)):
        up, down = objective.table[ids].double(), objective.table[ids].double()
        up[row, position, d] += 1e-4
        down[row, position, d] -= 1e-4
        who = torch.arange(3)
        change = (objective.loss(up, ids, who) - objective.loss(down, ids, who))[row] / 2e-4
        assert float(slope[row, position, d]) == pytest.approx(float(change), abs=1e-4)


def by_hand(objective, ids, steps, lr, decay, keep_soft=True, noise=None, divide=1):
    """AdamW written out: the gradient at the hard point, the step from the soft one (or from the hard)."""
    P, m, v, seen = objective.table[ids].clone(), 0.0, 0.0, []
    for t in range(1, steps + 1):
        hard, ids = nearest_token_project(P, objective.table)
        seen.append(ids)
        point = hard.clone().requires_grad_()
        (g,) = torch.autograd.grad(objective.loss(point, ids, torch.arange(len(ids))).sum(), point)
        g = g / divide
        base = P if keep_soft else hard
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        step = (m / (1 - 0.9**t)) / ((v / (1 - 0.999**t)).sqrt() + 1e-8)
        P = base * (1 - lr * decay) - lr * step
        if noise is not None:
            P = P + noise(t)
    return torch.stack(seen)


def ids_of(search, objective, ids, steps):
    spy = Spy(objective)
    search.search(spy, ids, 3 * steps, generator(5))
    return torch.stack([ids for _, ids in spy.points])


START = torch.tensor([[3, 7, 11], [1, 2, 50], [9, 9, 20]])


@pytest.mark.parametrize("lr", [0.05, 0.3])
def test_pez_keeps_the_soft_prompt_and_project_in_place_does_not(lr):
    objective = toy()
    pez = ids_of(Pez(lr, 0.2), objective, START, 12)
    assert torch.equal(pez, by_hand(objective, START, 12, lr, 0.2))
    place = ids_of(ProjectInPlace(lr, 0.2), objective, START, 12)
    assert torch.equal(place, by_hand(objective, START, 12, lr, 0.2, keep_soft=False))
    assert not torch.equal(pez, place)


def test_small_steps_add_up_only_where_the_soft_prompt_is_kept():
    objective = toy()
    assert (ids_of(ProjectInPlace(0.01, 0.0), objective, START, 60) == START).all()
    assert (ids_of(Pez(0.01, 0.0), objective, START, 60)[-1] != START).any()


def test_fluent_prompts_noise_falls_geometrically():
    objective, lr, beta, fall, steps = toy(), 0.1, 0.05, 1e-3, 8
    drawn = generator(5)

    def noise(t):
        now = beta * fall ** ((t - 1) / (steps - 1))
        return (2 * lr * now) ** 0.5 * torch.randn(3, 3, 6, generator=drawn)

    expected = by_hand(objective, START, steps, lr, 0.1, keep_soft=False, noise=noise)
    assert torch.equal(ids_of(FluentPrompt(lr, 0.1, beta=beta, fall=fall), objective, START, steps), expected)
    silent = ids_of(FluentPrompt(lr, 0.1, beta=0.0), objective, START, steps)
    assert torch.equal(silent, ids_of(ProjectInPlace(lr, 0.1), objective, START, steps))
    assert FluentPrompt(lr).search(objective, START, 3, generator()).history.shape == (1, 3), "one step has no end"


def test_soft_then_project_follows_the_gradient_at_the_soft_prompt():
    objective, steps, lr = toy(), 9, 0.05
    P = objective.table[START].clone().requires_grad_()
    optimizer, losses = torch.optim.AdamW([P], lr=lr, weight_decay=0.1), []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = objective.loss(P, None, torch.arange(3))
        losses.append(loss.detach())
        loss.sum().backward()
        optimizer.step()
    found = SoftThenProject(lr, 0.1).search(objective, START, 3 * steps + 1, generator())
    torch.testing.assert_close(found.history, torch.stack(losses))
    ids = nearest_token_project(P.detach(), objective.table)[1]
    assert torch.equal(found.ids[:, 0], ids)
    torch.testing.assert_close(found.loss[:, 0], objective.of_ids(ids, torch.arange(3)))
    assert found.loss[:, 1:].isinf().all()
    assert len(SoftThenProject(lr).search(objective, START, 3 * steps, generator()).history) == steps - 1


@pytest.mark.parametrize("search", [Pez(0.2), SoftThenProject(0.2)])
def test_the_mean_over_prompts_scales_gradients_by_their_number(search):
    objective = toy()
    slopes = []

    class Watched(type(search)):
        def _optimizer(self, P):
            class Held(torch.optim.SGD):
                def step(self):
                    slopes.append(P.grad.clone())

            return Held([P], lr=1.0)

    Watched(0.2).search(objective, START, 3 * 2, generator())
    summed = len(slopes)
    Watched(0.2, reduction="mean").search(objective, START, 3 * 2, generator())
    torch.testing.assert_close(slopes[summed], slopes[0] / 3)


@pytest.mark.parametrize("search", [Pez(0.2), ProjectInPlace(0.2), SoftThenProject(0.2)])
def test_prompts_do_not_know_of_each_other(search):
    objective = toy()
    together = search.search(objective, START, 40, generator())
    for row in range(3):
        alone = TokenObjective(
            objective.table, objective.allowed, lambda e, ids, who, row=row: objective.loss(e, ids, who * 0 + row)
        )
        single = search.search(alone, START[row : row + 1], 40, generator())
        assert torch.equal(single.ids[0, 0], together.ids[row, 0])
        torch.testing.assert_close(single.history[:, 0], together.history[:, row])


def test_with_no_rate_nothing_moves():
    assert (ids_of(Pez(0.0, 0.0), toy(), START, 5) == START).all()


def test_one_allowed_token_is_what_is_found():
    objective = toy()
    only = torch.arange(60) == 41
    found = Pez().search(TokenObjective(objective.table, only, objective.loss), START, 9, generator())
    assert (found.ids[:, 0] == 41).all()


def test_the_best_is_the_least_loss_of_all_steps_and_judged_before_the_update():
    objective = toy()
    spy = Spy(objective)
    found = Pez(0.3).search(spy, START, 60, generator())
    assert torch.equal(found.loss[:, 0], found.history.amin(0))
    step = found.history.argmin(0)
    for row in range(3):
        assert torch.equal(found.ids[row, 0], spy.points[step[row]][1][row])
    assert torch.equal(spy.points[0][1], START)
    assert len(found.history) == 20


def test_a_negative_weight_looks_for_the_largest_distance():
    objective = toy()
    away = TokenObjective(objective.table, objective.allowed, lambda e, i, r: -objective.loss(e, i, r))
    there, back = (Pez(0.3).search(o, START, 60, generator()) for o in (away, objective))
    distance = objective.of_ids(there.ids[:, 0], torch.arange(3))
    assert (distance > back.loss[:, 0]).all()
    torch.testing.assert_close(-there.loss[:, 0], distance)
    assert torch.equal(there.loss[:, 0], there.history.amin(0))


def test_a_judge_decides_every_so_many_steps_and_at_the_end():
    asked = []

    def judge(ids):
        asked.append(ids)
        return torch.full((3,), float(len(asked) % 3))

    found = Pez(0.3).search(toy(judge=judge, every=4), START, 30, generator())
    assert len(asked) == 4, "steps 1, 5, 9 and the last"
    assert found.loss[:, 0].tolist() == [0.0] * 3
    assert torch.equal(found.ids[:, 0], asked[2])


def test_adafactor_with_its_gradient_cut():
    objective = toy()
    big = TokenObjective(objective.table, objective.allowed, lambda e, i, r: 1e3 * objective.loss(e, i, r))
    P = objective.table[START].clone()
    optimizer = torch.optim.Adafactor([P], lr=0.3, weight_decay=0.0)
    hard, ids = nearest_token_project(P, objective.table)
    slope = big.gradient(hard, ids)[1]
    P.grad = slope / slope.norm()
    optimizer.step()
    expected = nearest_token_project(P, objective.table)[1]
    assert torch.equal(ids_of(Pez(0.3, 0.0, "adafactor"), big, START, 2)[1], expected)


def test_the_euclidean_projection_is_asked_for():
    objective = toy()
    spy = Spy(objective)
    Pez(0.3, projection="euclidean").search(spy, START, 30, generator())
    assert not torch.equal(torch.stack([i for _, i in spy.points]), ids_of(Pez(0.3), objective, START, 10))
    lengths = torch.linspace(0.01, 30.0, 60)[:, None]  # with short tokens near the origin, and long ones
    uneven = TokenObjective(objective.table * lengths, objective.allowed, objective.loss)
    soft, plain = (SoftThenProject(0.3, projection=p).search(uneven, START, 31, generator()) for p in METRICS)
    assert not torch.equal(soft.ids[:, 0], plain.ids[:, 0])


def test_a_loss_that_is_not_finite_names_step_and_rate():
    calls = []

    def loss(embedded, ids, rows):
        calls.append(1)
        return embedded.sum((1, 2)) * (float("nan") if len(calls) == 3 else 1.0)

    with pytest.raises(InputError, match=r"step 3, lr 0\.25"):
        Pez(0.25).search(TokenObjective(torch.randn(60, 4), ALL, loss), START, 30, generator())


def test_soft_prompts_that_are_not_finite_are_named_too():
    def loss(embedded, ids, rows):
        return embedded.sum((1, 2)) * (float("nan") if ids is not None else 1.0)

    with pytest.raises(InputError, match="finite"):
        SoftThenProject(0.25).search(TokenObjective(torch.randn(60, 4), ALL, loss), START, 30, generator())


@pytest.mark.parametrize("search", [Pez(), SoftThenProject()])
@pytest.mark.parametrize(("budget", "steps"), [(16, 5), (2, 1)])
def test_progress_is_told(search, budget, steps):
    told = []
    search.search(toy(), START, budget, generator(), lambda done, total: told.append((done, total)))
    assert told == [(i, steps) for i in range(1, steps + 1)], "at least one step"


def test_the_best_of_many_are_different():
    best = Best(torch.tensor([[0, 0]]), keep=3)
    best.add_all(torch.tensor([[[1, 2], [1, 2], [3, 4]]]), torch.tensor([[0.5, 0.5, 0.7]]))
    best.add(torch.tensor([[1, 2]]), torch.tensor([0.5]))
    best.add(torch.tensor([[0, 0]]), torch.tensor([0.6]))
    best.add(torch.tensor([[5, 5]]), torch.tensor([0.65]))
    found = best.found()
    assert found.ids.tolist() == [[[1, 2], [0, 0], [5, 5]]]
    torch.testing.assert_close(found.loss, torch.tensor([[0.5, 0.6, 0.65]]))
    torch.testing.assert_close(found.history, torch.tensor([[0.5], [0.5], [0.6], [0.65]]))
