"""From logits of the next token to sequences: greedy, sampled (temperature, nucleus), beam search; batched and cached.

A decoder is anything with two doors: called with the newest token of every row it gives the logits of the next, and
`select` keeps some of its rows, in an order. `CachedSteps` makes one of a `Stack` of transformer blocks. A mask of
allowed tokens, which sees the tokens so far, limits what a sequence may hold: a grammar, a word list, n-grams that must
not come again.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from holdfast.errors import InputError
from holdfast.layers.transformer import Stack
from holdfast.validation import check_fraction, check_integer, check_number

Allowed = Callable[[Tensor], Tensor]  # tokens so far, int64 (B, t) -> bool (B, V), true where a token may follow


class Steps(Protocol):
    """A model of the next token that remembers what it has read."""

    def __call__(self, tokens: Tensor) -> Tensor:
        """Reads one more token of every row, int64 `(B,)`; logits of the next, `(B, V)`."""
        ...

    def select(self, rows: Tensor) -> None:
        """Keep these rows, int64 `(B',)`, in this order; one may come several times."""
        ...


class CachedSteps:
    """The steps of a transformer decoder: each computes the newest position alone.

    Args:
        embed: (tokens `(B, 1)`, position) -> `(B, 1, E)`.
        stack: decoder blocks, with or without cross attention.
        head: `(B, 1, E)` -> `(B, 1, V)`.
        memory, memory_mask: what the blocks attend to, `(B, K, M)` and bool `(B, K)`, true where it is real.
    """

    def __init__(
        self,
        embed: Callable[[Tensor, int], Tensor],
        stack: Stack,
        head: Callable[[Tensor], Tensor],
        memory: Tensor | None = None,
        memory_mask: Tensor | None = None,
    ) -> None:
        self._embed, self._stack, self._head = embed, stack, head
        self._memory, self._mask, self._caches, self._at = memory, memory_mask, stack.caches(), 0

    def __call__(self, tokens: Tensor) -> Tensor:
        x = self._embed(tokens[:, None], self._at)
        self._at += 1
        mask = None if self._mask is None else self._mask[:, None, None]
        x = self._stack(x, caches=self._caches, causal=True, memory=self._memory, memory_mask=mask)
        return self._head(x)[:, 0]

    def select(self, rows: Tensor) -> None:
        for cache in self._caches:
            cache.select(rows)
        if self._memory is not None:
            self._memory = self._memory[rows]
        if self._mask is not None:
            self._mask = self._mask[rows]


@dataclass(frozen=True, eq=False)
class Decoded:
    """Sequences, without the token they start from.

    Attributes:
        tokens: int64 `(B, T)`, the stop token included; after it, the stop token again.
        lengths: int64 `(B,)`, how many tokens count, the stop token included.
        log_probs: float `(B, T)`, natural logarithms of the tokens' probabilities; 0 after the end.
        stopped: bool `(B,)`, whether the stop token was reached.
    """

    tokens: Tensor
    lengths: Tensor
    log_probs: Tensor
    stopped: Tensor


def nucleus(logits: Tensor, p: float) -> Tensor:
    """The logits `(..., V)` with all but the most probable tokens, which together have p, at -inf (top-p).

    The token that crosses p stays, so at least one does. Holtzman et al. 2020.

    Example:
        >>> nucleus(torch.tensor([4.0, 3.0, 0.0]), 0.9).tolist()
        [4.0, 3.0, -inf]
    """
    share = check_fraction(p, "p", zero=False)
    falling, order = logits.softmax(-1).sort(dim=-1, descending=True, stable=True)
    dropped = falling.cumsum(-1) - falling >= share  # what stands before it has p already
    dropped[..., 0] = False
    return logits.masked_fill(torch.zeros_like(dropped).scatter(-1, order, dropped), -math.inf)


def allowed_log_probs(logits: Tensor, tokens: Tensor, allowed: Allowed | None) -> Tensor:
    """log p `(B, V)` of the next token, over what is allowed after `tokens` alone.

    Raises:
        InputError: nothing is allowed after a sequence.
    """
    if allowed is None:
        return logits.log_softmax(-1)
    may = allowed(tokens)
    if not bool(may.any(-1).all()):
        row = int((~may.any(-1)).int().argmax())
        raise InputError("allowed", "must leave at least one token", f"none after {tokens[row].tolist()}")
    return logits.masked_fill(~may, -math.inf).log_softmax(-1)


Choice = Callable[[Tensor], Tensor]  # log p (B, V) -> tokens (B,)


@torch.no_grad()
def decode(
    steps: Steps, start: Tensor, stop: int, longest: int, choose: Choice | None = None, allowed: Allowed | None = None
) -> Decoded:
    """Sequences token by token.

    Args:
        steps: a decoder that has read nothing.
        start: int64 `(B,)`, the first token it reads; not part of what is returned.
        stop: the token that ends a sequence.
        longest: at most so many tokens, the stop token included.
        choose: which token; None = the most probable one (greedy). See `sampler`.
        allowed: see the module. The probabilities are those among what is allowed.

    Raises:
        InputError: `longest` below 1; nothing is allowed after a sequence.

    Example:
        >>> class Counter:
        ...     def __call__(self, tokens):
        ...         return F.one_hot((tokens + 1).clamp(max=3), 4) * 50.0
        ...     def select(self, rows): ...
        >>> decode(Counter(), torch.tensor([0, 1]), stop=3, longest=5).tokens.tolist()
        [[1, 2, 3], [2, 3, 3]]
    """
    check_integer(longest, "longest", low=1)
    newest, done = start, torch.zeros_like(start, dtype=torch.bool)
    tokens, scores = start.new_zeros(len(start), 0), []
    lengths = torch.zeros_like(start)
    for _ in range(longest):
        log_p = allowed_log_probs(steps(newest), tokens, allowed if not bool(done.any()) else _where(allowed, done))
        newest = (log_p.argmax(-1) if choose is None else choose(log_p)).masked_fill(done, stop)
        scores.append(log_p.gather(1, newest[:, None])[:, 0].masked_fill(done, 0.0))
        lengths = lengths + (~done)
        tokens = torch.cat([tokens, newest[:, None]], 1)
        done = done | (newest == stop)
        if bool(done.all()):
            break
    return Decoded(tokens, lengths, torch.stack(scores, 1), done)


def _where(allowed: Allowed | None, done: Tensor) -> Allowed | None:
    """The same limits, none for sequences that have ended."""
    return None if allowed is None else lambda tokens: allowed(tokens) | done[:, None]


def sampler(rng: torch.Generator, *, temperature: float = 1.0, top_p: float = 1.0) -> Choice:
    """Draws tokens, for `decode(choose=...)`.

    Args:
        rng: on the device of the logits.
        temperature: above 0; below 1 the probable becomes more so.
        top_p: only the `nucleus` of this probability is drawn from.

    Raises:
        InputError: a temperature that is not above 0, a share outside (0, 1].
    """
    if (warmth := check_number(temperature, "temperature", low=0)) == 0:
        raise InputError("temperature", "must be above 0; decode without a choice is greedy", temperature)
    share = check_fraction(top_p, "top_p", zero=False)

    def choose(log_p: Tensor) -> Tensor:
        logits = log_p / warmth
        logits = logits if share == 1 else nucleus(logits, share)
        return torch.multinomial(logits.softmax(-1), 1, generator=rng)[:, 0]

    return choose


@dataclass(frozen=True, eq=False)
class Beams:
    """The best sequences of each row, best first.

    Attributes:
        tokens: int64 `(B, W, T)`, filled up with the stop token.
        lengths: int64 `(B, W)`, the stop token included.
        scores: float `(B, W)`, log p / length ** length_penalty; -inf where there were fewer than W sequences.
        log_probs: float `(B, W, T)` of the tokens; 0 after the end.
    """

    tokens: Tensor
    lengths: Tensor
    scores: Tensor
    log_probs: Tensor

    def best(self) -> Decoded:
        """The first of each row."""
        stop = self.tokens[:, 0].gather(1, self.lengths[:, :1] - 1)[:, 0]
        padded = self.tokens[:, 0, -1]
        ended = (stop == padded) | (self.lengths[:, 0] < self.tokens.shape[2])
        return Decoded(self.tokens[:, 0], self.lengths[:, 0], self.log_probs[:, 0], ended)


@torch.no_grad()
def beam_search(
    steps: Steps,
    start: Tensor,
    stop: int,
    longest: int,
    width: int,
    *,
    length_penalty: float = 1.0,
    allowed: Allowed | None = None,
) -> Beams:
    """The sequences with the highest log p / length ** length_penalty that a beam of this width finds.

    A sequence counts once it holds the stop token, or has `longest` tokens. The search of a row ends when nothing that
    is still under way can become better than the W sequences it has: with a beam that is wide enough, it is exhaustive.

    Args:
        steps, start, stop, longest, allowed: as for `decode`.
        width: W, hypotheses kept of each row.
        length_penalty: 0 compares sums, 1 means of the log-probabilities.

    Raises:
        InputError: a width or `longest` below 1, a negative length penalty; nothing is allowed after a sequence.
    """
    check_integer(longest, "longest", low=1)
    W, B = check_integer(width, "width", low=1), len(start)
    power = check_number(length_penalty, "length_penalty", low=0)
    first = torch.arange(B, device=start.device)[:, None]
    steps.select(first.expand(B, W).flatten())
    newest = start[:, None].expand(B, W)
    alive = torch.full((B, W), -math.inf, device=start.device)
    alive[:, 0] = 0.0  # all W are the same at first: only one of them counts
    tokens, parts = start.new_zeros(B, W, 0), alive.new_zeros(B, W, 0)
    found = _Found(B, W, longest, stop, start)
    for t in range(1, longest + 1):
        log_p = allowed_log_probs(steps(newest.flatten()), tokens.flatten(0, 1), _alive(allowed, alive, stop))
        V = log_p.shape[1]
        total = (alive[..., None] + log_p.view(B, W, V)).flatten(1)
        scores, at = total.topk(min(2 * W, W * V), dim=1)
        before, token = at // V, at % V
        grown = torch.cat([tokens[first, before], token[..., None]], 2)
        each = torch.cat([parts[first, before], log_p.view(B, W, V)[first, before, token][..., None]], 2)
        ends = (token == stop) if t < longest else torch.ones_like(token, dtype=torch.bool)
        found.add(grown, each, (scores / t**power).masked_fill(~ends, -math.inf))
        alive, kept = scores.masked_fill(ends, -math.inf).topk(min(W, scores.shape[1]), dim=1)
        if alive.shape[1] < W:
            alive, kept = F.pad(alive, (0, W - alive.shape[1]), value=-math.inf), F.pad(kept, (0, W - kept.shape[1]))
        tokens, parts, newest = grown[first, kept], each[first, kept], token[first, kept]
        reachable = alive[:, 0] / longest**power  # log p only falls, and is divided by no more than this
        if bool((found.scores[:, -1] >= reachable).all()):
            break
        steps.select((first * W + before[first, kept]).flatten())
    return found.beams()


def _alive(allowed: Allowed | None, alive: Tensor, stop: int) -> Allowed | None:
    """The same limits, none for places of the beam that hold nothing."""
    if allowed is None:
        return None
    real = (~alive.flatten().isneginf()).nonzero()[:, 0]

    def limits(tokens: Tensor) -> Tensor:
        # Places without a sequence hold whatever stands there: a grammar must not be asked about it.
        given = allowed(tokens[real])
        may = given.new_ones(len(tokens), given.shape[1])
        may[real] = given
        return may

    return limits


class _Found:
    """The W best sequences that have ended."""

    def __init__(self, rows: int, width: int, longest: int, stop: int, like: Tensor) -> None:
        self.scores = torch.full((rows, width), -math.inf, device=like.device)
        self._tokens = like.new_full((rows, width, longest), stop)
        self._each = torch.zeros(rows, width, longest, device=like.device)
        self._lengths = like.new_full((rows, width), 1)
        self._width, self._longest, self._stop = width, longest, stop

    def add(self, tokens: Tensor, each: Tensor, scores: Tensor) -> None:
        """Sequences `(B, C, t)` with scores `(B, C)`, -inf where one has not ended."""
        t = tokens.shape[2]
        scores, kept = torch.cat([self.scores, scores], 1).topk(self._width, dim=1)
        rows = torch.arange(len(kept), device=kept.device)[:, None]
        fill = (0, self._longest - t)
        self._tokens = torch.cat([self._tokens, F.pad(tokens, fill, value=self._stop)], 1)[rows, kept]
        self._each = torch.cat([self._each, F.pad(each, fill)], 1)[rows, kept]
        lengths = tokens.new_full(tokens.shape[:2], t)
        self._lengths = torch.cat([self._lengths, lengths], 1)[rows, kept]
        self.scores = scores

    def beams(self) -> Beams:
        """What was found, as long as the longest."""
        real = self._lengths.masked_fill(self.scores.isneginf(), 1)
        T = int(real.max())
        return Beams(self._tokens[..., :T], real, self.scores, self._each[..., :T])


__all__ = [
    "Allowed",
    "Beams",
    "CachedSteps",
    "Choice",
    "Decoded",
    "Steps",
    "allowed_log_probs",
    "beam_search",
    "decode",
    "nucleus",
    "sampler",
]
