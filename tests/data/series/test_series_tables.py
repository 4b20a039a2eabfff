"""Tables of series, whatever their columns are called."""

import pandas as pd
import pytest

from holdfast.data.series.tables import as_series_table, with_target
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
