"""Which shapes fit a budget: deep and narrow ones first, or uniform ones, or all of the grid."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from holdfast.errors import InputError
from holdfast.systems.scale_efficiently.method.costs import Machine, flops, latency, memory
from holdfast.systems.scale_efficiently.method.shapes import BASES, T5Shape
from holdfast.validation import check_choice, check_integer, check_positive

DEEPEST, WIDTHS = 36, ("tiny", "mini", "small", "base", "large", "xl")
FAMILIES = ("deepnarrow", "uniform", "all")


@dataclass(frozen=True)
class Plan:
    """A shape that fits.

    Attributes:
        name: as the released checkpoints are called.
        shape: itself.
        params: weights.
        flops_per_token: of a training step, for a token of the input.
        memory_gb: in training, of the batch that was asked about, in 2^30 bytes.
        latency_ms: of one forward pass of one pair.
        reason: why it stands where it does.
    """

    name: str
    shape: T5Shape
    params: int
    flops_per_token: float
    memory_gb: float
    latency_ms: float
    reason: str


@dataclass(frozen=True)
class Budget:
    """What a shape may cost; None = whatever.

    Attributes:
        params: weights.
        flops: of a training step, for one pair of sequences.
        memory_gb: of 2^30 bytes, in training.
        latency_blocks: blocks one after the other.
        batch, src_len, tgt_len: of a step.
        checkpointing: activations are computed again.
        machine: for the estimate of time.
    """

    params: int | None = None
    flops: float | None = None
    memory_gb: float | None = None
    latency_blocks: int | None = None
    batch: int = 1
    src_len: int = 512
    tgt_len: int = 114
    checkpointing: bool = False
    machine: Machine = field(default_factory=Machine)

    def costs(self, shape: T5Shape) -> dict[str, float]:
        """What is limited, by name of the limit."""
        used = memory(shape, self.batch, self.src_len, self.tgt_len, checkpointing=self.checkpointing)
        return {
            "params": shape.params().total,
            "flops": flops(shape, self.src_len, self.tgt_len, training=True),
            "memory_gb": used.total / 2**30,
            "latency_blocks": shape.depth,
        }

    def share(self, shape: T5Shape) -> float:
        """The largest part of any limit that it takes; at most 1 if it fits."""
        limits = {name: getattr(self, name) for name in ("params", "flops", "memory_gb", "latency_blocks")}
        costs = self.costs(shape)
        return max(costs[name] / limit for name, limit in limits.items() if limit is not None)


def plan(
    budget_params: float | None = None, *, budget_flops: float | None = None, budget_memory_gb: float | None = None,
    max_latency_blocks: int | None = None, family: str = "deepnarrow", top: int = 10, batch: int = 1,
    src_len: int = 512, tgt_len: int = 114, checkpointing: bool = False, machine: Machine | None = None,
) -> list[Plan]:  # fmt: skip
    """Shapes that fit all budgets, best first.

    "deepnarrow": for each width from the narrowest on, as many blocks as fit, up to 36; the narrowest that uses the
    budget comes first, wider ones after it. "uniform": the released sizes, largest first. "all": every width with 2 to
    36 blocks, largest first. Where several use nearly the same, the paper says that the deeper one is better once it is
    fine-tuned, and the latency here says what that costs.

    Args:
        budget_params: weights.
        budget_flops: of a training step, for one pair of sequences.
        budget_memory_gb: in training, of 2^30 bytes.
        max_latency_blocks: of both stacks together.
        family: "deepnarrow", "uniform" or "all".
        top: at most so many.
        batch, src_len, tgt_len, checkpointing: of a training step.
        machine: for the estimate of time.

    Raises:
        InputError: no budget; one that is not positive; one below the smallest shape, whose cost is named.

    Example:
        >>> [found.name for found in plan(140e6, top=2)]
        ['mini-nl27', 'small-nl16']
    """
    given = {"params": budget_params, "flops": budget_flops, "memory_gb": budget_memory_gb}
    if max_latency_blocks is None and all(value is None for value in given.values()):
        raise InputError("budget_params", "must be given, or another budget", "none")
    for name, value in given.items():
        if value is not None:
            check_positive(value, f"budget_{name}")
    if max_latency_blocks is not None:
        check_integer(max_latency_blocks, "max_latency_blocks", low=1)
    check_integer(top, "top", low=1)
    budget = Budget(
        **given, latency_blocks=max_latency_blocks, batch=batch, src_len=src_len, tgt_len=tgt_len,  # type: ignore[arg-type]
        checkpointing=checkpointing, machine=machine or Machine(),
    )  # fmt: skip
    found = list(_CANDIDATES[check_choice(family, FAMILIES, "family")](budget))
    if not found:
        least = budget.costs(replace(BASES["tiny"], el=2, dl=2) if family != "uniform" else BASES["tiny"])
        said = ", ".join(f"{name} {value:,.4g}" for name, value in least.items())
        raise InputError("budget", f"must be at least that of the smallest shape ({said})", str(given))
    return [_told(name, shape, reason, budget) for name, shape, reason in found[:top]]


Candidate = tuple[str, T5Shape, str]


def _deep_and_narrow(budget: Budget) -> Iterator[Candidate]:
    """Of each width the deepest that fits; those that are cut short by 36 blocks come last."""
    full, short = [], []
    for base in WIDTHS:
        depths = [nl for nl in range(2, DEEPEST + 1) if budget.share(_deep(base, nl)) <= 1]
        if not depths:
            continue
        name, shape = f"{base}-nl{depths[-1]}", _deep(base, depths[-1])
        share = f"{budget.share(shape):.0%} of the budget"
        if depths[-1] < DEEPEST:
            full.append((name, shape, f"as deep as fits at width {shape.dm}: {share}"))
        else:
            short.append((name, shape, f"{DEEPEST} blocks, where depth stops paying, and only {share}"))
    yield from full
    yield from sorted(short, key=lambda one: -budget.share(one[1]))


def _uniform(budget: Budget) -> Iterator[Candidate]:
    for base, shape in reversed(BASES.items()):
        if budget.share(shape) <= 1:
            yield base, shape, f"a released size: {budget.share(shape):.0%} of the budget"


def _all(budget: Budget) -> Iterator[Candidate]:
    fits = [
        (f"{base}-nl{nl}", shape, budget.share(shape))
        for base in WIDTHS for nl in range(2, DEEPEST + 1) if budget.share(shape := _deep(base, nl)) <= 1
    ]  # fmt: skip
    for name, shape, share in sorted(fits, key=lambda one: (-one[2], -one[1].depth)):
        yield name, shape, f"{share:.0%} of the budget"


_CANDIDATES = {"deepnarrow": _deep_and_narrow, "uniform": _uniform, "all": _all}


def _deep(base: str, nl: int) -> T5Shape:
    return replace(BASES[base], el=nl, dl=nl)


def _told(name: str, shape: T5Shape, reason: str, budget: Budget) -> Plan:
    costs = budget.costs(shape)
    seconds = latency(shape, 1, budget.src_len, budget.tgt_len, budget.machine)
    return Plan(
        name, shape, int(costs["params"]), costs["flops"] / budget.src_len, costs["memory_gb"], 1e3 * seconds, reason
    )


def canonical(params: float) -> str:
    """The released size whose number of weights is nearest, by ratio.

    Example:
        >>> canonical(140e6)
        'base'
    """
    check_positive(params, "params")
    return min(BASES, key=lambda name: abs(math.log(BASES[name].params().total / params)))


__all__ = ["Budget", "Plan", "canonical", "plan"]
