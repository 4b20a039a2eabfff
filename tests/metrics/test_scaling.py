"""Learning curves: the fit against scipy, the falling curve against scikit-learn, readings against the law itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import least_squares
from sklearn.isotonic import IsotonicRegression

from holdfast.errors import InputError
from holdfast.metrics.scaling import MonotoneCurve, fit_power_law, resampled_means

SIZES = np.array([100, 200, 400, 800, 1600, 3200])


def law(a, c, b, n=SIZES):
    return a * n**-c + b


@pytest.mark.parametrize(("a", "c", "b"), [(9.3, 0.88, 0.054), (2.0, 0.4, 0.0), (7.8, 0.79, 0.179), (50, 1.5, 0.01)])
def test_a_law_without_noise_is_recovered(a, c, b):
    fit = fit_power_law(SIZES, law(a, c, b))
    assert [float(fit.a), float(fit.c), float(fit.b)] == pytest.approx([a, c, b], rel=1e-6, abs=1e-6)
    assert float(fit.residual) < 1e-8
    assert np.allclose(fit(SIZES), law(a, c, b), rtol=1e-8)
    assert np.allclose(fit.inverse(law(a, c, b)), SIZES, rtol=1e-5)


def test_no_start_of_scipy_finds_a_better_fit():
    rng = np.random.default_rng(0)
    errors = law(9, 0.8, 0.05) * np.exp(0.1 * rng.standard_normal((20, len(SIZES))))
    ours = fit_power_law(SIZES, errors)

    def residuals(p, e):
        return np.log(np.exp(p[0]) * (SIZES / 500) ** -p[1] + p[2]) - np.log(e)

    for e, found in zip(errors, ours.residual, strict=True):
        bounds = ([-20, 0, 0], [20, 10, e.min()])
        starts = [(np.log(0.1), c, share * e.min()) for c in (0.2, 0.8, 2) for share in (0.01, 0.5, 0.99)]
        best = min(least_squares(residuals, s, args=(e,), bounds=bounds, xtol=1e-12).cost for s in starts)
        assert found <= np.sqrt(2 * best / len(SIZES)) + 1e-7


def test_many_curves_are_the_single_fits():
    errors = law(9, 0.8, 0.05) * np.exp(0.1 * np.random.default_rng(1).standard_normal((2, 3, len(SIZES))))
    fits = fit_power_law(SIZES, errors)
    assert fits.a.shape == (2, 3)
    for i in np.ndindex(2, 3):
        single = fit_power_law(SIZES, errors[i])
        assert np.allclose([fits.a[i], fits.c[i], fits.b[i]], [single.a, single.c, single.b], rtol=1e-9)


def test_units_of_size_do_not_matter():
    errors = law(9, 0.8, 0.05) * np.array([1.1, 0.95, 1.05, 0.9, 1, 1.02])
    n, thousands = fit_power_law(SIZES, errors), fit_power_law(SIZES / 1000, errors)
    assert float(n.inverse([0.1])[0]) == pytest.approx(1000 * float(thousands.inverse([0.1])[0]), rel=1e-6)


def test_no_size_reaches_an_error_below_the_offset():
    fit = fit_power_law(SIZES, law(9, 0.8, 0.05))
    assert np.isinf(fit.inverse([0.04, float(fit.b)])).all()
    level = fit_power_law(SIZES, np.full(len(SIZES), 0.2))
    assert np.isinf(level.inverse([0.1])[0])


@given(st.lists(st.floats(0.01, 1), min_size=2, max_size=9))
@settings(max_examples=60, deadline=None)
def test_the_falling_curve_is_that_of_scikit_learn(errors):
    n = np.arange(1, len(errors) + 1)
    wanted = IsotonicRegression(increasing=False).fit_transform(np.log(n), errors)
    assert np.allclose(MonotoneCurve(n, errors).falling, wanted, atol=1e-12)


def test_readings_between_sizes_are_linear_in_log_n():
    errors = law(9, 0.8, 0.05)
    curve = MonotoneCurve(SIZES, np.stack([errors, errors]))
    wanted = np.array([0.2, 0.11, 0.08])
    read = curve.inverse(np.stack([wanted, wanted]))
    by_numpy = np.exp(np.interp(-wanted, -errors, np.log(SIZES)))
    assert np.allclose(read.size, by_numpy)
    assert (read.censored == 0).all()


def test_both_readings_agree_within_the_grid():
    errors = law(9, 0.8, 0.05)
    wanted = law(9, 0.8, 0.05, np.geomspace(120, 3000, 30))
    ratio = MonotoneCurve(SIZES, errors).inverse(wanted).size / fit_power_law(SIZES, errors).inverse(wanted)
    assert (np.abs(np.log2(ratio)) < 0.5).all()  # the sizes are a factor of 2 apart


def test_a_curve_read_with_itself_gives_its_sizes_and_nothing_is_read_outside():
    errors = np.array([0.3, 0.2, 0.2, 0.1, 0.05, 0.04])
    read = MonotoneCurve(SIZES, errors).inverse(errors)
    assert read.size.tolist() == pytest.approx([100, 200, 200, 800, 1600, 3200])
    assert read.censored.tolist() == [0, 0, 0, 0, 0, 0]
    outside = MonotoneCurve(SIZES, errors).inverse([0.31, 0.039])
    assert outside.size.tolist() == [100, 3200]
    assert outside.censored.tolist() == [-1, 1]
    level_end = MonotoneCurve(SIZES, [0.3, 0.2, 0.1, 0.05, 0.05, 0.05]).inverse([0.05, 0.01])
    assert level_end.size.tolist() == pytest.approx([800, 3200])
    assert level_end.censored.tolist() == [0, 1]


def test_resampled_means_are_means_of_drawn_runs():
    runs = [[1.0, 2.0, 4.0], [10.0]]
    means = resampled_means(runs, 4000, np.random.default_rng(0))
    possible = {round(float(np.mean(c)), 9) for c in np.stack(np.meshgrid(*[runs[0]] * 3), -1).reshape(-1, 3)}
    assert {round(float(m), 9) for m in means[:, 0]} == possible
    assert (means[:, 1] == 10).all()
    assert means[:, 0].mean() == pytest.approx(7 / 3, abs=0.05)


@pytest.mark.parametrize(
    ("sizes", "errors", "message"),
    [
        ([1, 2, 3], [0.3, 0.2, 0.1], "at least 4"),
        ([1, 2, 2, 3], [0.3, 0.2, 0.1, 0.1], "ascend"),
        ([0, 1, 2, 3], [0.3, 0.2, 0.1, 0.1], "above 0"),
        ([1, 2, 3, 4], [0.3, 0.2, 0.1], "one value for each"),
        ([1, 2, 3, 4], [0.3, 0.2, 0.0, 0.1], "above 0"),
        ([1, 2, 3, 4], [0.3, 0.2, float("nan"), 0.1], "finite"),
    ],
)
def test_curves_that_cannot_be_fitted_are_refused(sizes, errors, message):
    with pytest.raises(InputError, match=message):
        fit_power_law(sizes, errors)


def test_a_size_without_runs_is_refused():
    with pytest.raises(InputError, match="at least one run"):
        resampled_means([[1.0], []], 10, np.random.default_rng(0))
