"""Rates against the closed forms of the card."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.errors import InputError
from holdfast.metrics.scaling import PowerLaw
from holdfast.systems.augmentation_worth.method.rates import (
    ScalingCurve,
    by_size,
    exchange_rate,
    log2_rate,
    predicted,
    pure_power_law,
)

N = np.array([100, 200, 400, 800, 1600, 3200])


def law(n):
    return 9.0 * np.asarray(n, float) ** -0.9 + 0.05


@pytest.mark.parametrize("form", ["power_offset", "monotone"])
def test_the_reference_against_itself_is_one(form):
    found = exchange_rate(ScalingCurve.fit(N, law(N), form, n_boot=5), N, law(N))
    np.testing.assert_allclose(found["rate"], 1, rtol=1e-6)
    np.testing.assert_allclose(found["extra"], 0, atol=1e-2)
    np.testing.assert_allclose(found[["lo", "hi"]], 1, rtol=1e-6)


@given(factor=st.floats(0.3, 3.0))
@settings(max_examples=10, deadline=None)
def test_an_arm_that_acts_as_k_times_the_data_has_rate_k(factor):
    places = np.array([400, 800])
    curve = ScalingCurve.fit(N, law(N), n_boot=2)
    found = exchange_rate(curve, places, law(factor * places))
    np.testing.assert_allclose(found["rate"], factor, rtol=1e-5)
    np.testing.assert_allclose(found["n_eff"], factor * places, rtol=1e-5)
    # Between two sizes the falling curve is a chord of the law: within the grid's spacing.
    read = log2_rate(N, law(N), places, law(factor * places))
    assert np.abs(read - np.log2(factor)).max() < 0.15


def test_a_noise_free_law_is_recovered():
    curve = ScalingCurve.fit(N, law(N), n_boot=3)
    for name, value in (("a", 9.0), ("c", 0.9), ("b", 0.05)):
        assert curve.params[name] == pytest.approx(value, rel=1e-6)
        assert curve.ci()[name] == pytest.approx((value, value), rel=1e-6)
    assert curve.curve.residual == pytest.approx(0, abs=1e-7)
    np.testing.assert_allclose(curve.predict([150, 5000]), law([150, 5000]), rtol=1e-6)


@pytest.mark.parametrize("form", ["power_offset", "power", "monotone"])
def test_rates_do_not_change_with_the_unit_of_n(form):
    rng = np.random.default_rng(0)
    error, aug = law(N) * rng.uniform(0.9, 1.1, 6), law(2 * N[:3])
    rates = [
        exchange_rate(ScalingCurve.fit(unit * N, error, form, n_boot=4), unit * N[:3], aug)["rate"] for unit in (1, 7)
    ]
    np.testing.assert_allclose(rates[0], rates[1], rtol=1e-5)


def test_readings_outside_of_the_curve():
    error = [1.5 * law(100), 0.05 + 1e-4, 0.049]
    curve, falling = ScalingCurve.fit(N, law(N), n_boot=3), ScalingCurve.fit(N, law(N), "monotone", n_boot=3)
    by_law = exchange_rate(curve, [100, 200, 400], error)
    assert by_law["extrapolated"].tolist() == [-1, 1, 1]
    assert np.isinf(by_law["rate"].iloc[2])
    cut = exchange_rate(falling, [100, 200, 400], error)
    assert cut["rate"].tolist() == pytest.approx([1, 16, 8])
    assert cut["extrapolated"].tolist() == [-1, 1, 1]
    hidden = exchange_rate(curve, [100, 200, 400], error, extrapolate="nan")
    assert hidden[["rate", "lo", "hi"]].isna().all(axis=None)
    allowed = exchange_rate(curve, [100, 200, 400], error, extrapolate="allow")
    assert allowed["extrapolated"].eq(0).all()
    assert allowed["rate"].tolist() == by_law["rate"].tolist()


def test_a_line_through_logs_against_polyfit():
    rng = np.random.default_rng(1)
    errors = law(N) * rng.uniform(0.8, 1.2, (3, 6))
    found = pure_power_law(N.astype(float), errors)
    for k in range(3):
        slope, level = np.polyfit(np.log(N), np.log(errors[k]), 1)
        assert float(found.c[k]) == pytest.approx(-slope)
        assert float(found.a[k]) == pytest.approx(np.exp(level))
        left = np.log(errors[k]) - (level + slope * np.log(N))
        assert float(found.residual[k]) == pytest.approx(np.sqrt((left**2).mean()))
    rising = pure_power_law(N.astype(float), errors[0][::-1])
    assert float(rising.c) == 0


def test_bands_come_from_the_runs_and_runs_of_a_size_are_averaged():
    rng = np.random.default_rng(0)
    n = np.repeat(N, 5)
    error = law(n) * rng.uniform(0.9, 1.1, 30)
    curve = ScalingCurve.fit(n, error, n_boot=200)
    np.testing.assert_allclose(curve.errors, error.reshape(6, 5).mean(1))
    assert ScalingCurve.fit(n, error, n_boot=200, seed=0).ci() == curve.ci()
    found = exchange_rate(curve, [200] * 4, law(500) * np.array([0.97, 0.99, 1.01, 1.03]))
    assert found["lo"].iloc[0] < found["rate"].iloc[0] < found["hi"].iloc[0]
    assert found["n_eff"].iloc[0] == pytest.approx(200 * found["rate"].iloc[0])
    low, high = curve.ci(0.5)["b"]
    wide = curve.ci(0.95)["b"]
    assert wide[0] <= low < high <= wide[1]


def test_a_censored_draw_sets_no_limit():
    n = np.repeat(N, 3)
    error = law(n) * np.tile([0.9, 1.0, 1.1], 6)
    curve = ScalingCurve.fit(n, error, "monotone", n_boot=200)
    found = exchange_rate(curve, [100, 200, 3200, 6400], [1.5 * law(100), law(400), law(3200), 0.01])
    assert found["extrapolated"].tolist() == [-1, 0, 0, 1]
    assert found["lo"].tolist()[0] == 0  # above all of the reference's: at most 1
    assert found["hi"].tolist()[0] == 1
    assert 1 < found["lo"].iloc[1] < 2 < found["hi"].iloc[1] < 4
    assert 0.1 < found["lo"].iloc[2] < 1
    assert found["lo"].tolist()[3] == 0.5  # below all of them: at least 3200 / 6400
    assert np.isinf(found["hi"].iloc[2:]).all()


def test_both_readings_agree_where_both_read_without_noise():
    """Between two sizes the falling curve is a chord of the law, in log n: they part by less than the grid's step."""
    fine = np.geomspace(100, 3200, 41)
    error = law(np.geomspace(120, 3000, 9))
    apart = []
    for sizes in (N, fine):
        curves = [ScalingCurve.fit(sizes, law(sizes), form, n_boot=1) for form in ("power_offset", "monotone")]
        by_law, falling = (curve.invert(error).size for curve in curves)
        apart.append(np.abs(np.log(by_law / falling)).max())
        assert apart[-1] < np.log(sizes[1] / sizes[0]) / 4
    assert apart[1] < 0.01 < apart[0]


