"""The generated parts of README.md and docs are fresh, and say what the cards and the ledger say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from holdfast import catalogue, ledger
from holdfast.catalogue import Catalogue
from holdfast.decision import Verdict
from holdfast.errors import InputError
from holdfast.report import overview

ROOT = Path(__file__).parents[2]
ADAMATCH = catalogue.load("adamatch")
CLAIM = "AdaMatch | the method is better than source only by at least 5"


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """A ledger with two verdicts in place of the real one."""
    verdicts = [
        Verdict(claim={}, text="a control", role="control", verdict="holds", expected="found", as_expected=True),
        Verdict(
            claim={},
            text=CLAIM,
            role="headline",
            verdict="does not hold",
            effect=2.0,
            interval=(1.0, 3.0),
            region=(5.0, float("inf")),
            unit="points",
            n=8,
            direction="yes",
            margin="by the claimed 5",
            published="twice as good",
        ),
    ]
    content = {
        "commit": "0123456789abcdef",
        "machine": "a machine, 2 cores",
        "records": [{"cost": {"seconds": 125.0}}],
        "verdicts": [v.to_json() for v in verdicts],
    }
    monkeypatch.setattr(ledger, "read_ledger", lambda system, scale: content)


@pytest.mark.parametrize(
    "page", ["README.md", "docs/index.md", *(f"docs/systems/{p.name}" for p in (ROOT / "docs/systems").glob("*"))]
)
def test_generated_parts_are_fresh(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    again = f"python -m holdfast.report.overview {page}"
    assert overview.refreshed(text, (ROOT / page).parent) == text, f"out of date: {again}"


def test_the_table_has_a_row_per_built_in_system_and_links_that_lead_somewhere() -> None:
    found = catalogue.find()
    rows = overview.table(found).splitlines()[2:]
    assert len(rows) == sum(s.origin == "built in" for s in found.systems.values())
    for row in rows:
        assert row.count(" | ") == 5
        assert (ROOT / re.search(r"\]\(([^)]+)\)", row)[1]).is_file()


def test_plugins_are_not_in_the_table() -> None:
    plugin = catalogue.System(ADAMATCH.card, ADAMATCH.package, ADAMATCH.folder, "plugin x")
    assert len(overview.table(Catalogue({"adamatch": plugin})).splitlines()) == 2


@pytest.mark.usefixtures("measured")
def test_what_was_decided_is_said() -> None:
    headline = overview.headline_of(ADAMATCH)
    assert headline.startswith("**✗ does not hold: AdaMatch | the method is better")
    for said in ("better: yes, +2.0 [1.0, 3.0] points", "by the claimed 5: no", "n = 8; target at least 5 points"):
        assert said in headline
    lines = overview.verdicts_of(ADAMATCH).splitlines()
    assert lines[2].startswith("| **AdaMatch \\| the method"), "the headline comes first, and its bar ends no cell"
    assert lines[3].startswith("| a control | control, as expected | ✓ holds |")
    assert "`0123456789ab`, 2 min 5 s of trials on a machine, 2 cores" in lines[-1]
    assert overview.table(catalogue.find()).splitlines()[2].endswith("| ✗ does not hold |")


def test_nothing_is_said_where_nothing_was_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    for reader in ("read_ledger", "as_results"):
        monkeypatch.setattr(ledger, reader, lambda system, scale: None)
    for part in (overview.headline_of, overview.verdicts_of, overview.arms_of):
        assert part(ADAMATCH) == "Not in the ledger yet; `holdfast run adamatch --scale small` measures it."


def test_published_claims_are_those_of_the_card() -> None:
    text = overview.published_of(ADAMATCH)
    assert len(text.splitlines()) == 2 + len(ADAMATCH.card.claims)
    for claim in ADAMATCH.card.claims:
        assert claim.claim in text


def test_only_what_lies_between_the_comments_changes(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- published adamatch -->\nold\n<!-- /published -->\nafter <!-- a comment -->\n")
    assert overview.refresh(page)
    text = page.read_text(encoding="utf-8")
    assert text.startswith("before\n<!-- published adamatch -->\n| Claim |")
    assert text.endswith("|\n<!-- /published -->\nafter <!-- a comment -->\n")
    assert "old" not in text
    assert not overview.refresh(page)


@pytest.mark.parametrize(
    "text",
    [
        "no part at all",
        "<!-- systems -->\nnever closed",
        "<!-- verdicts adamatch -->\n<!-- /headline -->",
        "<!-- verdicts -->\nwhose?\n<!-- /verdicts -->",
        "<!-- verdicts no_such_system -->\n<!-- /verdicts -->",
    ],
)
def test_wrong_comments_are_errors(text: str) -> None:
    with pytest.raises(InputError):
        overview.refreshed(text)
