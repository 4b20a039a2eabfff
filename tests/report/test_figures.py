from __future__ import annotations

import dataclasses
import math
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from holdfast.errors import InputError
from holdfast.experiment import Record
from holdfast.report.canvas import WIDTH, mark, mark_at
from holdfast.report.curves import POINTS, bands, learning_curves
from holdfast.report.figures import Figures, draw, headline_figure, write_figure
from holdfast.report.forest import by_unit, forest, forest_title
from holdfast.report.lettering import width
from holdfast.report.strips import strip
from holdfast.report.tradeoffs import cost_benefit, swept

SVG = "{http://www.w3.org/2000/svg}"
NASTY = '<script>alert("x")</script>&amp;$\\frac$ \x00\x1b[31m'


def words(svg):
    return " ".join(e.text for e in ET.fromstring(svg).iter(SVG + "text") if e.text)


@pytest.fixture(scope="module")
def figures(results):
    return draw(results)


def test_every_section_has_its_figures(figures, results):
    assert len(figures.verdicts) == 1
    assert len(figures.replicates) == 2 * 2
    assert len(figures.curves) == 2 * 2
    assert len(figures.costs) == 2
    assert figures.points == ()
    pictures = [p for field in dataclasses.fields(figures) for p in getattr(figures, field.name)]
    assert len({p.name for p in pictures}) == len(pictures)
    for picture in pictures:
        assert picture.alt.startswith(picture.title)
        assert ET.fromstring(picture.svg).get("aria-label") == picture.alt


def test_drawing_twice_gives_the_same_bytes(figures, run_results, tmp_path):
    again = run_results(tmp_path)
    assert strip(again, "mnist->digits", "accuracy", "strip-0").picture() == figures.replicates[0]
    assert learning_curves(again, "mnist->digits", "loss", "curve-1").picture() == figures.curves[1]
    assert cost_benefit(again, "mnist->digits", "accuracy", "cost-0").picture() == figures.costs[0]


def test_a_strip_shows_every_replicate_and_every_failure(results):
    drawing = strip(results, "mnist->digits", "accuracy", "s")
    values = [r.scalars["accuracy"] for r in results.finished if r.problem == "mnist->digits"]
    assert sum(len(texts) for texts in drawing.tips.values()) == len(values) == 35
    offsets = [c.get_offsets() for c in drawing.figure.axes[0].collections if c.get_gid()]
    np.testing.assert_allclose(np.sort(np.concatenate(offsets)[:, 0]), np.sort(values))
    assert "(n = 3, 1 failed)" in words(drawing.picture().svg)
    assert "1 failed" in drawing.alt
    assert drawing.title.startswith("AdaMatch + 5 labels: best mean accuracy on mnist->digits")


def test_a_strip_says_which_values_are_not_finite(run_results, tmp_path):
    records = [Record(str(i), "DANN", "p", {}, i, "ok", {"accuracy": v}) for i, v in enumerate([1.0, 2.0, math.nan])]
    records += [Record("x", "AdaBN", "p", {}, 0, "ok", {"accuracy": 1e308})]
    drawing = strip(run_results(tmp_path, records=records), "p", "accuracy", "s")
    assert "(n = 2, 1 not finite)" in words(drawing.picture().svg)


def test_bands_are_the_mean_and_sd_over_replicates(results):
    band = bands(results, "digits->mnist", "loss")["DANN"]
    curves = [r.curves["loss"] for r in results.finished if (r.problem, r.arm) == ("digits->mnist", "DANN")]
    stack = np.array([c["y"] for c in curves])
    np.testing.assert_allclose(band.x, curves[0]["x"])
    np.testing.assert_allclose(band.mean, stack.mean(axis=0))
    np.testing.assert_allclose(band.sd, stack.std(axis=0, ddof=1))
    assert band.n == 3


