"""Results that look like those of a real run, made from a seed."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest

from holdfast.decision import Verdict
from holdfast.experiment import Arm, Experiment, Metric, Problem, Record, Scale, Tuning
from holdfast.trials.results import Results

ARMS = (
    "source only",
    "AdaBN",
    "DANN",
    "FixMatch+",
    "AdaMatch",
    "AdaMatch - interpolation",
    "AdaMatch - alignment",
    "AdaMatch - relative threshold",
    "AdaMatch + 5 labels",
)
PROBLEMS = ("mnist->digits", "digits->mnist")
LEVEL = dict(zip(ARMS, (62, 68.5, 66, 78, 82, 79.5, 76, 81.5, 90), strict=True))


@dataclass(frozen=True)
class Digits(Problem):
    source: ClassVar = "package"
    what: str = "digits of two kinds"

    def describe(self) -> str:
        return self.what


@dataclass(frozen=True)
class Method:
    steps: int = 400
    lr: float = 0.03
    align: str | None = "source predictions"


def make_verdict(**fields: Any) -> Verdict:
    base: dict[str, Any] = {
        "claim": {
            "kind": "better",
            "arm": "AdaMatch",
            "than": "source only",
            "on": [PROBLEMS[0]],
            "metric": "accuracy",
        },
        "text": "AdaMatch beats source only by at least 10 points of target accuracy",
        "role": "headline",
        "verdict": "holds",
        "effect": 19.9,
        "interval": (17.8, 22.1),
        "confidence": 0.9706,
        "region": (10.0, math.inf),
        "unit": "%",
        "n": 8,
        "wins": 8,
        "wins_interval": (0.631, 1.0),
        "direction": "yes",
        "asks": "better",
        "margin": "by the claimed 10",
        "needed": None,
        "wants_more": False,
        "outliers": (),
        "missing": (),
        "published": "about 2x on DomainNet",
        "source": "abstract",
        "scope": "digits at 16 x 16 pixels",
        "parts": (),
        "values": {1000: 19.0, 1001: 20.8},
        "expected": "",
        "as_expected": None,
    }
    if reason := fields.pop("reason", ""):
        fields["notes"] = ({"kind": "told", "text": reason},)
    return Verdict(**{**base, **fields})


def realistic_verdicts() -> list[Verdict]:
    plus = {"n": 16, "published": "", "source": ""}
    return [
        make_verdict(),
        make_verdict(
            text="AdaMatch is no worse than FixMatch+ by more than 3 points", role="secondary", effect=3.6,
            interval=(1.9, 5.3), region=(-3.0, math.inf), wins=13, wins_interval=(0.54, 0.96),
            margin="within 3", **plus,
        ),
        make_verdict(
            text="More labels help: AdaMatch with 5 labels per class beats AdaMatch by at least 8 points, averaged over"
            " both directions", role="secondary", verdict="undecided", effect=7.9, interval=(5.6, 10.2),
            region=(8.0, math.inf), needed=40, margin="by the claimed 8",
            reason="the interval straddles the margin", **plus,
        ),
        make_verdict(
            text="Without interpolation nothing changes by over 1 point", role="secondary", verdict="does not hold",
            effect=-2.6, interval=(-4.0, -1.2), region=(-1.0, 1.0), asks="different", margin="within 1", **plus,
        ),
        make_verdict(
            text="Alignment hurts under label shift", role="secondary", verdict="not testable here", effect=None,
            interval=None, region=(-math.inf, 0.0), wins=None, wins_interval=None, n=0,
            margin="", reason="the source classifier reaches 41 %, below the required 60 %",
            published="", source="",
        ),
        make_verdict(
            text="AdaMatch against itself with other seeds: no difference", role="control", verdict="holds", effect=0.2,
            interval=(-1.3, 1.7), region=(-3.0, 3.0), expected="not found", as_expected=True, **plus,
        ),
    ]  # fmt: skip


def realistic_records(replicates: int, seed: int, arms: tuple[str, ...] = ARMS, points: int = 40) -> list[Record]:
    rng = np.random.default_rng(seed)
    steps = np.linspace(10, 400, points)
    records = []
    for problem in PROBLEMS:
        for place, arm in enumerate(arms):
            for replicate in range(1000, 1000 + replicates):
                if arm == "DANN" and replicate in (1003, 1011):
                    error = "Traceback (most recent call last):\n  ...\nRuntimeError: the loss is not finite"
                    records.append(
                        Record(f"{problem}{arm}{replicate}", arm, problem, {}, replicate, "failed", error=error)
                    )
                    continue
                level = LEVEL.get(arm, 70.0) - (5 if problem == PROBLEMS[1] else 0)
                end = level + rng.normal(0, 2.2) - (18 if arm == "DANN" and replicate % 5 == 0 else 0)
                rise = 1 - np.exp(-steps / (60 + 8 * place))
                curves = {
                    "target accuracy along training": 10 + (end - 10) * rise + rng.normal(0, 1.2, points),
                    "loss": 2.3 * np.exp(-steps / (40 + 10 * place)) + 0.05 + rng.gamma(2, 0.01, points),
                }
                records.append(
                    Record(
                        f"{problem}{arm}{replicate}",
                        arm,
                        problem,
                        {},
                        replicate,
                        "ok",
                        scalars={"accuracy": float(end), "error of calibration": float(rng.gamma(4, 0.012))},
                        cost={
                            "seconds": (3 if place < 2 else 8 + place) * float(rng.uniform(0.95, 1.1)),
                            "peak_bytes": 4.1e8 + 1e7 * place,
                        },
                        curves={
                            name: {"x": steps.tolist(), "y": y.tolist(), "x_label": "step"}
                            for name, y in curves.items()
                        },
                    )
                )
    return records


def make_results(folder: Path, *, replicates: int = 4, seed: int = 0, **fields: Any) -> Results:
    arms = fields.pop("arms", ARMS)
    experiment = Experiment(
        question="Does one recipe label a new domain from another domain's labels?",
        problems={name: Digits(f"{name}, 16 x 16 pixels") for name in PROBLEMS},
        arms={name: Arm(Method(), about=f"what {name} does", space={"lr": (0.03, 0.1)}) for name in arms},
        metrics={
            "accuracy": Metric("%", True),
            "error of calibration": Metric("", higher_is_better=False),
        },
        scales={"small": Scale()},
        claims=(),
        trial=lambda run: (),
        tuning=Tuning("accuracy", PROBLEMS[0]),
        points=fields.pop("points", {}),
    )
    tuning = [
        {"arm": arm, "configuration": {"lr": lr}, "pilots": [70.1, 71.3], "mean": 70.7, "chosen": lr == 0.1}
        for arm in arms
        for lr in (0.03, 0.1)
    ]
    base: dict[str, Any] = {
        "system": "adamatch",
        "scale": "small",
        "experiment": experiment,
        "records": realistic_records(replicates, seed, arms),
        "verdicts": realistic_verdicts(),
        "plan": {
            "tuned": {arm: {"lr": 0.1} for arm in arms},
            "tuning": tuning,
            "frozen_at": "2025-03-01",
            "looks": [8, 16],
        },
        "provenance": {"commit": "0123abc", "machine": "2 cores, x86_64", "device": "cpu", "seconds": "341"},
        "command": "holdfast run adamatch --scale small",
        "folder": folder,
    }
    return Results(**{**base, **fields})


CARD = SimpleNamespace(title="AdaMatch", arxiv="2106.04732", authors=["D. Berthelot", "R. Roelofs"], year=2021)
NASTY = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{ 7 * 7 }}\x1b\x00"
VOID = {"meta", "img", "br", "link", "input", "hr"}


class Reader(HTMLParser):
    """Collects tags and attributes, and checks that elements nest."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.tags, self.attributes, self.text, self.open = [], [], [], []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)

    def values(self, name):
        return [value for _, found, value in self.attributes if found == name]


