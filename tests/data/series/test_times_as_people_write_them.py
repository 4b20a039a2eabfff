"""Time stamps of real tables: numbers that are dates, calendars with holidays, days of the month, any order of rows."""

import numpy as np
import pandas as pd
import pytest

from holdfast.data.readers.tables.regularity import evenness, regularity
from holdfast.data.series.arguments import read_other, read_training
from holdfast.data.series.calendars import MonthDays, WorkingDays, find_month_days, find_working_days
from holdfast.data.series.clock import make_clock
from holdfast.data.series.long_wide import SeriesNotice, read_panel
from holdfast.data.series.numbered_times import calendar_times, named_as_time, runs_evenly
from holdfast.data.series.seasons import season_of
from holdfast.data.series.tables import as_series_table
from holdfast.errors import InputError


def series(times, y=None):
    return pd.DataFrame({"ds": times, "y": np.arange(float(len(times))) if y is None else y})


# ------------------------------------------------------------------------------------------------------------- numbers
@pytest.mark.parametrize(
    ("form", "freq"), [("%Y%m", "MS"), ("%Y%m%d", "D"), ("%Y%m%d", "W"), ("%Y%m%d%H", "h"), ("%Y%m%d%H%M", "15min")]
)
def test_digits_of_dates_are_dates(form, freq):
    times = pd.date_range("2019-11-01", periods=90, freq=freq)
    moments, _ = calendar_times(np.array(times.strftime(form), np.int64))
    assert pd.DatetimeIndex(moments).equals(pd.DatetimeIndex(times).as_unit("s"))


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_time_since_1970(unit):
    times = pd.date_range("2019-11-01", periods=90, freq="6h")
    moments, what = calendar_times(np.array(times.astype(f"datetime64[{unit}]")).astype(np.int64))
    assert what == f"{unit} since 1970"
    assert (pd.DatetimeIndex(moments) == times).all()


@pytest.mark.parametrize("numbers", [[1, 2, 3], [1990, 1991], [202013, 202014], [20240230, 20240301], [5], [-4, 9]])
def test_other_numbers_are_steps(numbers):
    assert calendar_times(np.array(numbers)) is None


def test_a_table_with_months_as_numbers_is_monthly():
    months = np.array(pd.date_range("2016-01-01", periods=96, freq="MS").strftime("%Y%m"), np.int64)
    with pytest.warns(SeriesNotice, match="201601 is 2016-01-01"):
        panel = read_panel(as_series_table(pd.DataFrame({"month": months, "sales": np.arange(96.0)})))
    assert panel.ids.tolist() == ["sales"]
    assert (panel.clock.freq, season_of(panel.clock)) == ("MS", 12)


def test_years_are_the_time_and_stay_numbers():
    panel = read_panel(as_series_table(pd.DataFrame({"year": np.arange(1950, 2020), "sales": np.arange(70.0)})))
    assert panel.ids.tolist() == ["sales"]
    assert panel.clock.times(panel.first).tolist() == [1950]


@pytest.mark.parametrize(
    "columns",
    [
        {"counter": np.arange(50), "sales": np.sqrt(np.arange(50))},  # even, but not called as times are
        {"month": [3, 1, 2] * 10, "sales": np.sqrt(np.arange(30))},  # called so, but not even
        {"year": np.repeat([2020, 2021], 12), "month": list(range(1, 13)) * 2, "sales": np.sqrt(np.arange(24))},
    ],
)
def test_numbers_that_may_be_the_time_are_asked_about(columns):
    with pytest.raises(InputError, match=r"time: must be (named|one column)"):
        as_series_table(pd.DataFrame(columns))


def test_a_named_target_alone_is_the_series():
    table = as_series_table(pd.DataFrame({"counter": np.arange(50), "sales": np.sqrt(np.arange(50))}), target="sales")
    assert read_panel(table).count == 1


def test_names_of_times():
    assert [named_as_time(n) for n in ("Month", "order-date", "Unnamed: 0", "日期", "monthly sales", "amount")] == [
        *[True] * 4,
        *[False] * 2,
    ]
    assert runs_evenly(np.array([202311, 202312, 202401, 202402]))
    assert not runs_evenly(np.array([5, 9, 700, 701]))


