"""What was compared, in words: the settings of every arm, what of them was tuned, and from what."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from holdfast.canonical import canonical
from holdfast.errors import InputError
from holdfast.experiment import Scale
from holdfast.report import wording
from holdfast.trials.results import Results


@dataclass(frozen=True)
class ArmSettings:
    """An arm as the page shows it.

    Attributes:
        about: what it is, in words or by the name of its class.
        settings: place -> value, tuned values filled in.
        tuned: place -> (value, declared value); only what tuning could change and did, see `kept`.
        kept: it was tuned, and the declared setting was the best.
        space: field -> candidate values.
    """

    name: str
    about: str
    settings: Mapping[str, str]
    tuned: Mapping[str, tuple[str, str]]
    kept: bool
    space: Mapping[str, str]


def leaves(value: Any, where: str = "", joint: str = ".") -> dict[str, str]:
    """Nested settings as place -> value; a dataclass is named by its class at its own place.

    Args:
        joint: between the steps of a place.

    Example:
        >>> leaves({"lr": 0.1, "align": {"type": "Alignment", "ema": 0.9}, "sizes": [1, 2]})
        {'lr': '0.1', 'align': 'Alignment', 'align.ema': '0.9', 'sizes': '[1, 2]'}
    """
    if isinstance(value, Mapping) and value:
        found = {where: str(value["type"])} if "type" in value and where else {}
        for key, item in value.items():
            if key != "type":
                found.update(leaves(item, f"{where}{joint}{key}" if where else str(key), joint))
        return found
    if isinstance(value, Sequence) and any(isinstance(item, Mapping) for item in value):
        found = {}
        for i, item in enumerate(value, start=1):
            found.update(leaves(item, f"{where}{joint}{i}" if where else str(i), joint))
        return found
    return {where: wording.one_line(value, 200)}


def arm_settings(results: Results) -> list[ArmSettings]:
    """Every arm that has a trial, in declared order."""
    return [_arm(results, name) for name in results.every_arm]


def _arm(results: Results, name: str) -> ArmSettings:
    """As declared when it ran, where that was kept; else as the code declares it now."""
    now = results.experiment.arms.get(name)
    then = (results.declaration.get("arms") or {}).get(name) or {}
    method = then.get("method") or _settings(now.method if now else None)
    space = then.get("space") or {k: list(v) for k, v in (now.space if now else {}).items()}
    tuned = (results.plan.get("tuned") or {}).get(name) or {}
    declared = leaves(_without_type(method))
    after = leaves({**_without_type(method), **tuned})
    for key, fields in (results.plan.get("tuned") or {}).items():  # found on further problems, see `tuned_for`
        if key.startswith(f"{name} on ") and key not in results.experiment.arms:
            elsewhere = {f"{k}{key.removeprefix(name)}": (v, declared.get(k)) for k, v in leaves(fields).items()}
            declared |= {k: was for k, (_, was) in elsewhere.items() if was is not None}
            after |= {k: v for k, (v, _) in elsewhere.items()}
    changed = {k: (v, declared.get(k, wording.NONE)) for k, v in after.items() if declared.get(k) != v}
    kind = str(method.get("type", "")) if isinstance(method, Mapping) else ""
    return ArmSettings(
        name=name,
        about=str(then.get("about") or (now.about if now else "") or kind),
        settings=after,
        tuned=changed,
        kept=bool(tuned) and not changed,
        space={field: ", ".join(_short(v) for v in values) for field, values in space.items()},
    )


def _short(value: Any) -> str:
    return wording.one_line(value.get("type", value) if isinstance(value, Mapping) else value, 60)


def _without_type(method: Any) -> dict[str, Any]:
    return {k: v for k, v in method.items() if k != "type"} if isinstance(method, Mapping) else {}


def _settings(method: Any) -> dict[str, Any]:
    """The method's settings; what JSON cannot express is shown as Python prints it."""
    if not dataclasses.is_dataclass(method):
        return {}
    found: dict[str, Any] = {"type": type(method).__name__}
    for field in dataclasses.fields(method):
        value = getattr(method, field.name)
        try:
            found[field.name] = canonical(value)
        except InputError:
            found[field.name] = wording.one_line(repr(value))
    return found


def scale_settings(results: Results) -> dict[str, str]:
    """The system's own settings of the scale that ran (steps, widths), and the threads of a trial."""
    declared = results.declaration.get("scale")
    if declared is None:
        declared = _settings(results.experiment.scales.get(results.scale))
    common = {field.name for field in dataclasses.fields(Scale)} - {"threads"}
    return leaves({k: v for k, v in declared.items() if k not in common and k != "type"})


def configurations_tried(results: Results) -> list[dict[str, Any]]:
    """The trace of tuning; of each configuration only what differs between those of its arm."""
    trace = [entry for entry in results.plan.get("tuning") or () if isinstance(entry, Mapping)]
    by_arm: dict[str, list[dict[str, str]]] = {}
    for entry in trace:
        by_arm.setdefault(str(entry.get("arm")), []).append(leaves(entry.get("configuration") or {}))
    varying = {arm: _varying(found) for arm, found in by_arm.items()}
    rows = []
    for entry in trace:
        arm = str(entry.get("arm"))
        own = leaves(entry.get("configuration") or {})
        told = ", ".join(f"{place} = {own[place]}" for place in varying[arm] if place in own)
        rows.append({**entry, "arm": arm, "configuration": told or "as declared"})
    return rows


def _varying(found: Sequence[Mapping[str, str]]) -> list[str]:
    places = dict.fromkeys(place for settings in found for place in settings if place)
    return [place for place in places if len({settings.get(place) for settings in found}) > 1 or len(found) == 1]


def looks(results: Results) -> str:
    """At how many replicates the plan looks: `8 and 16 (12 claims), 8 (1 claim)`; empty without a plan."""
    declared = results.plan.get("looks")
    if isinstance(declared, Mapping):
        counts: dict[str, int] = {}
        for sizes in declared.values():
            told = _joined(sizes)
            counts[told] = counts.get(told, 0) + 1
        if len(counts) == 1:
            return next(iter(counts))
        return "; ".join(f"{told} ({n} claim{'' if n == 1 else 's'})" for told, n in counts.items())
    return _joined(declared) if declared else ""


def _joined(sizes: Any) -> str:
    if isinstance(sizes, Mapping):
        sizes = sizes.get("sizes", sizes)
    return " and ".join(map(str, sizes)) if isinstance(sizes, list | tuple) else str(sizes)
