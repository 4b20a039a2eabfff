"""Series as users have them: time, gaps, zones; every way to be wrong is named."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.data.series.arguments import read_training
from holdfast.data.series.calendar_features import calendar_features, choose_features
from holdfast.data.series.clock import make_clock
from holdfast.data.series.covariates import join, known_ahead
from holdfast.data.series.long_wide import read_panel
from holdfast.errors import InputError


def table(**series: int) -> pd.DataFrame:
    """A long table of daily series of these lengths."""
    parts = [
        pd.DataFrame({"unique_id": name, "ds": pd.date_range("2024-01-01", periods=n), "y": np.arange(float(n))})
        for name, n in series.items()
    ]
    return pd.concat(parts, ignore_index=True)


# ---------------------------------------------------------------------------------------------------------------- time
@pytest.mark.parametrize("freq", ["h", "15min", "D", "2D", "B", "W", "MS", "ME", "QS", "YE", "2MS"])
@pytest.mark.parametrize("tz", [None, "Europe/Berlin"])
def test_a_frequency_is_found_and_goes_on_as_pandas_would(freq: str, tz: str | None) -> None:
    times = pd.date_range("2024-03-01", periods=60, freq=freq, tz=tz)  # the clocks change on 31 March
    panel = read_panel(pd.Series(np.arange(50.0), index=times[:50]))
    assert pd.DatetimeIndex(panel.frame()["ds"]).equals(times[:50].as_unit("us"))
    assert panel.clock.times(np.arange(50, 60)).tolist() == times[50:].tolist()
    positions, on_grid = panel.clock.positions(times)
    assert positions.tolist() == list(range(60))
    assert on_grid.all()


def test_the_frequency_of_a_series_with_gaps_is_that_of_most_stretches() -> None:
    times = pd.date_range("2024-01-01", periods=200, freq="MS").delete([30, 31, 90])
    panel = read_panel(pd.Series(np.arange(197.0), index=times), fill="forward")
    assert panel.clock.freq == "MS"
    assert len(panel.y) == 200
    assert panel.y[29:33].tolist() == [29, 29, 29, 30]


def test_former_names_of_frequencies_are_understood() -> None:
    times = pd.date_range("2024-01-01", periods=30, freq="h")
    assert read_panel(pd.Series(np.arange(30.0), index=times), freq="H").clock.freq == "h"


@given(gaps=st.lists(st.integers(1, 4), min_size=3, max_size=30), step=st.integers(1, 3))
def test_filling_uses_only_what_came_before(gaps: list[int], step: int) -> None:
    ds = np.cumsum([0, *gaps]) * step
    y = np.arange(1.0, len(ds) + 1)
    frame = pd.DataFrame({"ds": ds, "y": y})
    forward, zero = (read_panel(frame, freq=step, fill=f).y for f in ("forward", "zero"))
    wanted = [y[ds <= t][-1] for t in range(0, int(ds[-1]) + 1, step)]
    assert forward.tolist() == wanted
    assert zero.tolist() == [y[ds == t].sum() for t in range(0, int(ds[-1]) + 1, step)]


def test_periods_dates_and_numbers_are_times() -> None:
    y = np.arange(12.0)
    assert read_panel(pd.Series(y, index=pd.period_range("2024-01", periods=12, freq="M"))).clock.freq == "MS"
    days = pd.DataFrame({"ds": [d.date() for d in pd.date_range("2024-01-01", periods=12)], "y": y})
    assert read_panel(days).clock.freq == "D"
    assert read_panel(pd.DataFrame({"ds": np.arange(0, 60, 5), "y": y})).clock.times(np.array([12])).tolist() == [60]


# ------------------------------------------------------------------------------------------------------------ calendar
def test_calendar_features_are_those_of_the_date() -> None:
    times = pd.date_range("2023-12-25", periods=500, freq="7h")
    names = ("minute", "hour", "dayofweek", "day", "dayofyear", "week", "month", "quarter")
    found = calendar_features(times, names)
    for k in range(0, 500, 37):
        t = times[k].to_pydatetime()
        year = t.timetuple().tm_yday
        wanted = [
            t.minute / 59,
            t.hour / 23,
            t.weekday() / 6,
            (t.day - 1) / 30,
            (year - 1) / 365,
            (t.isocalendar().week - 1) / 52,
            (t.month - 1) / 11,
            (t.month - 1) // 3 / 3,
        ]
        np.testing.assert_allclose(found[k] + 0.5, wanted, atol=1e-6)


def test_automatic_features_suit_the_frequency() -> None:
    def chosen(freq: str) -> tuple[str, ...]:
        times = pd.date_range("2024-01-01", periods=20, freq=freq)
        return choose_features("auto", make_clock(times, np.zeros(20, int), freq))

    assert chosen("15min") == ("minute", "hour", "dayofweek", "dayofyear")
    assert chosen("h") == ("hour", "dayofweek", "dayofyear")
    assert chosen("D") == chosen("B") == ("dayofweek", "day", "dayofyear")
    assert (chosen("W"), chosen("MS"), chosen("QS"), chosen("YS")) == (("week",), ("month",), ("quarter",), ())


# --------------------------------------------------------------------------------------------------------- wrong input
def frame(**changes: object) -> pd.DataFrame:
    ds = pd.date_range("2024-01-01", periods=40)
    return pd.DataFrame({"unique_id": "shop", "ds": ds, "y": np.arange(40.0)} | changes)


def with_value(value: float, at: int = 7) -> pd.DataFrame:
    made = frame()
    made.loc[at, "y"] = value
    return made


ZONES = pd.Series([*pd.date_range("2024-01-01", periods=39, tz="UTC").astype(str), "2024-02-09 00:00:00+05:00"])
DAYS = [str(day.date()) for day in pd.date_range("2024-01-01", periods=40)]
WRONG = {
    "empty table": (frame().iloc[:0], "y", "must not be empty", "without rows"),
    "empty array": (np.empty(0), "y", "must not be empty", "shape (0,)"),
    "empty wide table": (pd.DataFrame(index=range(40)), "y", "must not be empty", "(40, 0)"),
    "text between numbers": (
        frame(y=["1.5", 2, "n/k", *["3"] * 37]),
        "y, column y",
        "must hold numbers",
        "'n/k', in 1 of 40",
    ),
    "text": (frame(y=["a"] * 40), "y, column y", "must hold numbers", "text, such as 'a'"),
    "numbers as text": (frame(y=["1.5"] * 40), "y, column y", "must hold numbers", "'1.5'"),
    "booleans": (frame(y=[True] * 40), "y, column y", "must hold numbers", "bool"),
    "NaN": (with_value(np.nan), "y, unique_id 'shop'", "must have no gaps at frequency D", "1 steps missing"),
    "infinite": (with_value(np.inf), "y, unique_id 'shop'", "must be finite", "1 infinite"),
    "NaN in an array": ([1.0, np.nan] * 20, "y", "must be finite", "20 NaN"),
    "times repeat": (
        pd.concat([frame().iloc[:20], frame().iloc[19:]]),
        "y, unique_id 'shop'",
        "must have every time stamp once",
        "1 of 41 repeated, first ds 2024-01-20",
    ),
    "gaps": (
        frame().drop([5, 6, 20]),
        "y, unique_id 'shop'",
        "no gaps at frequency D; fill=",
        "3 steps missing in 1 series",
    ),
    "times between steps": (
        frame(ds=[*pd.date_range("2024-01-01", periods=39), pd.Timestamp("2024-02-09 07:00")]),
        "y, unique_id 'shop'",
        "must have time stamps that frequency D has",
        "1 of 40",
    ),
    "mixed zones": (frame(ds=ZONES), "y, column ds", "must be in one time zone", "2 zones: 39 with +00:00"),
    "zones at some times only": (
        frame(ds=[*(f"{d}T00:00:00" for d in DAYS[:5]), *(f"{d}T00:00:00+00:00" for d in DAYS[5:])]),
        "y, column ds",
        "must be in one time zone",
        "2 zones: 35 with +00:00, 5 with none",
    ),
    "dates of several forms": (frame(ds=[*DAYS[:39], "9 Feb 2024"]), "y, column ds", "must hold dates of one form", ""),
    "a date that is none": (frame(ds=[*DAYS[:39], "soon"]), "y, column ds", "dates or whole", "'soon', in 1 of 40"),
    "no dates": (frame(ds=["soon"] * 40), "y, column ds", "must hold dates or whole numbers", "soon"),
    "fractions as times": (frame(ds=np.arange(40) / 2), "y, column ds", "must hold dates or whole numbers", "float64"),
    "missing times": (frame(ds=[pd.NaT, *frame()["ds"][1:]]), "y, column ds", "must have no missing values", "1 of 40"),
    "missing ids": (
        frame(unique_id=[None, *["a"] * 39]),
        "y, column unique_id",
        "must have no missing values",
        "1 of 40",
    ),
    "more steps between rows than rows": (
        frame(ds=[*pd.date_range("2024-01-01", periods=39), pd.Timestamp("2025-06-01")]),
        "y, unique_id 'shop'",
        "freq= names another",
        "478 steps missing",
    ),
    "nothing but NaN in a series": (
        pd.concat([frame(), frame(unique_id="b", y=np.nan)]),
        "y, unique_id 'b'",
        "must have at least one number",
        "missing values only",
    ),
    "days or months first": (frame(ds=(["03/04/2024", "05/06/2024"] * 20)), "y, column ds", "must tell whether", "04"),
    "years of two digits that are none": (
        frame(ds=(["Jan-16", "Mar-02"] * 20)),
        "y, column ds",
        "years of four digits",
        "Jan-16",
    ),
    "no y": (frame().rename(columns={"y": "sales"}), "y", "must have the columns unique_id, ds and y", "no column y"),
    "another column": (frame(price=1.0), "y", "that X or X_future name", "also price"),
    "a column twice": (pd.concat([frame(), frame()[["y"]]], axis=1), "y", "columns of different names", "'y'"),
    "nothing in a column": (
        pd.DataFrame({"a": np.arange(40.0), "b": np.nan}),
        "y, column 'b'",
        "at least one number",
        "",
    ),
    "a hole in a column": (
        pd.DataFrame({"a": [*np.arange(10.0), np.nan, *np.arange(29.0)]}),
        "y, unique_id 'a'",
        "must have no gaps",
        "1 steps missing in 1 series",
    ),
    "three axes": (np.zeros((40, 2, 2)), "y", "must have shape (T, S)", "(40, 2, 2)"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_series_are_named(case: str) -> None:
    y, argument, rule, received = WRONG[case]
    with pytest.raises(InputError) as caught:
        read_training(y, None, None, freq=None, fill=None)
    assert caught.value.argument == argument
    assert rule in caught.value.rule
    assert received in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_column_that_begins_later_or_ends_earlier_is_a_shorter_series() -> None:
    wide = pd.DataFrame({"a": np.arange(30.0), "b": [np.nan] * 5 + [1.0] * 20 + [np.nan] * 5})
    panel = read_panel(wide)
    assert panel.lengths.tolist() == [30, 20]
    assert panel.first.tolist() == [0, 5]


COVARIATES = {
    "text": ({"X": frame(y="a")}, "X, column 'y'", "must hold numbers"),
    "infinite": ({"X": frame(y=np.inf)}, "X, column 'y'", "must have no infinite values"),
    "other times": (
        {"X": frame(ds=pd.date_range("1990-01-01", periods=40)).rename(columns={"y": "x"})},
        "X",
        "must have values at the series' time stamps",
    ),
    "times repeat": (
        {"X": pd.concat([frame(), frame().iloc[:3]])},
        "X, unique_id 'shop'",
        "must have every time stamp once",
    ),
    "numbers as times": ({"X": frame(ds=np.arange(40))}, "X", "must have dates as time stamps"),
    "another zone": (
        {"X": frame(ds=frame()["ds"].dt.tz_localize("UTC"))},
        "X",
        "must have time stamps with a time zone if",
    ),
    "too few rows": ({"X": np.zeros((39, 1))}, "X", "must have shape (T=40, M)"),
    "no values": ({"X": frame()[["unique_id", "ds"]]}, "X", "at least one row and one column"),
    "the same names": ({"X": frame(), "X_future": frame()}, "X_future", "must have other names than X"),
    "no such column": ({"X": ["price"]}, "X", "must name columns of y"),
}


@pytest.mark.parametrize("case", COVARIATES)
def test_wrong_covariates_are_named(case: str) -> None:
    given, argument, rule = COVARIATES[case]
    with pytest.raises(InputError) as caught:
        read_training(frame(), **{"X": None, "X_future": None, **given}, freq=None, fill=None)
    assert caught.value.argument == argument
    assert rule in caught.value.rule


def test_missing_future_covariates_are_counted() -> None:
    panel = read_panel(table(a=20, b=25))
    known = pd.DataFrame({"unique_id": "a", "ds": pd.date_range("2024-01-21", periods=3), "price": 1.0})
    with pytest.raises(InputError, match="unique_id 'b': must have the 3 steps ahead; received 3 missing in 1 series"):
        known_ahead(panel, known, 3, ("price",))
    with pytest.raises(InputError, match=r"X_future: must be given: .* price"):
        known_ahead(panel, None, 3, ("price",))
    with pytest.raises(InputError, match="must have the columns price"):
        known_ahead(panel, known.rename(columns={"price": "cost"}), 3, ("price",))
    with pytest.raises(InputError, match="must have 1 columns"):
        known_ahead(panel, np.zeros((3, 2)), 3, ("price",))
    shared = pd.DataFrame({"ds": pd.date_range("2024-01-15", periods=30), "price": np.arange(30.0)})
    assert known_ahead(panel, shared, 2, ("price",))[:, :, 0].tolist() == [[6, 7], [11, 12]]
    assert join(panel, X_future=shared).future[-1].tolist() == [10]
