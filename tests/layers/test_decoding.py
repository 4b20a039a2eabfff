"""Decoding against exhaustive search, closed forms and the uncached transformer."""

import itertools
import math

import pytest
import torch
from torch import nn

from holdfast.errors import InputError
from holdfast.layers.attention import Attention
from holdfast.layers.decoding import CachedSteps, beam_search, decode, nucleus, sampler
from holdfast.layers.transformer import Block, FeedForward, Stack

V, STOP, LONGEST = 4, 3, 4


class Table:
    """Logits by everything read so far: different for every history, so that a wrong row shows."""

    def __init__(self, seeds, scale=1.5):
        self.seeds, self.read = list(seeds), [()] * len(seeds)
        self.scale = scale

    def logits(self, seed, history):
        rng = torch.Generator().manual_seed(hash((seed, history)) % 2**31)
        return self.scale * torch.randn(V, generator=rng)

    def __call__(self, tokens):
        self.read = [(*h, int(t)) for h, t in zip(self.read, tokens, strict=True)]
        return torch.stack([self.logits(s, h) for s, h in zip(self.seeds, self.read, strict=True)])

    def select(self, rows):
        self.seeds, self.read = [self.seeds[i] for i in rows], [self.read[i] for i in rows]


def all_sequences(seed, start, power, allowed=None):
    """Score of every sequence, by brute force."""
    table, scores = Table([seed]), {}
    for length in range(1, LONGEST + 1):
        for tokens in itertools.product(range(V), repeat=length):
            if STOP in tokens[:-1] or (tokens[-1] != STOP and length < LONGEST):
                continue
            total = 0.0
            for t, token in enumerate(tokens):
                logits = table.logits(seed, (start, *tokens[:t]))
                if allowed is not None:
                    may = allowed(torch.tensor([tokens[:t]], dtype=torch.int64))[0]
                    logits = logits.masked_fill(~may, -math.inf)
                total += float(logits.log_softmax(0)[token])
            if total > -math.inf:
                scores[tokens] = total / length**power
    return scores


def no_repeats(tokens):
    """No token twice in a row."""
    may = torch.ones(len(tokens), V, dtype=torch.bool)
    if tokens.shape[1]:
        may[torch.arange(len(tokens)), tokens[:, -1]] = False
    return may


@pytest.mark.parametrize("power", [0.0, 1.0, 0.6])
@pytest.mark.parametrize("allowed", [None, no_repeats])
def test_a_wide_beam_is_exhaustive(power, allowed):
    seeds, start = [1, 2, 3], torch.tensor([0, 1, 0])
    beams = beam_search(Table(seeds), start, STOP, LONGEST, 81, length_penalty=power, allowed=allowed)
    for b, seed in enumerate(seeds):
        scores = all_sequences(seed, int(start[b]), power, allowed)
        best = sorted(scores, key=scores.get, reverse=True)
        for w in range(5):
            length = int(beams.lengths[b, w])
            assert tuple(beams.tokens[b, w, :length].tolist()) == best[w]
            assert float(beams.scores[b, w]) == pytest.approx(scores[best[w]], abs=1e-5)
            assert float(beams.log_probs[b, w].sum()) == pytest.approx(scores[best[w]] * length**power, abs=1e-4)
        assert (beams.tokens[b, 0, int(beams.lengths[b, 0]) :] == STOP).all()


def test_a_beam_of_one_is_greedy_where_the_greedy_sequence_ends_first():
    start = torch.tensor([0, 0, 1])
    greedy = decode(Table([5, 6, 7]), start, STOP, LONGEST)
    beam = beam_search(Table([5, 6, 7]), start, STOP, LONGEST, 1, length_penalty=0).best()
    for b in range(3):  # a beam of one may stop earlier by itself only where a shorter one scores higher
        length = int(greedy.lengths[b])
        if int(beam.lengths[b]) == length:
            assert beam.tokens[b, :length].tolist() == greedy.tokens[b, :length].tolist()
            assert torch.allclose(beam.log_probs[b, :length], greedy.log_probs[b, :length], atol=1e-6)
    assert beam.stopped.dtype == torch.bool


def test_greedy_takes_the_most_probable_and_pads_after_the_end():
    found = decode(Table([1, 2, 3, 4], scale=3), torch.zeros(4, dtype=torch.int64), STOP, 12)
    table = Table([1, 2, 3, 4], scale=3)
    for b, seed in enumerate((1, 2, 3, 4)):
        history = (0,)
        for t in range(int(found.lengths[b])):
            log_p = table.logits(seed, history).log_softmax(0)
            assert int(found.tokens[b, t]) == int(log_p.argmax())
            assert float(found.log_probs[b, t]) == pytest.approx(float(log_p.max()), abs=1e-6)
            history = (*history, int(found.tokens[b, t]))
        assert (found.tokens[b, int(found.lengths[b]) :] == STOP).all()
        assert (found.log_probs[b, int(found.lengths[b]) :] == 0).all()
        assert bool(found.stopped[b]) == (STOP in found.tokens[b].tolist())