# --------------------------------------------------------------------------------------------------------------- dates
@pytest.mark.parametrize("form", ["%d/%m/%Y", "%m/%d/%Y"])
def test_the_order_of_day_and_month_that_is_regular_is_right(form):
    months = pd.date_range("2018-01-01", periods=50, freq="MS")
    with pytest.warns(SeriesNotice, match="evenly spaced"):
        panel = read_panel(series(months.strftime(form)))
    assert panel.clock.times(np.arange(50)).tolist() == months.tolist()


def test_months_with_years_of_two_digits():
    months = pd.date_range("1998-01-01", periods=50, freq="MS")
    with pytest.warns(SeriesNotice, match="two digits"):
        panel = read_panel(series(months.strftime("%b-%y")))
    assert panel.clock.times(np.arange(50)).tolist() == months.tolist()


def test_regularity_by_hand():
    days = np.array(["2024-01-01", "2024-01-02", "2024-01-03", "2024-01-06"], "datetime64[D]")
    assert regularity(days) == pytest.approx(4 / 6)
    assert regularity(days[:3]) == 0
    assert evenness(np.array([0, 2, 4, 7])) == pytest.approx(3 / 4)


@pytest.mark.parametrize("order", [slice(None, None, -1), [3, 0, 2, 1, *range(4, 40)]])
def test_rows_in_any_order_are_sorted_and_it_is_said(order):
    table = pd.concat([series(pd.date_range("2024-01-01", periods=40)).iloc[order].assign(unique_id=i) for i in "ba"])
    with pytest.warns(SeriesNotice, match="sorted"):
        panel = read_panel(table)
    assert panel.ids.tolist() == ["b", "a"]
    assert panel.y.tolist() == [*map(float, range(40))] * 2


def test_rows_stay_where_arrays_belong_to_them():
    with pytest.raises(InputError, match="covariates come as arrays"):
        read_training(
            series(pd.date_range("2024-01-01", periods=9)[::-1]), np.zeros((9, 1)), None, freq=None, fill=None
        )


# ----------------------------------------------------------------------------------------------------------- calendars
@pytest.mark.parametrize("day", [2, 15, 29, 30])
@pytest.mark.parametrize("months", [1, 3])
def test_a_day_of_the_month_is_a_frequency(day, months):
    first = pd.date_range("2019-01-01", periods=60, freq=f"{months}MS")
    times = pd.DatetimeIndex([t.replace(day=min(day, t.days_in_month)) for t in first])
    panel = read_panel(series(times[:50]))
    assert panel.clock.times(np.arange(60)).tolist() == times.tolist()
    assert season_of(panel.clock) == 12 // months
    assert panel.clock.positions(times + pd.Timedelta(days=1))[1].sum() == 0


def test_gaps_among_days_of_the_month_are_gaps():
    times = pd.DatetimeIndex([t.replace(day=15) for t in pd.date_range("2019-01-01", periods=60, freq="MS")]).delete(30)
    with pytest.raises(InputError, match="1 steps missing"):
        read_panel(series(times))
    assert find_month_days(np.array(["2024-01-31", "2024-02-29"], "datetime64[D]")) is None


def test_days_that_all_series_miss_are_holidays():
    week = pd.bdate_range("2022-01-03", periods=300)
    closed = week[[50, 120, 121]]
    table = pd.concat([series(week.drop(closed)).assign(unique_id=i) for i in "ab"])
    with pytest.warns(SeriesNotice, match="3 of its days"):
        panel = read_panel(table)
    assert panel.lengths.tolist() == [297, 297]
    assert season_of(panel.clock) == 5
    ahead = panel.clock.times(np.arange(297, 302))
    assert ahead.tolist() == pd.bdate_range(week[-1] + pd.Timedelta(days=1), periods=5).tolist()
    assert panel.clock.positions(closed)[1].sum() == 0
    with pytest.raises(InputError, match="1 steps missing"):  # one series alone has a gap
        read_panel(table[(table["unique_id"] != "a") | (table["ds"] != week[200])])
    assert read_panel(table, fill="zero").lengths.tolist() == [300, 300]  # whoever fills has no holidays


