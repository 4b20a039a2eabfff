"""Swaps of tokens against loops that try them one by one."""

from __future__ import annotations

import pytest
import torch

from holdfast.baselines.token_search import (
    AT_ONCE,
    GCG,
    HotFlip,
    RandomTokens,
    TokenObjective,
    random_ids,
    swapped,
)
from holdfast.errors import InputError

V, D, L, N = 40, 5, 3, 2
E = torch.randn(V, D, generator=torch.Generator().manual_seed(0))
AIMS = torch.randn(N, D, generator=torch.Generator().manual_seed(1))
START = torch.tensor([[3, 7, 11], [1, 2, 30]])


def loss(embedded, ids, rows):
    return (torch.tanh(embedded).mean(1) - AIMS[rows] / 2).square().sum(1)


def objective(allowed=None, table=E):
    return TokenObjective(table, torch.ones(V, dtype=torch.bool) if allowed is None else allowed, loss)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def slope_of(ids, row):
    point = E[ids][None].clone().requires_grad_()
    return torch.autograd.grad(loss(point, None, torch.tensor([row])).sum(), point)[0][0]


def exact(ids, row):
    return float(loss(E[ids][None], None, torch.tensor([row])))


@pytest.mark.parametrize("turns", [True, False])
@pytest.mark.parametrize("allowed", [None, torch.arange(V) % 2 == 1])
def test_hotflip_by_loops(turns, allowed):
    width, steps = 4, 7
    found = HotFlip(width, turns).search(objective(allowed), START, steps * (3 + width) + 2, generator())
    for row in range(N):
        ids, closed, history, best = START[row].clone(), set(), [], (float("inf"), None)
        for step in range(steps):
            here, g = exact(ids, row), slope_of(ids, row)
            options = []
            for position in [step % L] if turns else range(L):
                for v in range(V):
                    if v == ids[position] or (position, v) in closed or (allowed is not None and not allowed[v]):
                        continue
                    options.append((float(g[position] @ (E[v] - E[ids[position]])), position, v))
            tried = []
            for _, position, v in sorted(options)[:width]:
                other = ids.clone()
                other[position] = v
                tried.append((exact(other, row), other))
                closed.add((position, v))
            least, chosen = min(tried, key=lambda one: one[0])
            history.append(min(here, least))
            best = min(best, (least, chosen), (here, ids), key=lambda one: one[0])
            if least < here:
                ids, closed = chosen, set()
        torch.testing.assert_close(found.history[:, row], torch.tensor(history))
        assert found.ids[row, 0].tolist() == best[1].tolist()
        assert float(found.loss[row, 0]) == pytest.approx(best[0])


def test_gcg_draws_from_the_best_of_each_position_and_moves_to_the_best_drawn(monkeypatch):
    import holdfast.baselines.token_search as module

    asked = []
    plain = module._exact

    def watched(objective, ids):
        values = plain(objective, ids)
        asked.append((ids.clone(), values))
        return values

    monkeypatch.setattr(module, "_exact", watched)
    top, batch, steps = 6, 9, 8
    found = GCG(top, batch).search(objective(), START, steps * (3 + batch), generator())
    assert len(asked) == steps
    now = START
    positions = set()
    for tried, values in asked:
        assert tried.shape == (N, batch, L)
        for row in range(N):
            g = slope_of(now[row], row)
            for one in tried[row]:
                changed = (one != now[row]).nonzero()[:, 0].tolist()
                assert len(changed) <= 1
                for position in changed:
                    positions.add(position)
                    assert one[position] in (E @ g[position]).topk(top, largest=False).indices
        now = torch.stack([tried[row, values[row].argmin()] for row in range(N)])
    assert positions == set(range(L))
    lowest = torch.stack([values.amin(1) for _, values in asked]).amin(0)
    torch.testing.assert_close(found.loss[:, 0], torch.minimum(lowest, objective().of_ids(START, torch.arange(N))))


def test_gcg_keeps_to_the_mask():
    allowed = torch.zeros(L, V, dtype=torch.bool)
    allowed[0, :10], allowed[1:, 10:13] = True, True
    ids = torch.tensor([[3, 11, 12], [1, 10, 10]])
    found = GCG(64, 8).search(objective(allowed), ids, 110, generator())
    kept = found.ids[found.loss.isfinite()]
    assert (kept[:, 0] < 10).all()
    assert ((kept[:, 1:] >= 10) & (kept[:, 1:] < 13)).all()


def test_random_tokens_are_all_judged_and_the_start_is_one_of_them():
    found = RandomTokens(16).search(objective(), START, 1, generator())
    assert torch.equal(found.ids[:, 0], START)
    told = []
    RandomTokens(16).search(objective(), START, 40, generator(), lambda *at: told.append(at))
    assert told == [(1, 3), (2, 3), (3, 3)]
    best = RandomTokens(16).search(objective(), START, 40, generator())
    torch.testing.assert_close(best.loss[:, 0], objective().of_ids(best.ids[:, 0], torch.arange(N)))
    torch.testing.assert_close(best.loss[:, 0], best.history.amin(0))


def test_random_ids_are_uniform_where_they_may_be():
    where = torch.tensor([[True, False, True, True], [False, True, False, False]])
    drawn = random_ids(torch.tensor([5, 6, 7, 9]), where, 3000, generator())
    assert (drawn[:, 1] == 6).all()
    shares = [(drawn[:, 0] == token).double().mean().item() for token in (5, 7, 9)]
    assert shares == pytest.approx([1 / 3] * 3, abs=0.04)


def test_more_prompts_than_fit_into_one_forward():
    sizes = []

    def counted(embedded, ids, rows):
        sizes.append(len(embedded))
        return loss(embedded, ids, rows)

    ids = torch.randint(V, (AT_ONCE + 3, L), generator=generator())
    rows = torch.arange(AT_ONCE + 3) % N
    many = TokenObjective(E, torch.ones(V, dtype=torch.bool), counted).of_ids(ids, rows)
    assert sizes == [AT_ONCE, 3]
    torch.testing.assert_close(many, loss(E[ids], ids, rows))


def test_rows_of_zeros_are_no_candidates():
    table = E.clone()
    table[4] = 0
    tokens, where = objective(table=table).candidates(L)
    assert 4 not in tokens
    assert where.shape == (L, V - 1)


def test_a_mask_that_leaves_nothing_is_refused():
    with pytest.raises(InputError, match="every position"):
        objective(torch.zeros(V, dtype=torch.bool)).candidates(L)
    with pytest.raises(InputError, match="shape"):
        objective(torch.ones(L + 1, V, dtype=torch.bool)).candidates(L)


def test_swapped():
    found = swapped(torch.tensor([[1, 2, 3]]), torch.tensor([[0, 2]]), torch.tensor([[9, 8]]))
    assert found.tolist() == [[[9, 2, 3], [1, 2, 8]]]
