"""Things that have another name since plans were frozen, so that moving code makes no plan stale.

Plans hold the declared settings as JSON (`holdfast.canonical`): classes and functions as "module:name", dataclasses by
the name of their class. Who moves or renames one of them adds a line here, old name to new, in the same commit. A name
that something else bears today must not be taken as an old one: a plan would then say of the new thing what was frozen
of the old one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# "module:name" of a function or class, as it was frozen -> as it is now.
MOVED: dict[str, str] = {
    "holdfast.systems.binder.errorlaw:all_right": "holdfast.systems.binder.experiment.errorlaw:all_right",
    "holdfast.systems.binder.errorlaw:closed_form": "holdfast.systems.binder.experiment.errorlaw:closed_form",
    "holdfast.systems.binder.golddata:always_no": "holdfast.systems.binder.experiment.golddata:always_no",
    "holdfast.systems.binder.golddata:copied": "holdfast.systems.binder.experiment.golddata:copied",
    "holdfast.systems.binder.golddata:first_number": "holdfast.systems.binder.experiment.golddata:first_number",
    "holdfast.systems.binder.golddata:most_frequent": "holdfast.systems.binder.experiment.golddata:most_frequent",
    "holdfast.systems.binder.measurements:by_encoder": "holdfast.systems.binder.experiment.measurements:by_encoder",
    "holdfast.systems.binder.measurements:by_recording": "holdfast.systems.binder.experiment.measurements:by_recording",
    "holdfast.systems.gbrt_forecasting.nets:DLinear": "holdfast.baselines.forecasting.networks:DLinear",
    "holdfast.systems.gbrt_forecasting.nets:LSTM": "holdfast.baselines.forecasting.networks:LSTM",
    "holdfast.systems.gbrt_forecasting.nets:MLP": "holdfast.baselines.forecasting.networks:MLP",
    "holdfast.systems.gbrt_forecasting.nets:NHiTS": "holdfast.baselines.forecasting.networks:NHiTS",
    "holdfast.systems.nonstationary_meta.meta:cosine_to_zero": (
        "holdfast.systems.nonstationary_meta.method.meta_learning:cosine_to_zero"
    ),
}
# Name of a dataclass (under "type" in plans), as it was frozen -> as it is now.
RETITLED: dict[str, str] = {}


def renamed(declared: Any, moved: Mapping[str, str] | None = None, retitled: Mapping[str, str] | None = None) -> Any:
    """Declared settings as JSON with today's names. What else they say is untouched.

    Args:
        declared: JSON, nested; from a plan.
        moved, retitled: the tables; None = those of this module.

    Example:
        >>> renamed({"loss": "old:f", "arm": {"type": "Old", "name": "Old"}}, {"old:f": "new:f"}, {"Old": "New"})
        {'loss': 'new:f', 'arm': {'type': 'New', 'name': 'Old'}}
    """
    moved = MOVED if moved is None else moved
    retitled = RETITLED if retitled is None else retitled
    if isinstance(declared, Mapping):
        return {
            key: retitled[value]
            if key == "type" and isinstance(value, str) and value in retitled
            else renamed(value, moved, retitled)
            for key, value in declared.items()
        }
    if isinstance(declared, list):
        return [renamed(value, moved, retitled) for value in declared]
    return moved.get(declared, declared) if isinstance(declared, str) else declared


__all__ = ["MOVED", "RETITLED", "renamed"]