@dataclasses.dataclass(frozen=True)
class NastyProblem(Problem):
    source = "generated"

    def describe(self):
        return NASTY


@dataclasses.dataclass(frozen=True)
class NastyMethod:
    field: str = NASTY
    odd: object = dataclasses.field(default_factory=lambda: type("X", (), {"__repr__": lambda self: NASTY})())


def nasty_results(run_results, verdict, folder):
    (folder / "t.txt").write_bytes(NASTY.encode())
    (folder / "i.svg").write_text(f"<svg xmlns='http://www.w3.org/2000/svg'><script>{NASTY[:10]}</script></svg>")
    artifacts = [
        {"name": NASTY, "file": file, "kind": kind, "caption": NASTY}
        for file, kind in (("t.txt", "text"), ("i.svg", "image"), ("t.txt", "file"), (NASTY, "text"), ("../x", "image"))
    ]
    curve = {"x": [1, 2], "y": [1.0, 2.0], "x_label": NASTY}
    records = [
        Record(
            str(i), NASTY, NASTY, {NASTY: NASTY}, i, "ok", {NASTY: 1.0 + i}, {"seconds": 1.0, NASTY: 2.0},
            {NASTY: curve}, artifacts=artifacts,
        )
        for i in range(2)
    ]  # fmt: skip
    records += [Record("f", NASTY, NASTY, {NASTY: NASTY}, 9, "failed", error=NASTY)]
    fields = ("text", "unit", "asks", "margin", "reason", "published", "source", "scope", "expected")
    part = verdict(text=NASTY, unit=NASTY, reason=NASTY, parts=(verdict(text=NASTY, unit=NASTY),))
    verdicts = [
        verdict(
            **dict.fromkeys(fields, NASTY),
            role=role,
            parts=(part,),
            outliers=(NASTY,),
            missing=(NASTY,),
            as_expected=False,
            claim={NASTY: NASTY},
        )
        for role in ("headline", "secondary", "control")
    ]
    experiment = Experiment(
        question=NASTY,
        problems={NASTY: NastyProblem()},
        arms={NASTY: Arm(NastyMethod(), space={NASTY: (NASTY,)}, about=NASTY)},
        metrics={NASTY: Metric(NASTY)},
        scales={NASTY: Scale()},
        claims=(),
        trial=lambda run: (),
        points={NASTY: (NASTY, 2)},
        tuning=Tuning(NASTY, NASTY),
    )
    return run_results(
        folder, records=records, verdicts=verdicts, experiment=experiment, system=NASTY, scale=NASTY,
        command=NASTY,
        provenance={NASTY: NASTY},
        plan={
            "tuned": {NASTY: {NASTY: NASTY}}, "frozen_at": NASTY, "looks": [NASTY],
            "tuning": [
                {"arm": NASTY, "configuration": {NASTY: NASTY}, "pilots": [NASTY], "mean": NASTY, "chosen": True}
            ],
        },
    )  # fmt: skip


@pytest.fixture(scope="session")
def verdict() -> Callable[..., Verdict]:
    return make_verdict


@pytest.fixture(scope="session")
def run_results() -> Callable[..., Results]:
    return make_results


@pytest.fixture(scope="session")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return make_results(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="session")
def reader() -> type[Reader]:
    return Reader


@pytest.fixture(scope="session")
def nasty() -> str:
    return NASTY


@pytest.fixture(scope="session", name="nasty_results")
def _nasty_results() -> Callable[..., Results]:
    return nasty_results
