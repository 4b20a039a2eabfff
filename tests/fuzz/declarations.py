"""Claims and experiments declared with any arguments."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from fuzz.hunt import Attempt, Fuzz, Outcome, obey
from fuzz.words import json_values, scalars
from holdfast.decision import decide_all
from holdfast.experiment import Arm, Experiment, Metric, Problem, Record, RecordTable, Scale, Tuning, claims
from holdfast.experiment.claims import Claim, check
from toy_experiment import Draws

NAMES = ("a", "b", "level", "")
GOOD = {
    "arm": "a", "than": "b", "to": "b", "other": "b", "value": "b", "metric": "score", "on": "p", "margin": 1.0,
    "floor": "b", "ceiling": "level", "at_least": 0.5, "tol": 0.1, "role": "secondary", "expect": "", "text": "",
    "at": {}, "requires": (), "of": "width", "along": "depth", "start": 1, "end": 2, "against": "width",
    "target": claims.Region.within(1), "scope": "", "published": "", "source": "",
}  # fmt: skip
KINDS: tuple[tuple[Any, tuple[str, ...]], ...] = (
    (claims.Better, ("arm", "than", "metric", "on")),
    (claims.NoWorse, ("arm", "than", "metric", "on", "margin")),
    (claims.Near, ("arm", "to", "metric", "on", "margin")),
    (claims.Differs, ("arm", "other", "metric", "on")),
    (claims.Exact, ("arm", "value", "metric", "on")),
    (claims.ShareOfGap, ("arm", "floor", "ceiling", "metric", "on")),
    (claims.ShiftOfArgmin, ("arm", "of", "along", "start", "end", "target", "metric", "on")),
    (claims.Slope, ("arm", "against", "target", "metric", "on")),
)
OPTIONS = ("margin", "role", "expect", "text", "at", "requires", "scope", "published", "tol", "at_least")
anything = st.one_of(
    scalars, st.sampled_from(NAMES), json_values(size=4), st.sampled_from([(), ("p",), ("p", "p"), object()])
)


def experiment(**changes: Any) -> Experiment:
    """A small one with two swept parameters."""
    base: dict[str, Any] = {
        "question": "Which?",
        "problems": {"p": Draws(), "q": Draws(1.0)},
        "arms": {name: Arm(Draws(i)) for i, name in enumerate(NAMES[:3])},
        "metrics": {"score": Metric("%")},
        "scales": {"small": Scale()},
        "claims": (),
        "trial": lambda run: (),
        "points": {"width": (1, 2, 4), "depth": (1, 2)},
    }
    return Experiment(**{**base, **changes})


def _records(value: float) -> list[Record]:
    points = [{"width": w, "depth": d} for w in (1, 2, 4) for d in (1, 2)]
    return [
        Record(f"{arm}{r}{i}", arm, "p", point, 1000 + r, "ok", {"score": value * (k + 1) + r})
        for k, arm in enumerate(NAMES[:3])
        for r in range(6)
        for i, point in enumerate(points)
    ]


@contextlib.contextmanager
def _claims(folder: Path) -> Iterator[tuple[st.SearchStrategy[Any], Attempt]]:
    known = experiment()
    tables = [RecordTable(_records(value), known) for value in (1.0, 0.0, 1e300)]

    def cases(kind: tuple[Any, tuple[str, ...]]) -> st.SearchStrategy[Any]:
        needed = kind[1]
        fields = {name: st.just(GOOD[name]) for name in needed}
        odd = st.dictionaries(st.sampled_from([*needed, *needed, *OPTIONS]), anything, min_size=0, max_size=2)
        taken = odd.map(lambda new: {k: v for k, v in new.items() if k in kind[0].__dataclass_fields__})
        return st.tuples(st.just(kind[0]), st.fixed_dictionaries(fields), taken, st.integers(0, 2))

    def attempt(case: tuple[Any, dict[str, Any], dict[str, Any], int]) -> Outcome:
        kind, fields, odd, which = case

        def decide() -> None:
            claim: Claim = kind(**{**fields, **odd})
            check(claim, known)
            claim.describe()
            claim.declaration()
            claims.All(claim, claim).describe()
            decide_all([claim], tables[which], scale=Scale())

        return obey(decide)

    yield st.sampled_from(KINDS).flatmap(cases), attempt


@contextlib.contextmanager
def _experiments(folder: Path) -> Iterator[tuple[st.SearchStrategy[Any], Attempt]]:
    names = st.one_of(st.none(), st.lists(st.sampled_from(NAMES), max_size=2).map(tuple), anything)
    method: st.SearchStrategy[Problem] = st.builds(Draws)
    arms = st.builds(Arm, method, tuned_as=st.one_of(st.none(), anything), problems=names)
    scales = st.builds(Scale, arms=names, problems=names, replicates=anything, threads=anything, time_limit_s=anything)
    changes: dict[str, st.SearchStrategy[Any]] = {
        "arms": st.dictionaries(st.sampled_from(NAMES), arms, max_size=2),
        "scales": st.dictionaries(st.sampled_from(["smoke", "small", "x"]), scales, max_size=2),
        "points": st.dictionaries(st.sampled_from(NAMES), st.lists(anything, max_size=3), max_size=2),
        "benefit": anything,
        "tuning": st.builds(Tuning, anything, anything, anything, anything),
        "metrics": st.dictionaries(st.sampled_from(NAMES), st.builds(Metric), max_size=2),
        "question": anything,
    }
    drawn = st.lists(st.sampled_from(sorted(changes)), min_size=1, max_size=2, unique=True).flatmap(
        lambda fields: st.fixed_dictionaries({name: changes[name] for name in fields})
    )

    def attempt(case: dict[str, Any]) -> Outcome:
        return obey(lambda: experiment(**case))

    yield drawn, attempt


FUZZES = (
    Fuzz(
        "claims",
        "Claims declared with anything",
        "every kind of claim with one or two arguments replaced, then checked, described, declared and decided",
        900,
        _claims,
    ),
    Fuzz(
        "experiments",
        "Experiments declared with anything",
        "arms, scales, points, tuning, metrics, benefit replaced by names of other things, numbers, texts, objects",
        600,
        _experiments,
    ),
)