def test_a_limit_is_kept_and_what_is_left_is_normalised():
    found = decode(Table([1]), torch.tensor([0]), STOP, LONGEST, allowed=lambda t: torch.eye(V)[[2]].bool())
    assert found.tokens.tolist() == [[2] * LONGEST]
    assert found.log_probs.abs().max() < 1e-6
    assert found.stopped.tolist() == [False]
    with pytest.raises(InputError, match="at least one token"):
        decode(Table([1]), torch.tensor([0]), STOP, LONGEST, allowed=lambda t: torch.zeros(1, V, dtype=torch.bool))


@pytest.mark.parametrize("p", [0.05, 0.3, 0.7, 0.95, 1.0])
def test_the_nucleus_is_the_smallest_set_with_that_share(p):
    logits = torch.randn(50, 7, generator=torch.Generator().manual_seed(0))
    kept = ~nucleus(logits, p).isneginf()
    for probability, keep in zip(logits.softmax(1).tolist(), kept.tolist(), strict=True):
        order = sorted(range(7), key=lambda i: -probability[i])
        count = next(n for n in range(1, 8) if sum(probability[i] for i in order[:n]) >= p - 1e-6 or n == 7)
        assert {i for i in range(7) if keep[i]} == set(order[:count])


def test_samples_have_the_probabilities_of_the_model():
    n = 20_000
    rng = torch.Generator().manual_seed(1)

    class Fixed:
        def __call__(self, tokens):
            return torch.tensor([0.5, 0.3, 0.15, 0.05]).log().expand(len(tokens), V)

        def select(self, rows): ...

    start = torch.zeros(n, dtype=torch.int64)
    first = decode(Fixed(), start, STOP, 1, choose=sampler(rng)).tokens[:, 0]
    assert torch.allclose(first.bincount(minlength=V) / n, torch.tensor([0.5, 0.3, 0.15, 0.05]), atol=0.015)
    first = decode(Fixed(), start, STOP, 1, choose=sampler(rng, temperature=0.5, top_p=0.7)).tokens[:, 0]
    expected = torch.tensor([0.25, 0.09, 0, 0]) / 0.34  # squared, then the two that have .93 of it
    share = first.bincount(minlength=V) / n
    assert (share[2:] == 0).all()
    assert torch.allclose(share, expected, atol=0.02)


@torch.no_grad()
def test_steps_with_a_cache_equal_a_whole_pass_also_in_a_beam():
    torch.manual_seed(0)
    E, words = 8, 6
    embed, head = nn.Embedding(words, E), nn.Linear(E, words)
    blocks = [Block(E, Attention(E, 2), FeedForward(E), cross=Attention(E, 2)) for _ in range(2)]
    stack = Stack(blocks, nn.LayerNorm(E)).eval()
    memory, mask = torch.randn(3, 5, E), torch.arange(5) < torch.tensor([[5], [3], [2]])
    steps = CachedSteps(lambda tokens, at: embed(tokens), stack, head, memory, mask)
    beams = beam_search(steps, torch.zeros(3, dtype=torch.int64), 5, 7, 3)
    for b in range(3):
        for w in range(3):
            length = int(beams.lengths[b, w])
            read = torch.cat([torch.zeros(1, dtype=torch.int64), beams.tokens[b, w, : length - 1]])
            real = memory[b : b + 1, mask[b]]
            log_p = head(stack(embed(read)[None], causal=True, memory=real)).log_softmax(-1)[0]
            expected = log_p.gather(1, beams.tokens[b, w, :length, None])[:, 0]
            assert torch.allclose(beams.log_probs[b, w, :length], expected, atol=1e-5)
            assert float(beams.scores[b, w]) == pytest.approx(float(expected.mean()), abs=1e-5)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: decode(Table([1]), torch.tensor([0]), STOP, 0), "longest"),
        (lambda: beam_search(Table([1]), torch.tensor([0]), STOP, 3, 0), "width"),
        (lambda: beam_search(Table([1]), torch.tensor([0]), STOP, 3, 2, length_penalty=-1), "length_penalty"),
        (lambda: nucleus(torch.zeros(3), 0.0), "p"),
        (lambda: sampler(torch.Generator(), temperature=0), "temperature"),
    ],
)
def test_what_cannot_be_decoded_is_refused(call, said):
    with pytest.raises(InputError, match=said):
        call()
