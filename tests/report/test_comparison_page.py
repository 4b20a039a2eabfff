"""The page and the tables of a comparison: whole, safe, readable, and the same numbers in both."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import io
import json
import re

import pytest
from rich.console import Console

from holdfast.report.comparison import compare
from holdfast.report.comparison_page import render, write_comparison
from holdfast.report.comparison_tables import comparison_json, print_comparison
from holdfast.report.comparison_words import change


@pytest.fixture(scope="module")
def comparison(run_results, verdict, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    first = run_results(folder)
    changed = [dataclasses.replace(v, verdict="does not hold") if v.role == "headline" else v for v in first.verdicts]
    other = run_results(folder, seed=1, verdicts=changed, provenance={"commit": "fffffff", "machine": "64 cores"})
    third = run_results(folder, seed=2, replicates=3, pilot=True, interrupted=True)
    return compare([("first run", first), ("a/second", other), ("third", third)])


@pytest.fixture(scope="module")
def html(comparison):
    return render(comparison)


@pytest.fixture(scope="module")
def page(html, reader):
    return reader(html)


def test_every_number_of_the_rows_is_on_the_page(page, comparison):
    text = " ".join("".join(page.text).split())
    assert {"verdicts", "differences", "slopes", "numbers", "cost", "provenance"} <= set(page.values("id"))
    for row in comparison.rows:
        for found in row.differences[1:]:
            assert change(found, comparison.metric(row.metric).unit) in text
            assert found.how in text
    for said in ("One verdict changed.", "changed", "Pilot replicates", "Interrupted", "fffffff", "first run"):
        assert said in text


def test_nothing_is_loaded_and_only_the_pages_own_script_may_run(html, page):
    assert not [value for value in page.values("src") if not value.startswith("data:")]
    assert not [value for value in page.values("href") if not value.startswith("#")]
    (script,) = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    hashed = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    (policy,) = (v for v in page.values("content") if "default-src" in v)
    assert f"script-src 'sha256-{hashed}'" in policy
    assert "default-src 'none'" in policy


def test_ids_are_unique_and_links_lead_somewhere(page):
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    assert {value[1:] for value in page.values("href")} <= set(ids)


def test_every_figure_and_table_has_an_accessible_name(page):
    labels = [value for tag, name, value in page.attributes if (tag, name) == ("svg", "aria-label")]
    assert len(labels) == page.tags.count("svg") == 4 * 2  # (two problems x two metrics) x (forest, slopes)
    assert all("95 % interval" in label or "standard deviation" in label for label in labels)
    regions = [value for _, name, value in page.attributes if name == "aria-label"]
    assert page.tags.count("table") <= len(regions)


def test_markup_in_every_field_stays_text(run_results, verdict, nasty, nasty_results, reader, tmp_path):
    results = nasty_results(run_results, verdict, tmp_path)
    other = dataclasses.replace(results, provenance={nasty: nasty, "commit": nasty, "versions": nasty}, plan={})
    found = compare([(nasty, results), ("fine", other)])
    html = render(found)
    page = reader(html)
    assert page.tags.count("script") == 1
    assert "img" not in page.tags
    assert not [tag for tag, name, _ in page.attributes if name.startswith("on")]
    assert "alert(1)" in "".join(page.text)
    assert not re.search("[\x00-\x08\x0b-\x1f]", html)
    out = io.StringIO()
    print_comparison(found, Console(file=out, width=80, force_terminal=True))
    assert "\x1b]" not in out.getvalue()
    assert "alert(1)" in re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue())
    json.loads(comparison_json(found))


def test_the_page_is_written_whole_or_not_at_all(comparison, html, tmp_path):
    path = write_comparison(comparison, tmp_path / "new" / "page.html")
    assert path.read_text(encoding="utf-8") == html, "equal comparisons give equal pages"
    with pytest.raises(AttributeError):
        write_comparison(None, path)
    assert [p.name for p in path.parent.iterdir()] == ["page.html"]


def test_the_terminal_names_runs_differences_verdicts_and_what_else_differs(comparison, tmp_path):
    out = io.StringIO()
    print_comparison(comparison, Console(file=out, width=140), tmp_path / "page.html")
    text = out.getvalue()
    for said in (
        "A  first run: adamatch, scale small",
        "C  third: adamatch, scale small (pilots) (interrupted)",
        "accuracy, %; mnist->digits",
        "intervals leave zero out; if nothing differed, about",
        "changed",
        "commit: A: 0123abc; B: fffffff; C: 0123abc",
        f"page: {tmp_path / 'page.html'}",
    ):
        assert said in text
    row = next(r for r in comparison.rows if r.arm == "AdaBN")
    line = next(line for line in text.splitlines() if line.strip().startswith("AdaBN"))
    assert change(row.differences[1], "") in line
    assert "4 pairs" in line


def test_json_holds_the_rows_and_the_verdicts(comparison):
    data = json.loads(comparison_json(comparison))
    assert data["runs"]["B"]["name"] == "a/second"
    assert len(data["differences"]) == len(comparison.rows)
    first, row = data["differences"][0], comparison.rows[0]
    assert first["to_first"][0] is None
    assert first["to_first"][1]["interval"] == list(row.differences[1].interval)
    assert first["to_first"][1]["paired"]
    assert [v["changed"] for v in data["verdicts"]].count(True) == 1
    assert data["differs"]["Code and machine"]["machine"][1] == "64 cores"


def test_one_value_in_each_run_still_makes_a_page(run_results, tmp_path):
    runs = [(str(i), run_results(tmp_path, replicates=1, seed=i, verdicts=[])) for i in range(2)]
    html = render(compare(runs))
    assert "No run has a verdict" in html
    assert "No difference has an interval" in html
