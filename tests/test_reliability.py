"""The tables of docs/reliability.md come from the records of the campaigns."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

import reliability
from holdfast.errors import InputError
from reliability import RECORDS, ROOT, Campaign, Row

PAGE = ROOT / "docs" / "reliability.md"
FOUND = Campaign(
    "0123456789abcdef-dirty", "2026-01-02", "2 cores, Linux", 90, (Row("a | b", "<kill>", 1200, "ok", "nothing"),)
)


def test_the_tables_are_fresh() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert reliability.refreshed(text) == text


@pytest.mark.parametrize("name", [path.stem for path in sorted(RECORDS.glob("*.json"))])
def test_nothing_was_lost(name: str) -> None:
    campaign = reliability.read(name)
    assert {row.fault: row.lost for row in campaign.rows if row.lost not in ("nothing", "")} == {}
    assert all(row.tried > 0 for row in campaign.rows)


@pytest.mark.skipif(not (RECORDS / "faults.json").is_file(), reason="the campaign of `make faults` is not recorded yet")
def test_at_least_50_kills_were_tried() -> None:
    kills = [row.tried for row in reliability.read("faults").rows if "killed" in row.fault and "SIGKILL" in row.how]
    assert sum(kills) >= 50


def test_a_table() -> None:
    lines = reliability.table(FOUND).splitlines()
    assert lines[2] == r"| a \| b | &lt;kill> | 1,200 | ok | nothing |"
    assert lines[-1] == (
        "1,200 tries in 2 minutes on 2026-01-02 (2 cores, Linux, commit `0123456789ab` with uncommitted changes)."
    )


def test_a_record_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reliability, "RECORDS", tmp_path)
    reliability.write("tried", FOUND)
    assert reliability.read("tried") == FOUND
    (tmp_path / "tried.json").write_text('{"rows": [{}]}')
    with pytest.raises(InputError, match=r"tried\.json: must be a record of a campaign"):
        reliability.read("tried")


def test_what_a_text_has_to_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reliability, "RECORDS", tmp_path)
    assert reliability.refreshed("<!-- a -->\n<!-- /a -->") == "<!-- a -->\nNot recorded yet.\n<!-- /a -->"
    with pytest.raises(InputError, match="must hold tables"):
        reliability.refreshed("no table")


def test_the_record_says_where_and_when_and_nothing_else() -> None:
    made = reliability.finished(FOUND.rows, 89.6)
    assert made.seconds == 90
    assert made.rows == FOUND.rows
    assert set(dataclasses.asdict(made)) == {"commit", "date", "machine", "seconds", "rows", "since"}
    assert made.machine.split(", ")[1] in ("Linux", "Darwin", "Windows")
