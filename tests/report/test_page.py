from __future__ import annotations

import base64
import dataclasses
import hashlib
import re
from html.parser import HTMLParser
from types import SimpleNamespace

import pytest

from holdfast.experiment import Arm, Experiment, Metric, Problem, Record, Scale, Tuning
from holdfast.report.page import render, write_page

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


@pytest.fixture(scope="module")
def html(results):
    return render(results)


@pytest.fixture(scope="module")
def page(html):
    return Reader(html)


def test_the_page_holds_every_section_and_every_claim(page, results):
    text = " ".join("".join(page.text).split())
    assert {"verdicts", "replicates", "arms", "curves", "cost", "compared", "failed", "provenance"} <= set(
        page.values("id")
    )
    for verdict in results.verdicts:
        for said in (verdict.text, verdict.verdict, verdict.direction_line, verdict.margin_line):
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
    fields = ("text", "unit", "direction_line", "margin_line", "reason", "published", "source", "scope", "expected")
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
        folder, records=records, verdicts=verdicts, experiment=experiment, system=NASTY, title=NASTY, scale=NASTY,
        command=NASTY, card=SimpleNamespace(title=NASTY, arxiv=NASTY, authors=[NASTY], year=NASTY),
        provenance={NASTY: NASTY},
        plan={
            "tuned": {NASTY: {NASTY: NASTY}}, "frozen_at": NASTY, "looks": [NASTY],
            "tuning": [
                {"arm": NASTY, "configuration": {NASTY: NASTY}, "pilots": [NASTY], "mean": NASTY, "chosen": True}
            ],
        },
    )  # fmt: skip


def test_markup_in_every_field_stays_text(run_results, verdict, tmp_path):
    html = render(nasty_results(run_results, verdict, tmp_path))
    page = Reader(html)
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
def test_a_page_without_values_still_says_what_there_is(failed, run_results, tmp_path):
    records = [Record(str(i), "DANN", "mnist->digits", {}, i, "failed", error="gone") for i in range(failed)]
    html = render(
        run_results(
            tmp_path,
            records=records,
            verdicts=[],
            plan={},
            provenance={},
            command="",
            card=None,
            pilot=True,
            interrupted=True,
        )
    )
    text = "".join(Reader(html).text)
    assert "No value was recorded yet" in text
    assert "Exploratory run on pilot replicates" in text
    assert "Interrupted" in text
    assert text.count("gone") == failed


def test_values_that_are_not_finite_are_dashes(run_results, tmp_path):
    records = [Record("1", "DANN", "mnist->digits", {}, 0, "ok", {"accuracy": float("nan")}, {"seconds": float("inf")})]
    text = "".join(Reader(render(run_results(tmp_path, records=records, verdicts=[]))).text)
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
