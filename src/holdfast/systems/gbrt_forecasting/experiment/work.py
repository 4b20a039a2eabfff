"""How much a run computes."""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.experiment import Scale


@dataclass(frozen=True)
class Work(Scale):
    """How much is computed.

    Attributes:
        steps: most steps of a network's optimiser; trees: most trees per step ahead; rows: most windows fitted on,
            evenly spaced. None = as the arms say.
        measured: the parts that are forecast. Settings are chosen on "validation" with "test" left alone, and what they
            are worth is measured on "test" alone.
    """

    steps: int | None = None
    trees: int | None = None
    rows: int | None = None
    measured: tuple[str, ...] = ("test",)


__all__ = ["Work"]
