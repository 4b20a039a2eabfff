from __future__ import annotations

import base64
import dataclasses
import hashlib
import re
from types import SimpleNamespace

import pytest

from holdfast.experiment import Record
from holdfast.report import wording
from holdfast.report.page import render, write_page
from report.conftest import CARD, NASTY


@pytest.fixture(scope="module")
def html(results):
    return render(results, card=CARD)


@pytest.fixture(scope="module")
def page(html, reader):
    return reader(html)


def test_the_page_holds_every_section_and_every_claim(page, results):
    text = " ".join("".join(page.text).split())
    assert {"verdicts", "replicates", "arms", "curves", "cost", "compared", "failed", "provenance"} <= set(
        page.values("id")
    )
    for verdict in results.verdicts:
        numbers = wording.measured(verdict) if verdict.n else ()
        for said in (verdict.text, verdict.verdict, *wording.answers(verdict), *numbers):
            assert said in text
    for said in (
        verdict.text,
        verdict.verdict,
        *wording.answers(verdict),
        *wording.measured(verdict)[: 2 * (verdict.n > 0)],
    ):
        assert said in text
    for said in (
        results.experiment.question,
        "about 2x on DomainNet (abstract)",
        "About 40 replicates would probably decide it.",
        "2 of 72 trials failed",
        "RuntimeError: the loss is not finite",
        "looks at n = 8 and 16",
        "✓ chosen",
        "0123abc",
        results.command,
    ):
        assert said in text


def test_nothing_is_loaded_from_anywhere(page):
    for tag, name, value in page.attributes:
        if name == "src":
            assert value.startswith("data:")
        if name == "href" and not value.startswith("#"):
            assert value == "https://arxiv.org/abs/2106.04732"
        assert tag != "link"


def test_ids_are_unique_and_links_inside_the_page_lead_somewhere(page):
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    assert {value[1:] for value in page.values("href") if value.startswith("#")} <= set(ids)


def test_only_the_pages_own_script_may_run(html):
    (script,) = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    hashed = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html).group(1)
    assert f"script-src 'sha256-{hashed}'" in policy.replace("&#39;", "'")
    assert "default-src 'none'" in policy.replace("&#39;", "'")


def test_every_figure_has_an_accessible_name(page):
    assert page.tags.count("svg") == len(
        [1 for tag, name, value in page.attributes if (tag, name) == ("svg", "aria-label") and value]
    )
    assert page.tags.count("svg") == 1 + 4 + 4 + 2


def test_markup_in_every_field_stays_text(run_results, verdict, nasty_results, reader, tmp_path):
    card = SimpleNamespace(title=NASTY, arxiv=NASTY, authors=[NASTY], year=NASTY)
    html = render(nasty_results(run_results, verdict, tmp_path), card=card)
    page = reader(html)
    assert page.tags.count("script") == 1
    assert not [tag for tag, name, _ in page.attributes if name.startswith("on")]
    assert page.tags.count("img") == 2  # the SVG artifact of two replicates, in a context that runs no script
    assert {value[:5] for value in page.values("src")} == {"data:"}
    assert not [v for v in page.values("href") if v.startswith(("http", "javascript"))]
    assert "alert(1)" in "".join(page.text)
    assert "{{ 7 * 7 }}" in "".join(page.text)
    assert "\x1b" not in html
    assert "\x00" not in html


@pytest.mark.parametrize("failed", [0, 3])
def test_a_page_without_values_still_says_what_there_is(failed, run_results, reader, tmp_path):
    records = [Record(str(i), "DANN", "mnist->digits", {}, i, "failed", error="gone") for i in range(failed)]
    html = render(
        run_results(
            tmp_path,
            records=records,
            verdicts=[],
            plan={},
            provenance={},
            command="",
            pilot=True,
            interrupted=True,
        )
    )
    text = "".join(reader(html).text)
    assert "No value was recorded yet" in text
    assert "Exploratory run on pilot replicates" in text
    assert "Interrupted" in text
    assert text.count("gone") == (2 if failed else 0), "the error is told once, in a heading and in full"
    assert text.count("DANN · mnist->digits · replicate") == failed


