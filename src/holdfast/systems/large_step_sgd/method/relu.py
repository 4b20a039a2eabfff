"""Two-layer ReLU networks without biases, f(x) = sum_j a_j relu(<w_j, x>), loss (f - y)^2, SGD one row at a time."""

from __future__ import annotations

import numpy as np

from holdfast.compiled import compiled


def hidden(W: np.ndarray, X: np.ndarray) -> np.ndarray:
    """relu(X W'), (n, m), for W (m, d)."""
    return np.maximum(X @ W.T, 0.0)


def predict(W: np.ndarray, a: np.ndarray, X: np.ndarray) -> np.ndarray:
    """f, (n,)."""
    return hidden(W, X) @ a


def jacobian(W: np.ndarray, a: np.ndarray, X: np.ndarray) -> np.ndarray:
    """Of the n predictions by (W, a), W row by row: (n, m d + m)."""
    on = (X @ W.T > 0) * a
    return np.concatenate([(on[:, :, None] * X[:, None, :]).reshape(len(X), -1), hidden(W, X)], axis=1)


@compiled
def _descend(
    W: np.ndarray, a: np.ndarray, X: np.ndarray, y: np.ndarray, rows: np.ndarray, rates: np.ndarray, losses: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    for t in range(len(rows)):
        x = X[rows[t]]
        h = np.dot(W, x)
        z = np.maximum(h, 0.0)
        r = np.dot(a, z) - y[rows[t]]
        losses[t] = r * r
        if not abs(r) < 1e8:
            losses[t:] = np.nan
            return W * np.nan, a * np.nan
        step = 2.0 * rates[t] * r
        W, a = W - step * np.outer(a * (h > 0.0), x), a - step * z
    return W, a


def relu_sgd(
    X: np.ndarray, y: np.ndarray, rows: np.ndarray, rates: np.ndarray, W: np.ndarray, a: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """W, a after steps on rows (T,) at rates (T,), and the loss of each step's row before it; NaN after divergence."""
    losses = np.empty(len(rows))
    W, a = _descend(np.ascontiguousarray(W), np.array(a, dtype=np.float64), X, y, rows, rates, losses)
    return W, a, losses


__all__ = ["hidden", "jacobian", "predict", "relu_sgd"]
