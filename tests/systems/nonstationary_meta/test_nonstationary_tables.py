"""Series in, tables out."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from holdfast.errors import InputError
from holdfast.systems.nonstationary_meta import (
    LIN,
    MetaPredictor,
    Recurrent,
    SourcePrior,
    changes,
    open_predictor,
    predict,
    predictor,
)

X = np.random.default_rng(0).integers(0, 2, 50)


def test_a_table_of_predictions():
    index = pd.date_range("2024-01-01", periods=50)
    table = predict(pd.Series(X, index=index), "lin")
    assert list(table.columns) == ["t", "p1", "code_length_bits", "p_change"]
    assert table.index.equals(index)
    np.testing.assert_array_equal(table["t"], np.arange(1, 51))
    stream = LIN()
    for row, symbol in zip(table.itertuples(), X.tolist(), strict=True):
        assert row.p1 == pytest.approx(stream.prob()[1], abs=1e-12)
        assert row.code_length_bits == pytest.approx(-np.log2(stream.prob()[symbol]), abs=1e-11)
        stream.update(symbol)
        assert row.p_change == pytest.approx(stream.change_prob(), abs=1e-12)
    assert table["code_length_bits"].sum() == pytest.approx(-stream.log_marginal / np.log(2))


def test_models_and_settings():
    deep, grown = predict(X, "ptw", depth=20), predict(X, "ptw")
    assert (deep["p1"] - grown["p1"]).abs().max() > 1e-3
    assert predict(X, "decayed-kt", decay=0.8)["p_change"].isna().all()
    pd.testing.assert_frame_equal(predict(X, predictor("window-kt", window=4)), predict(X, "window-kt", window=4))
    assert list(predict([0, 2, 1], alphabet=3).columns) == ["t", "p0", "p1", "p2", "code_length_bits", "p_change"]


@pytest.mark.parametrize(
    "series",
    [pd.Series(X, dtype="Int64"), pd.Series(X.astype(bool)), pd.Series(X.astype(bool), dtype="boolean"), list(X)],
)
def test_kinds_of_series(series):
    np.testing.assert_array_equal(predict(series)["p1"], predict(X)["p1"])


@pytest.mark.parametrize("call", [predict, changes])
def test_wrong_series_are_named(call):
    with pytest.raises(TypeError, match="must have no missing values; received 1, first at index 1"):
        call(pd.Series([1.0, np.nan]))
    with pytest.raises(TypeError, match="missing values"):
        call(pd.Series([1, None], dtype="Int64"))
    with pytest.raises(TypeError, match="whole numbers"):
        call(pd.Series([1.0, 0.0]))
    with pytest.raises(TypeError, match="whole numbers"):
        call(pd.Series(["a", "b"]))
    with pytest.raises(InputError, match="received 7 at index 1"):
        call(pd.Series([1, 7]))
    with pytest.raises(TypeError, match="whole numbers"):
        call(pd.Series([1.0, 0.5], dtype="Float64"))
    with pytest.raises(TypeError, match=r"series\.cat\.codes"):
        call(pd.Series(["a", "b"], dtype="category"))
    with pytest.raises(InputError, match="series: must have one axis"):
        call(pd.DataFrame({"x": [0, 1]}))
    with pytest.raises(InputError, match="model: must be one of"):
        call(X, "nothing")


def test_horizon_and_foreign_settings():
    with pytest.raises(InputError, match="must be at least 6 for 50 symbols"):
        predict(X, "ptw", depth=5)
    with pytest.raises(InputError, match="prune: must not be given with ptw, which has depth and alphabet"):
        predict(X, "ptw", prune=3.0)
    with pytest.raises(InputError, match="model: must be a name, a folder, or a predictor"):
        predict(X, 42)
    with pytest.raises(InputError, match="limit: must not be given with any model but lin"):
        predict(X, "ptw", limit=5)
    with pytest.raises(InputError, match="depth: must not be given with lin"):
        changes(X, "lin", depth=3)
    with pytest.raises(InputError, match="limit: must not be given with ptw, which has depth"):
        changes(X, "ptw", limit=5)
    pd.testing.assert_frame_equal(predict(X, "lin", limit=5), predict(X, "lin"))  # shorter than 1,024 symbols
    pd.testing.assert_frame_equal(changes(X, "lin", limit=5), changes(X, "lin"))


def test_empty_series():
    empty = pd.Series([], dtype=int)
    assert len(predict(empty)) == 0
    assert list(predict(empty).columns) == ["t", "p1", "code_length_bits", "p_change"]
    assert len(changes(empty)) == len(changes([])) == len(predict([])) == 0


def test_a_table_of_segments():
    index = pd.Index([f"day {i}" for i in range(90)])
    table = changes(pd.Series(np.repeat([0, 1, 0], 30), index=index))
    assert table["start"].tolist() == ["day 0", "day 30", "day 60"]
    assert table["end"].tolist() == ["day 29", "day 59", "day 89"]
    assert table["length"].tolist() == [30, 30, 30]
    assert ((table["low"] < table["p1"]) & (table["p1"] < table["high"])).all()
    ones = table["p1"] * (table["length"] + 1)  # counts and 1/2 of the prior
    for name, share in (("low", 0.025), ("high", 0.975)):
        np.testing.assert_allclose(stats.beta.cdf(table[name], ones, table["length"] + 1 - ones), share)
    assert table["p_start"].between(0.8, 1).all()
    dyadic = changes(np.repeat([0, 1], 32), "ptw")
    assert dyadic["length"].tolist() == [32, 32]
    assert "p2" in changes([0, 1, 2], alphabet=3)


def test_a_trained_network_is_a_model(tmp_path):
    settings = {"steps": 2, "batch": 4, "device": "cpu"}
    MetaPredictor(Recurrent("gru", hidden=4), SourcePrior("ptw", 8), **settings).fit().save(tmp_path / "model")
    table = predict(X[:10], tmp_path / "model")
    expected = MetaPredictor.load(tmp_path / "model").predict_log_proba(X[None, :10])[0, :, 1]
    np.testing.assert_allclose(np.log(table["p1"]), expected, atol=1e-5)
    with pytest.raises(InputError, match="depth: must not be given with a trained network"):
        open_predictor(tmp_path / "model", depth=3)
    with pytest.raises(InputError, match="alphabet: must be 2"):
        open_predictor(tmp_path / "model", alphabet=3)