def test_values_that_are_not_finite_are_dashes(run_results, reader, tmp_path):
    records = [Record("1", "DANN", "mnist->digits", {}, 0, "ok", {"accuracy": float("nan")}, {"seconds": float("inf")})]
    text = "".join(reader(render(run_results(tmp_path, records=records, verdicts=[]))).text)
    assert "–" in text
    assert not re.search(r"\b(nan|inf)\b", text)


def test_the_page_is_written_whole_or_not_at_all(run_results, tmp_path):
    path = write_page(run_results(tmp_path, records=[], verdicts=[]), tmp_path / "out" / "page.html")
    assert path.read_text(encoding="utf-8").rstrip().endswith("</html>")
    before = path.read_text(encoding="utf-8")
    broken = run_results(tmp_path, records=[], verdicts=[object()])
    with pytest.raises(AttributeError):
        write_page(broken, path)
    assert path.read_text(encoding="utf-8") == before
    assert [p.name for p in path.parent.iterdir()] == ["page.html"]


@pytest.mark.slow
def test_the_largest_usual_run_stays_below_two_megabytes(run_results, tmp_path):
    arms = tuple(f"arm number {i}" for i in range(14))
    results = run_results(tmp_path, arms=arms, replicates=16)
    records = [
        dataclasses.replace(r, curves={**r.curves, "third": r.curves["loss"], "fourth": r.curves["loss"]})
        if r.status == "ok"
        else r
        for r in results.records
    ]
    assert len(render(dataclasses.replace(results, records=records)).encode()) < 2_000_000


def test_artifacts_of_one_name_stand_together(run_results, reader, tmp_path):
    (tmp_path / "a.txt").write_text("x + 1")
    artifacts = [{"name": n, "file": "a.txt", "kind": "text", "caption": f"{n} said"} for n in ("formula", "program")]
    records = [Record(str(i), "DANN", "p", {}, i, "ok", {"accuracy": 1.0}, artifacts=artifacts) for i in range(2)]
    text = " ".join("".join(reader(render(run_results(tmp_path, records=records, verdicts=[]))).text).split())
    found = text[text.index("Artifacts formula") :]
    assert found.count("formula said") == 2
    assert found.index("replicate 1") < found.index("program") < found.index("program said")


def test_trials_that_failed_for_one_reason_are_listed_under_it(run_results, reader, tmp_path):
    errors = ["ValueError: a", "ValueError: b", "ValueError: b"]
    records = [Record(str(i), "DANN", "p", {"w": i}, i, "failed", error=e) for i, e in enumerate(errors)]
    html = render(run_results(tmp_path, records=records, verdicts=[]))
    headings = re.findall(r"<h3>(\d trials?: [^<]*)</h3>", html)
    assert headings == ["2 trials: ValueError: b", "1 trial: ValueError: a"]


def test_tuned_values_stand_beside_the_declared_ones(html):
    assert html.count('<code>lr = 0.1</code> <span class="quiet">(declared: 0.03)</span>') == 9
    assert "Configurations tried: 18 for 9 arms" in html


def test_an_undecided_claim_always_says_what_replicates_would_do(run_results, verdict, reader, tmp_path):
    told = {
        "About 40 replicates would probably decide it.": verdict(verdict="undecided", needed=40),
        "More replicates would probably not decide it, not even 1,000.": verdict(verdict="undecided"),
        "A second look at more replicates is still allowed.": verdict(verdict="undecided", wants_more=True),
    }
    for said, one in told.items():
        assert said in render(run_results(tmp_path, records=[], verdicts=[one]))
    control = verdict(verdict="undecided", role="control", expected="not found", as_expected=True)
    assert "replicates would" not in render(run_results(tmp_path, records=[], verdicts=[control]))


def test_columns_sort_from_the_keyboard(page, html):
    """The script makes a button of every heading; what it needs is in the tables."""
    assert page.tags.count("button") == 0, "without the script a heading is no button that does nothing"
    assert 'createElement("button")' in html
    assert 'setAttribute("aria-sort"' in html
    cells = [name for tag, name, _ in page.attributes if tag == "td"]
    assert "data-value" in cells