def test_curves_of_unequal_length_are_averaged_only_where_they_exist(run_results, tmp_path):
    long = {"x": list(range(1000)), "y": [2.0] * 1000, "x_label": "step"}
    short = {"x": [0, 1, 2], "y": [4.0, math.nan, 4.0], "x_label": "step"}
    records = [Record(str(i), "DANN", "p", {}, i, "ok", {}, curves={"c": c}) for i, c in enumerate([long, short])]
    results = run_results(tmp_path, records=records)
    band = bands(results, "p", "c")["DANN"]
    assert len(band.x) == POINTS
    assert (band.mean[0], band.mean[-1]) == (3.0, 2.0)
    assert math.isnan(band.sd[-1])
    assert learning_curves(results, "p", "c", "c") is not None
    nothing = [Record("0", "DANN", "p", {}, 0, "ok", {}, curves={"c": {"x": [1], "y": [math.nan]}})]
    assert learning_curves(run_results(tmp_path, records=nothing), "p", "c", "c") is None


def test_the_forest_puts_interval_margin_and_effect_where_they_belong(verdict):
    drawing = forest([verdict(effect=5.0, interval=(3.0, 7.0), region=(4.0, math.inf))], "%", "f")
    lines = [tuple(map(float, line.get_xdata())) for line in drawing.figure.axes[0].lines]
    assert (3.0, 7.0) in lines
    assert (4.0, 4.0) in lines
    assert (5.0,) in lines
    low, high = drawing.figure.axes[0].get_xlim()
    assert low < 0 < 7 < high


def test_a_forest_has_one_axis_per_unit_and_counts_claims_without_controls(verdict):
    verdicts = [
        verdict(unit="%"),
        verdict(unit="s", verdict="undecided"),
        verdict(effect=math.nan),
        verdict(unit="%", role="control"),
    ]
    assert {unit: len(group) for unit, group in by_unit(verdicts).items()} == {"%": 2, "s": 1}
    assert forest_title(verdicts) == "2 of 3 claims held (1 undecided)"


def test_the_front_is_drawn_and_named(results):
    drawing = cost_benefit(results, "mnist->digits", "accuracy", "c")
    assert "AdaMatch + 5 labels" in drawing.title
    assert "AdaMatch - alignment" not in drawing.title
    assert cost_benefit(dataclasses.replace(results, records=[]), "mnist->digits", "accuracy", "c") is None


def test_a_sweep_has_one_line_per_arm_and_one_figure_per_fixed_rest(run_results, tmp_path):
    points = {"labels": (1, 5, 25), "mode": ("a", "b")}
    records = [
        Record(f"{n}{m}{i}", "DANN", "p", {"labels": n, "mode": m}, i, "ok", {"accuracy": 50.0 + n + i})
        for n in points["labels"]
        for m in points["mode"]
        for i in range(3)
    ]
    results = run_results(tmp_path, records=records, points=points)
    assert len(draw(results).points) == 2
    drawing = swept(results, "p", "accuracy", "labels", {"mode": "a"}, "s")
    assert drawing.title == "accuracy on p at mode = a: DANN changes most, by +24.0 % from labels = 1 to 25"
    heights = [float(y) for y in drawing.figure.axes[0].containers[0][0].get_ydata()]
    np.testing.assert_allclose(heights, [52.0, 56.0, 76.0])


@pytest.mark.parametrize("uneven", [True, False])
def test_arms_at_different_points_are_not_averaged_in_the_headline_figure(run_results, tmp_path, uneven):
    places = {"source only": (1, 5, 25), "AdaMatch": (1, 5) if uneven else (1, 5, 25)}
    records = [
        Record(f"{arm}{n}{i}", arm, "mnist->digits", {"labels": n}, i, "ok", {"accuracy": 50.0 + n + i})
        for arm, at in places.items()
        for n in at
        for i in range(3)
    ]
    results = run_results(tmp_path, records=records, points={"labels": (1, 5, 25, 1000)})
    drawing = headline_figure(results)
    if not uneven:
        assert "best mean accuracy" in drawing.title
        return
    assert drawing.title.startswith("accuracy on mnist->digits: source only changes most")
    assert [text.get_text() for text in drawing.figure.axes[0].get_xticklabels()] == ["1", "5", "25"]


def test_arms_differ_in_marker_and_in_colour_with_line_up_to_fourteen(run_results, tmp_path):
    arms = tuple(f"arm {i}" for i in range(14))
    results = run_results(tmp_path, arms=arms, replicates=1)
    looks = [mark(results, arm) for arm in arms]
    assert len({look.marker for look in looks}) == 14  # told apart in grey
    assert len({(look.colour, str(look.dashes)) for look in looks}) == 14


