"""How an expert is trained, what is kept of it, and what a vote for one says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from holdfast.systems.expert_lms.method import State
from holdfast.validation import check_integer, check_positive


@dataclass(frozen=True)
class Training:
    """How an expert is trained.

    Attributes:
        steps: of Adam.
        batch: rows a step.
        lr: learning rate of Adam.
        seed: of the order of rows.
    """

    steps: int = 150
    batch: int = 32
    lr: float = 3e-3
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "batch"):
            check_integer(getattr(self, name), name, low=1)
        check_positive(self.lr, "lr")
        check_integer(self.seed, "seed", low=0)


@dataclass(frozen=True, eq=False)
class Expert:
    """What is kept of a task.

    Attributes:
        state: weights of its adapters.
        vectors: (S, d) float16, unit vectors of stored instances; (0, d) of a merged expert, which is never retrieved.
        start: hash of the weights that it began with.
        metadata: whatever the user wants to remember.
    """

    state: State
    vectors: np.ndarray
    start: str
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Route:
    """Which expert was found for some texts.

    Attributes:
        expert: its name.
        votes: of the queries, by name.
        margin: lead over the second, as a share of the queries.
        likeness: mean cosine of the queries with what is nearest to them.
        abstain: why one should not rely on it; "" where nothing speaks against it.
    """

    expert: str
    votes: Mapping[str, int]
    margin: float
    likeness: float
    abstain: str = ""


__all__ = ["Expert", "Route", "Training"]