def test_weeks_of_six_days_and_too_many_holes():
    days = pd.date_range("2022-01-01", periods=200)
    open_ = days[days.dayofweek != 6]
    assert find_working_days(np.array(open_, "datetime64[D]")) == WorkingDays("1111110")
    assert season_of(read_panel(series(open_)).clock) == 6
    thinned = np.random.default_rng(0).choice(open_, 120, replace=False)
    assert find_working_days(np.unique(thinned.astype("datetime64[D]"))) is None
    assert find_working_days(np.array(days, "datetime64[D]")) is None


def test_other_series_of_a_working_calendar_have_holidays_of_their_own():
    week = pd.bdate_range("2022-01-03", periods=300)
    with pytest.warns(SeriesNotice, match="2 of its days"):
        like = read_panel(series(week.drop(week[[50, 120]])))
    with pytest.warns(SeriesNotice, match="1 of its days"):
        other = read_other(series(week[200:].drop(week[[250]])), None, like=like, lookback=5, freq=None, fill=None)
    assert other.lengths.tolist() == [99]
    assert other.clock.same_steps(like.clock)
    six = pd.DatetimeIndex([day for day in pd.date_range("2022-01-03", periods=300) if day.dayofweek != 6])
    assert not other.clock.same_steps(make_clock(six, np.zeros(len(six), int), None))


def test_days_of_other_months_are_other_steps():
    assert MonthDays(1, 15) != MonthDays(1, 16)
    places, found = MonthDays(1, 31).places(
        np.array(["2024-02-29", "2024-03-30"], "datetime64[D]"), np.datetime64("2024-01-31")
    )
    assert places.tolist() == [1, 2]
    assert found.tolist() == [True, False]


@pytest.mark.parametrize(
    ("freq", "season"),
    [
        *(("BME", 12), ("CBMS", 12), ("ME", 12), ("2MS", 6), ("5MS", 1), ("BQE", 4), ("QS-FEB", 4), ("BYE", 1)),
        *(("W-WED", 52), ("2W", 26), ("B", 5), ("SMS", 24), ("2h", 12), ("7min", 1), ("3D", 1), ("14D", 26)),
    ],
)
def test_the_season_follows_the_unit(freq, season):
    times = pd.date_range("2020-01-01", periods=30, freq=freq)
    assert season_of(make_clock(times, np.zeros(30, int), freq)) == season


# --------------------------------------------------------------------------------------------------------------- cells
def test_cells_without_a_value():
    y = np.arange(40.0)
    y[[0, 1, 20, 39]] = np.nan
    times = pd.date_range("2024-01-01", periods=40)
    for given in (series(times, y), pd.Series(y, index=times), pd.DataFrame({"a": y}, index=times)):
        with pytest.raises(InputError, match="1 steps missing"):
            read_panel(given)
        panel = read_panel(given, fill="forward")
        assert panel.y.tolist() == [*range(2, 20), 19, *range(21, 39)]
        assert panel.clock.times(panel.first)[0] == times[2]


# ----------------------------------------------------------------------------------------------------------------- ids
def test_several_columns_name_a_series():
    days = pd.date_range("2024-01-01", periods=6)
    rows = [(shop, item, day, 1.0) for shop in ("01", "1") for item in ("1", "NA") for day in days]
    table = pd.DataFrame(rows, columns=["shop", "item", "day", "sold"])
    long = as_series_table(table, "day", "sold", ["shop", "item"])
    assert read_panel(long).ids.tolist() == ["01/1", "01/NA", "1/1", "1/NA"]
    table["shop"], table["item"] = ["a/b", "a"] * 12, ["c", "b/c"] * 12
    with pytest.raises(InputError, match="differ when joined"):
        as_series_table(table, "day", "sold", ["shop", "item"])
