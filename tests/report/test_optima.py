from __future__ import annotations

import dataclasses
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

from holdfast.experiment import Arm, Experiment, Metric, Problem, Record, Scale
from holdfast.experiment.claims import Parabola, Region, ShiftOfArgmin
from holdfast.report.figures import draw, headline_figure
from holdfast.report.optima import headline_sweep, optima, sweeps

SVG = "{http://www.w3.org/2000/svg}"
RATES = tuple(2.0**k for k in range(-6, 1))


@dataclass(frozen=True)
class Digits(Problem):
    source: ClassVar = "package"

    def describe(self):
        return "digits"


@dataclass(frozen=True)
class Method:
    steps: int = 400


SHIFT = {"A": 0.0, "B": -1.0}  # per doubling of the width


def curve(arm, width, rate, replicate):
    best = -3 + SHIFT[arm] * np.log2(width / 16) + 0.1 * replicate
    return float(0.2 + (np.log2(rate) - best) ** 2)


def claim(arm, **more):
    common = {"metric": "loss", "on": "p", "of": "rate", "along": "width", "start": 16, "end": 32}
    return ShiftOfArgmin(arm, target=Region.within(1.0), optimum=Parabola(), **common, **more)


@pytest.fixture
def swept_results(run_results, tmp_path):
    records = [
        Record(f"{arm}{width}{rate}{i}", arm, "p", {"width": width, "rate": rate}, i, "ok", {"loss": loss})
        for arm in SHIFT
        for width in (16, 32)
        for rate in RATES
        for i in range(3)
        for loss in [curve(arm, width, rate, i)]
    ]
    experiment = Experiment(
        question="Does the best rate stay?",
        problems={"p": Digits()},
        arms={"A": Arm(Method()), "B": Arm(Method(steps=1))},
        metrics={"loss": Metric("nats", higher_is_better=False)},
        scales=dict.fromkeys(("smoke", "demo", "small", "full"), Scale()),
        claims=(claim("A", role="headline"), claim("B")),
        trial=lambda run, arm, scale, problem: iter(()),
        points={"width": (16, 32), "rate": RATES},
    )
    return run_results(tmp_path, records=records, experiment=experiment, verdicts=[])


def words(svg):
    return " ".join(e.text for e in ET.fromstring(svg).iter(SVG + "text") if e.text)


def test_claims_that_differ_in_their_arm_share_a_figure(swept_results):
    assert [(s.problem, list(s.claims)) for s in sweeps(swept_results)] == [("p", ["A", "B"])]
    assert headline_sweep(swept_results) is not None
    assert [p.name for p in draw(swept_results).points] == ["optima-0"]
    assert headline_figure(swept_results).title.startswith("Shift of A's best rate from width 16 to 32 on p: ")


def test_the_shift_in_the_figure_is_the_claims_own(swept_results):
    drawing = optima(swept_results, sweeps(swept_results)[0], "o")
    text = words(drawing.picture().svg)
    assert "shift -1.00 log2 rate" in text
    assert "at width 16 -2.90, at width 32 -3.90" in drawing.alt.partition("B, best rate")[2]


def test_rings_stand_at_the_mean_of_the_replicates_optima(swept_results):
    drawing = optima(swept_results, sweeps(swept_results)[0], "o")
    rings = [
        (float(line.get_xdata()[0]))
        for axes in drawing.figure.axes
        for line in axes.lines
        if line.get_fillstyle() == "none"
    ]
    np.testing.assert_allclose(rings, [-2.9, -2.9, -2.9, -3.9], atol=1e-9)


def test_an_optimum_at_the_end_of_the_grid_is_said_to_be_off_it(swept_results):
    kept = [r for r in swept_results.records if r.point["rate"] > 2.0**-4 or r.point["width"] == 16]
    results = dataclasses.replace(swept_results, records=kept)
    drawing = optima(results, sweeps(results)[0], "o")
    assert "shift off the grid" in words(drawing.picture().svg)
    assert "at width 32 off the grid" in drawing.alt


def test_without_records_there_is_no_figure(swept_results):
    results = dataclasses.replace(swept_results, records=[])
    assert optima(results, sweeps(swept_results)[0], "o") is None
