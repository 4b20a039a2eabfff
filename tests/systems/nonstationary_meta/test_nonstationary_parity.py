"""The exact predictors against values recorded from the reference implementation, on six sequences of 64 bits."""

from pathlib import Path

import numpy as np
import pytest

from holdfast.systems.nonstationary_meta import (
    KT,
    LIN,
    PTW,
    kt_log_marginal,
    kt_log_probs,
    lin_log_probs,
    ptw_log_probs,
)

RECORDED = np.load(Path(__file__).parents[2] / "vectors" / "nonstationary_meta.npz")
BITS = RECORDED["bits"].astype(np.int64)
LIN_TOLERANCE = 1e-4  # the reference's are float32


def test_ptw_predictions_and_marginals():
    log_probs = ptw_log_probs(BITS, 6, return_predictive=True)
    np.testing.assert_allclose(log_probs, RECORDED["ptw_logp"], rtol=0, atol=1e-10)
    marginals = ptw_log_probs(BITS, 6).cumsum(1)
    np.testing.assert_allclose(marginals, RECORDED["ptw_logmarg"], rtol=0, atol=1e-10)


def test_lin_predictions_and_marginals():
    log_probs = lin_log_probs(BITS, prune=None, return_predictive=True)
    np.testing.assert_allclose(log_probs, RECORDED["lin_logp"], rtol=0, atol=LIN_TOLERANCE)
    marginals = lin_log_probs(BITS, prune=None).cumsum(1)
    np.testing.assert_allclose(marginals, RECORDED["lin_logmarg"], rtol=0, atol=LIN_TOLERANCE)


def test_kt_marginals():
    np.testing.assert_allclose(kt_log_probs(BITS).cumsum(1), RECORDED["kt_logmarg"], rtol=0, atol=1e-12)
    ones = BITS.cumsum(1)
    closed = kt_log_marginal(np.stack([np.arange(1, 65) - ones, ones], axis=-1))
    np.testing.assert_allclose(closed, RECORDED["kt_logmarg"], rtol=0, atol=1e-12)


@pytest.mark.parametrize("row", range(6))
def test_streams(row):
    for stream, name, tolerance in ((PTW(6), "ptw", 1e-10), (LIN(), "lin", LIN_TOLERANCE)):
        for t, bit in enumerate(BITS[row].tolist()):
            np.testing.assert_allclose(stream.log_prob(), RECORDED[f"{name}_logp"][row, t], rtol=0, atol=tolerance)
            stream.update(bit)
            assert stream.log_marginal == pytest.approx(RECORDED[f"{name}_logmarg"][row, t], abs=tolerance)
    kt = KT()
    kt.extend(BITS[row])
    assert kt.log_marginal == pytest.approx(RECORDED["kt_logmarg"][row, -1], abs=1e-12)


def test_code_lengths_in_bits():
    """As published with the recording, to three decimals."""
    lengths = {
        "ptw": [4.773, 68.245, 9.497, 19.869, 49.389, 67.002],
        "lin": [6.936, 69.396, 16.936, 15.965, 50.998, 67.793],
        "kt": [3.829, 67.331, 67.331, 60.678, 66.925, 66.608],
    }
    ours = {"ptw": ptw_log_probs(BITS), "lin": lin_log_probs(BITS), "kt": kt_log_probs(BITS)}
    for name, expected in lengths.items():
        np.testing.assert_allclose(-ours[name].sum(1) / np.log(2), expected, rtol=0, atol=6e-4)