def test_names_with_markup_mathematics_and_controls_are_drawn_as_text(run_results, verdict, tmp_path):
    curve = {"x": [1, 2], "y": [1.0, 2.0], "x_label": NASTY}
    records = [
        Record(f"{i}{arm}", arm, NASTY, {}, i, "ok", {NASTY: 1.0 + i}, {"seconds": 1.0 + i}, {NASTY: curve})
        for i in range(2)
        for arm in (NASTY, "b")
    ]
    drawn = draw(run_results(tmp_path, records=records, verdicts=[verdict(text=NASTY, unit=NASTY)]))
    for field in dataclasses.fields(drawn):
        for picture in getattr(drawn, field.name):
            ET.fromstring(picture.svg)
            assert "<script" not in picture.svg
            assert "\x1b" not in picture.svg
    assert "<script>alert" in words(drawn.replicates[0].svg)


@pytest.mark.parametrize("records", [[], [Record("1", "DANN", "p", {}, 0, "failed", error="x")]])
def test_no_values_no_figures(records, run_results, tmp_path):
    results = run_results(tmp_path, records=records, verdicts=[])
    assert draw(results) == Figures()
    assert headline_figure(results) is None
    with pytest.raises(InputError, match="at least one finished trial"):
        write_figure(results, tmp_path / "a.svg")
    assert not list(tmp_path.glob("*a.svg*"))


def test_the_headline_figure_is_written_as_svg_and_png(results, tmp_path):
    svg = write_figure(results, tmp_path / "a.svg").read_text()
    assert "best mean accuracy on" in words(svg)
    assert write_figure(results, tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert svg == write_figure(results, tmp_path / "b.svg").read_text()
    with pytest.raises(InputError, match=r"\.svg or \.png"):
        write_figure(results, tmp_path / "a.pdf")


def test_a_fifteenth_arm_has_a_mark_of_its_own():
    looks = [mark_at(place) for place in range(98)]
    assert len({(look.marker, look.colour) for look in looks}) == 98


def test_curves_of_several_points_count_once_per_replicate(run_results, tmp_path):
    records = [
        Record(f"{w}{r}", "DANN", "p", {"w": w}, r, "ok", {}, curves={"c": {"x": [0, 1], "y": [0.0, w + r]}})
        for w in (10.0, 20.0)
        for r in range(3)
    ]
    band = bands(run_results(tmp_path, records=records), "p", "c")["DANN"]
    assert (band.n, band.points) == (3, 2)
    np.testing.assert_allclose(band.mean, [0.0, 16.0])
    np.testing.assert_allclose(band.sd, [0.0, 1.0])
    title = learning_curves(run_results(tmp_path, records=records), "p", "c", "a").title
    assert title.endswith("n = 3, mean over 2 swept points")


def test_the_forest_says_how_many_replicates_won(results):
    words_ = words(draw(results).verdicts[0].svg)
    assert "headline: +19.9 [17.8, 22.1] %, n = 8; target at least 10 %; 8/8 wins" in words_


@pytest.mark.parametrize("name", ["x" * 80, "一个很长的名字" * 8, "a baseline with far too long a name, " * 3])
def test_long_names_in_any_script_stay_inside_the_figure(name, run_results, tmp_path):
    names = (f"{name}, A", f"{name}, B")
    records = [
        Record(f"{i}{arm}", arm, name, {}, i, "ok", {"accuracy": 50.0 + i}, {"seconds": 1.0 + i}, artifacts=[])
        for i in range(4)
        for arm in names
    ]
    drawn = draw(run_results(tmp_path, arms=names, records=records, verdicts=[]))
    for picture in (*drawn.replicates, *drawn.costs):
        texts = [e for e in ET.fromstring(picture.svg).iter(SVG + "text") if e.text]
        assert {e.text[-3:] for e in texts} >= {", A", ", B"}, "told apart by their ends"
        for element in texts:
            size = float(re.search(r"font-size: ([\d.]+)px", element.get("style"))[1])
            assert width(element.text, size) <= WIDTH


def test_every_name_in_a_legend_is_drawn_once(figures):
    for picture in (*figures.curves, *figures.costs):
        svg = ET.fromstring(picture.svg)
        drawn = [(e.text, e.get("x"), e.get("y"), e.get("transform")) for e in svg.iter(SVG + "text")]
        assert len(set(drawn)) == len(drawn)
