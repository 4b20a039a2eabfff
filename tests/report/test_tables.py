from __future__ import annotations

import io
import json
import math
from pathlib import Path

from rich.console import Console

from holdfast.experiment import Record
from holdfast.report.tables import print_results, to_json


def printed(results, page=None, width=80):
    stream = io.StringIO()
    print_results(results, Console(file=stream, width=width), page)
    return stream.getvalue()


def test_the_terminal_shows_arms_both_lines_failures_and_the_page_within_80_columns(results):
    text = printed(results, Path("/a/very/long/path") / ("x" * 90) / "page.html")
    *body, page = text.splitlines()
    assert max(map(len, body)) <= 80
    assert page == f"page: /a/very/long/path/{'x' * 90}/page.html"
    for line in ("better: yes, +19.9 [17.8, 22.1]", "by the claimed 10: yes", "2 of 72 trials failed", "FixMatch+"):
        assert line in text
    assert "the loss is not finite" in text
    assert "∅ not testable here" in text
    assert "About 40 replicates would probably decide it." in text
    assert "\x1b" not in text


def test_markup_and_escapes_in_names_and_errors_are_printed_as_text(run_results, verdict, tmp_path):
    name = "[red]arm[/red] \x1b[31m"
    records = [
        Record("1", name, "p[/]", {}, 0, "ok", {"[bold]m": 1.0}, {"[x]": 2.0}),
        Record("2", name, "p[/]", {}, 1, "failed", error="Error: [link=x]\x1b]0;t\x07"),
    ]
    results = run_results(tmp_path, records=records, verdicts=[verdict(text="[/] \x1b[2J claim")])
    text = printed(results, width=200)
    assert "[red]arm[/red]" in text
    assert "[link=x]" in text
    assert "\x1b" not in text


def test_a_run_without_trials_says_so(run_results, tmp_path):
    text = printed(run_results(tmp_path, records=[], verdicts=[], pilot=True, interrupted=True))
    assert "No trial was recorded yet" in text
    assert "pilot" in text
    assert "To continue: holdfast run adamatch --scale small" in text


def test_a_control_that_fails_is_not_passed_over(run_results, verdict, tmp_path):
    bad = verdict(role="control", verdict="does not hold", expected="found", as_expected=False)
    assert "Read the other verdicts with suspicion" in " ".join(printed(run_results(tmp_path, verdicts=[bad])).split())


def test_json_is_strict_and_complete(results):
    document = json.loads(to_json(results), parse_constant=lambda name: 1 / 0)
    assert [v["verdict"] for v in document["verdicts"]] == [v.verdict for v in results.verdicts]
    assert document["verdicts"][0]["region"] == [10.0, "inf"]
    rows = document["arms"]["mnist->digits"]
    assert {row["arm"] for row in rows} == set(results.every_arm)
    values = [r.scalars["accuracy"] for r in results.finished if (r.arm, r.problem) == ("AdaBN", "mnist->digits")]
    shown = next(row for row in rows if row["arm"] == "AdaBN")["metrics"]["accuracy"]["mean"]
    assert math.isclose(shown, sum(values) / len(values))
    assert len(document["failed"]) == 2
