"""Tables of series, whatever their columns are called."""

from pathlib import Path

import pandas as pd
import pytest

from holdfast.data.series.long_wide import read_panel
from holdfast.data.series.tables import as_series_table, read_table, with_target
from holdfast.errors import InputError


def test_columns_of_any_name_are_recognised() -> None:
    days = ["2024-01-01", "2024-01-02"] * 2
    long = pd.DataFrame({"shop": ["a", "a", "b", "b"], "day": days, "sales": [1.0, 2.0, 3.0, 4.0]})
    found = with_target(as_series_table(long))
    assert sorted(found.columns) == ["ds", "unique_id", "y"]
    assert found["ds"].tolist() == days
    wide = pd.DataFrame({"day": days[:2], "a": [1.0, 2.0], "b": [3.0, 4.0]})
    assert with_target(as_series_table(wide)).index.tolist() == days[:2]
    with pytest.raises(InputError, match="target"):
        with_target(as_series_table(long.assign(visitors=1)))


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.tsv", "t.parquet", "t.pq", "t.jsonl"])
def test_every_format_gives_the_same_series(tmp_path: Path, name: str) -> None:
    times = pd.date_range("2024-03-01", periods=30, freq="h")
    frame = pd.DataFrame({"unique_id": "a", "ds": times, "y": [k / 4 for k in range(30)], "price": 1.5})
    if name.endswith("l"):
        frame.astype({"ds": str}).to_json(tmp_path / name, orient="records", lines=True)
    elif name[2:] in ("parquet", "pq"):
        frame.to_parquet(tmp_path / name)
    else:
        frame.to_csv(tmp_path / name, index=False, sep="\t" if "tsv" in name else ",")
    table = as_series_table(read_table(tmp_path / name)[0])
    assert table["price"].tolist() == [1.5] * 30
    panel = read_panel(table)
    assert (panel.clock.freq, panel.y.tolist()) == ("h", frame["y"].tolist())
    assert panel.clock.times(panel.first)[0] == times[0]


def test_times_of_parquet_files_keep_their_zone(tmp_path: Path) -> None:
    times = pd.date_range("2024-03-01", periods=30, freq="h", tz="Europe/Berlin")
    pd.DataFrame({"ds": times, "y": 1.0}).to_parquet(tmp_path / "t.parquet")
    assert read_panel(as_series_table(read_table(tmp_path / "t.parquet")[0])).clock.tz == "Europe/Berlin"