def test_a_falling_curve_is_level_outside_and_linear_in_log_n():
    curve = ScalingCurve.fit([100, 400, 1600, 6400], [0.4, 0.2, 0.3, 0.1], "monotone", n_boot=2)
    assert curve.rises
    assert not curve.params
    assert not curve.ci()
    np.testing.assert_allclose(curve.predict([50, 200, 800, 10_000]), [0.4, 0.325, 0.25, 0.1])
    assert predicted(curve.draws, [200, 800]).shape == (2, 2)
    assert not ScalingCurve.fit(N, law(N), "monotone", n_boot=2).rises
    assert not ScalingCurve.fit([100, 400, 1600, 6400], [0.4, 0.2, 0.2, 0.1], "monotone", n_boot=2).rises


def test_the_ends_of_the_curve_are_inside_whatever_the_last_digit():
    exact = PowerLaw(*(np.array(value) for value in (9.0, 0.9, 0.05, 0.0)))
    curve = ScalingCurve(N, law(N), "power_offset", exact, exact)
    assert curve.invert(law(N * (1 + 1e-11))).censored.tolist() == [0] * 6
    assert curve.invert(law(N * (1 - 1e-11))).censored.tolist() == [0] * 6
    assert curve.invert(law([99, 3201])).censored.tolist() == [-1, 1]


@pytest.mark.parametrize(
    ("n", "error", "said"),
    [
        ([1, 10, 100], [0.3, 0.2, 0.1], "at least 4 sizes"),
        ([100, 200, 400, 800], [0.4, 0.3, 0.2, 0.1], "factor of 10"),
        ([1, 10, 100, 1000], [0.3, 0.2, 0.1, 0.0], "above 0 and at most 1"),
        ([1, 10, 100, 1000], [30, 20, 10, 5], "above 0 and at most 1"),
        ([0, 10, 100, 1000], [0.3, 0.2, 0.1, 0.1], "n"),
        ([1, 10], [0.1], "as many rows"),
        ([], [], "must not be empty"),
        ([1, 10, 100, np.nan], [0.3, 0.2, 0.1, 0.1], "n"),
    ],
)
def test_bad_runs_are_refused(n, error, said):
    with pytest.raises(InputError, match=said):
        ScalingCurve.fit(n, error, n_boot=2)


def test_sizes_are_sorted_and_one_is_allowed():
    sizes, runs = by_size([200, 100, 200], [0.1, 1.0, 0.3])
    assert sizes.tolist() == [100, 200]
    assert [run.tolist() for run in runs] == [[1.0], [0.1, 0.3]]
    with pytest.raises(InputError, match="extrapolate"):
        exchange_rate(ScalingCurve.fit(N, law(N), n_boot=2), [100], [0.1], extrapolate="no")
