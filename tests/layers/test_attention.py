"""Attention and positions against loops over queries and keys; caches against the whole; what stays hidden."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from holdfast.errors import InputError
from holdfast.layers.attention import Attention, Cache, real_tokens
from holdfast.layers.positions import ALiBi, LinearBias, Positions, Relative, RelativeScores, distances, sinusoids


def exact(module: nn.Module, seed: int = 0) -> nn.Module:
    """In float64 and away from the start, where biases are zero and would hide mistakes."""
    generator = torch.Generator().manual_seed(seed)
    module = module.double().eval()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(0.5 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    return module


def drawn(*shape, seed=1):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def by_loops(attention, x, memory=None, allowed=None, score=None):
    """One row, one head, one query at a time. `allowed(i, j)`; `score(head, q, i, j, k)` in place of the product."""
    memory = x if memory is None else memory
    size = x.shape[1] // attention.heads
    q, k, v = attention.q(x), attention.k(memory), attention.v(memory)
    mixed = torch.zeros(len(x), x.shape[1], dtype=x.dtype)
    for h in range(attention.heads):
        part = slice(h * size, (h + 1) * size)
        for i in range(len(x)):
            keys = [j for j in range(len(memory)) if allowed is None or allowed(i, j)]
            if not keys:
                continue
            logits = [
                q[i, part] @ k[j, part] / math.sqrt(size) if score is None else score(h, q[i, part], i, j, k[j, part])
                for j in keys
            ]
            weights = torch.stack(logits).softmax(0)
            mixed[i, part] = sum(w * v[j, part] for w, j in zip(weights, keys, strict=True))
    return attention.o(mixed)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("causal", [False, True])
def test_self_attention_is_the_loop(bias, causal):
    attention, x = exact(Attention(6, 3, bias=bias)), drawn(2, 5, 6)
    ours = attention(x, causal=causal)
    for row in range(2):
        torch.testing.assert_close(ours[row], by_loops(attention, x[row], allowed=lambda i, j: not causal or j <= i))


def test_attention_over_a_memory_of_another_width_hides_its_padding():
    attention, x, memory = exact(Attention(6, 2, memory_width=4)), drawn(2, 3, 6), drawn(2, 5, 4, seed=2)
    real = real_tokens(torch.tensor([5, 2]), 5)
    ours = attention(x, memory, mask=real[:, None, None])
    for row, length in enumerate((5, 2)):
        torch.testing.assert_close(ours[row], by_loops(attention, x[row], memory[row, :length]))


@pytest.mark.parametrize("biased", [False, True])
def test_masks_and_causality_hold_together_and_a_query_without_keys_gets_nothing(biased):
    attention, x = exact(Attention(4, 2)), drawn(1, 4, 4)
    mask = torch.tensor([[1, 1, 1, 1], [0, 1, 0, 1], [0, 0, 0, 1], [1, 0, 1, 0]]).bool()
    bias = drawn(2, 4, 4, seed=3)

    def score(h, q, i, j, k):
        return q @ k / math.sqrt(2) + bias[h, i, j]

    expected = by_loops(attention, x[0], None, lambda i, j: bool(mask[i, j]) and j <= i, score if biased else None)
    ours = attention(x, causal=True, mask=mask, bias=bias if biased else None)[0]
    torch.testing.assert_close(ours, expected)
    assert (ours[2] == 0).all(), "query 2 may only look ahead, so that causality leaves it nothing"


@pytest.mark.parametrize("causal", [False, True])
def test_alibi_is_the_loop(causal):
    attention, x = exact(Attention(8, 4, scores=ALiBi().build(8, 4))), drawn(1, 5, 8)

    def score(h, q, i, j, k):
        return q @ k / math.sqrt(2) - 2.0 ** (-8 * (h + 1) / 4) * abs(i - j)

    expected = by_loops(attention, x[0], allowed=lambda i, j: not causal or j <= i, score=score)
    torch.testing.assert_close(attention(x, causal=causal)[0], expected)


@pytest.mark.parametrize("causal", [False, True])
def test_relative_scores_are_the_loop_ahead_as_well_as_behind(causal):
    attention, x = exact(Attention(8, 2, scores=Relative().build(8, 2))), drawn(1, 5, 8)
    scores = attention.scores

    def score(h, q, i, j, k):
        r = scores.distances.weight @ sinusoids(torch.tensor([i - j]), 8)[0].double()
        return ((q + scores.u[h, 0]) @ k + (q + scores.v[h, 0]) @ r[4 * h : 4 * h + 4]) / 2

    expected = by_loops(attention, x[0], allowed=lambda i, j: not causal or j <= i, score=score)
    torch.testing.assert_close(attention(x, causal=causal)[0], expected)


@pytest.mark.parametrize("positions", [Positions(), ALiBi(), Relative()])
@pytest.mark.parametrize("pieces", [[1] * 6, [4, 2], [1, 3, 2]])
def test_a_cache_gives_what_the_whole_gives(positions, pieces):
    attention, x, cache = exact(Attention(8, 2, scores=positions.build(8, 2))), drawn(3, 6, 8), Cache()
    parts = [attention(piece, causal=True, cache=cache) for piece in x.split(pieces, dim=1)]
    torch.testing.assert_close(torch.cat(parts, dim=1), attention(x, causal=True))
    assert len(cache) == 6


def test_a_cache_follows_the_hypotheses_of_a_beam():
    attention, x, cache = exact(Attention(8, 2)), drawn(3, 4, 8), Cache()
    attention(x[:, :3], causal=True, cache=cache)
    rows = torch.tensor([2, 0, 0, 1])
    cache.select(rows)
    last = attention(x[rows, 3:], causal=True, cache=cache)
    torch.testing.assert_close(last, attention(x[rows], causal=True)[:, 3:])


def test_a_memory_is_projected_once_with_a_cache():
    attention, x, memory, cache = exact(Attention(6, 2)), drawn(1, 2, 6), drawn(1, 3, 6, seed=4), Cache()
    calls = []
    attention.k.register_forward_hook(lambda *_: calls.append(1))
    parts = [attention(x[:, t : t + 1], memory, cache=cache) for t in range(2)]
    assert len(calls) == 1
    torch.testing.assert_close(torch.cat(parts, dim=1), attention(x, memory))


def test_dropout_falls_on_weights_while_training_alone():
    attention, x = exact(Attention(8, 2, dropout=0.5)), drawn(1, 6, 8)
    assert torch.equal(attention(x), attention(x))
    attention.train()
    assert not torch.equal(attention(x), attention(x))


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"width": 10, "heads": 4}, "width"),
        ({"width": 8, "heads": 0}, "heads"),
        ({"width": 8, "heads": 2, "dropout": 1.0}, "dropout"),
        ({"width": 8, "heads": 2, "memory_width": 0}, "memory_width"),
    ],
)
def test_what_cannot_be_built_is_named(arguments, named):
    with pytest.raises(InputError, match=f"^{named}"):
        Attention(**arguments)


def test_position_modules():
    table = sinusoids(torch.tensor([0, 3]), 5)
    assert table[0].tolist() == [0, 1, 0, 1, 0]
    wave = [math.sin(3), math.cos(3), math.sin(3 * 10_000 ** (-2 / 5)), math.cos(3 * 10_000 ** (-2 / 5))]
    assert torch.allclose(table[1, :4], torch.tensor(wave))
    assert LinearBias(4).slopes.tolist() == [2**-2, 2**-4, 2**-6, 2**-8]
    assert RelativeScores(8, 2).u.shape == (2, 1, 4)
    assert Positions().added(torch.arange(3), 8) is None
    assert distances(1, 3).tolist() == [[2, 1, 0]]
