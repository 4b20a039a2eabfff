"""Real series: what they become, where they come from, bits per symbol and their intervals."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from holdfast.data.location import data_folder
from holdfast.errors import InputError, MissingExtra
from holdfast.metrics.code_lengths import code_lengths, per_case
from holdfast.systems.nonstationary_meta import compare, rises
from holdfast.systems.nonstationary_meta.problems import EttSeries, PackagedSeries
from holdfast.systems.nonstationary_meta.tool.predictors import predictor


def test_rises_compare_with_the_value_before_and_skip_missing_ones():
    values = [5.0, np.nan, 6.0, 6.0, 1.0, np.nan, 2.0]
    assert rises(values).tolist() == [1, 0, 0, 1]
    assert rises(pd.Series(values)).tolist() == [1, 0, 0, 1]
    assert rises([1.0]).tolist() == rises([]).tolist() == []
    with pytest.raises(InputError, match="infinite"):
        rises([1.0, np.inf])
    with pytest.raises(InputError, match="values"):
        rises([[1.0, 2.0]])
    with pytest.raises(InputError, match="values"):
        rises(["a", "b"])


@pytest.mark.parametrize(
    ("series", "length", "first"),
    [("sunspots", 309, [5.0, 11.0, 16.0]), ("elnino", 732, [23.11, 24.2, 25.37]), ("co2", 2284, [316.1, 317.3, 317.6])],
)
def test_series_of_statsmodels(series, length, first):
    problem = PackagedSeries(series)
    values, bits = problem.values(), problem.bits()
    assert len(values) == length
    assert values[:3].tolist() == first
    there = values[~np.isnan(values)]
    assert len(bits) == len(there) - 1
    assert bits.tolist() == [int(b > a) for a, b in itertools.pairwise(there.tolist())]
    assert "statsmodels" in problem.describe()
    assert problem.available()


def test_without_statsmodels_the_extra_is_named(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert not PackagedSeries("co2").available()
    with pytest.raises(MissingExtra, match="forecast"):
        PackagedSeries("co2").values()


def test_etth1_in_its_published_format(tmp_path):
    file = tmp_path / "ETTh1.csv"
    problem = EttSeries(file=str(file))
    assert not problem.available()
    assert problem.fingerprint() == ""
    with pytest.raises(InputError, match=r"must be ETTh1\.csv"):
        problem.values()
    header = "date,HUFL,HULL,MUFL,MULL,LUFL,LULL,OT\n"
    file.write_text(header + "".join(f"2016-07-01 0{i}:00:00,1,2,3,4,5,6,{v}\n" for i, v in enumerate((3, 4, 2, 2.5))))
    assert problem.available()
    assert problem.bits().tolist() == [1, 0, 1]
    before = problem.fingerprint()
    file.write_text(header + "2016-07-01 00:00:00,1,2,3,4,5,6,7\n")
    assert problem.fingerprint() != before
    with pytest.raises(InputError, match="column 'XX'"):
        EttSeries(file=str(file), column="XX").values()


@pytest.mark.skipif(not data_folder(EttSeries().file).is_file(), reason="HOLDFAST_DATA has no ETTh1.csv")
def test_the_real_etth1():
    bits = EttSeries().bits()
    assert len(bits) == 17_419
    assert 0.4 < bits.mean() < 0.6


def test_code_lengths_and_cases_in_loops():
    rng = np.random.default_rng(0)
    p, x = rng.dirichlet(np.ones(3), 7), rng.integers(0, 3, 7)
    lengths = code_lengths(np.log(p), x)
    assert np.allclose(lengths, [-np.log2(p[t, x[t]]) for t in range(7)])
    assert np.allclose(per_case(lengths, 3), [lengths[:3].mean(), lengths[3:6].mean()])
    assert np.array_equal(per_case(lengths, 1), lengths)


def test_compare_ranks_predictors_and_measures_whole_cases():
    x = np.concatenate([np.zeros(60, int), np.ones(63, int)])
    rows = compare([predictor(name) for name in ("kt", "ptw", "lin")], x, unit=10, block=3)
    assert [row.bits for row in rows] == sorted(row.bits for row in rows)
    assert rows[-1].name == "kt"
    by_hand = code_lengths(predictor("ptw").log_probs(x[None])[0], x)[:120].mean()
    assert next(row for row in rows if row.name == "ptw").bits == pytest.approx(by_hand)
    assert all(row.low <= row.bits <= row.high for row in rows)
    with pytest.raises(InputError, match="x: must hold at least one case of 10; received 9 symbols"):
        compare([predictor("kt")], x[:9], unit=10)
