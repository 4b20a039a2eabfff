"""Soft bootstrapping: the target is a mixture of the given label and of what the model itself believes.

Reed et al., "Training Deep Neural Networks on Noisy Labels with Bootstrapping", ICLR 2015 workshop, arXiv 1412.6596.
With q the softmax of the logits and t the one-hot label, the loss is -sum_k [beta t_k + (1 - beta) q_k] log q_k, which
is beta cross-entropy(t, q) + (1 - beta) entropy(q). (Ju et al., arXiv 2208.03295, print it without the minus sign.)
"""

from __future__ import annotations

from typing import Any, Literal, Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from holdfast.validation import check_array, check_choice, check_fraction, check_labels, check_positive

Reduction = Literal["mean", "sum", "none"]


def soft_bootstrap_loss(
    logits: Tensor, target: Tensor, beta: float = 0.95, detach: bool = False, reduction: Reduction = "mean"
) -> Tensor:
    """Cross-entropy with targets beta t + (1 - beta) q.

    Args:
        logits: (N, K).
        target: (N,) int64, given labels.
        beta: weight of the given label, in [0, 1]; 1 = cross-entropy, 0 = entropy of q.
        detach: whether q in the target is a constant. False = as Reed et al.: the gradient flows through it as well.
        reduction: "mean" or "sum" over cases, or "none".

    Returns:
        () or (N,), of the logits' type and device.

    Raises:
        InputError: beta outside [0, 1], labels outside [0, K), another reduction.

    Example:
        >>> logits = torch.tensor([[2.0, 0.0]])
        >>> loss = soft_bootstrap_loss(logits, torch.tensor([1]), beta=1.0)
        >>> bool(loss == F.cross_entropy(logits, torch.tensor([1])))
        True
    """
    check_array(logits, "N K", name="logits", dtype="floating")
    check_labels(target, logits.shape[1], "target")
    check_fraction(beta, "beta")
    check_choice(reduction, ("mean", "sum", "none"), "reduction")
    log_q = F.log_softmax(logits, 1)
    q = log_q.exp()
    believed = q.detach() if detach else q
    loss = beta * F.nll_loss(log_q, target, reduction="none") - (1 - beta) * (believed * log_q).sum(1)
    return loss if reduction == "none" else loss.mean() if reduction == "mean" else loss.sum()


class SoftBootstrapLogistic:
    """Logistic regression whose loss is `soft_bootstrap_loss`: |w|^2 / 2 + C sum_i a_i loss_i, by L-BFGS.

    Weights a_i make both classes count the same and have mean 1, as scikit-learn's class_weight="balanced". The
    entropy makes the loss non-convex where beta < 1: descent starts at the cross-entropy's solution.

    Args:
        C: inverse strength of the penalty on the weights w, not on the offset.
        beta, detach: of the loss.

    Attributes:
        coef_: (F + 1,) weights and, last, the offset.

    Example:
        >>> model = SoftBootstrapLogistic(beta=0.8).fit(np.array([[-1.0], [1.0]]), np.array([0, 1]))
        >>> model.predict_proba(np.array([[0.0]])).round(3).tolist()
        [[0.5, 0.5]]
    """

    def __init__(self, C: float = 1.0, beta: float = 0.95, detach: bool = False) -> None:
        self.C, self.beta, self.detach = C, beta, detach

    def fit(self, X: Any, y: Any) -> Self:
        """Fit to X (N, F) and labels y (N,), 0 or 1, both of which occur."""
        check_positive(self.C, "C")
        rows = torch.as_tensor(np.asarray(check_array(X, "N F", name="X", dtype="float64")))
        labels = torch.as_tensor(np.asarray(check_labels(y, 2)))
        weights = (len(labels) / (2 * torch.bincount(labels, minlength=2).double()))[labels]
        start = np.zeros(rows.shape[1] + 1)
        self.coef_ = self._descend(self._descend(start, rows, labels, weights, 1.0), rows, labels, weights, self.beta)
        return self

    def _descend(self, start: np.ndarray, rows: Tensor, labels: Tensor, weights: Tensor, beta: float) -> np.ndarray:
        from scipy.optimize import minimize

        def value_and_slope(coefficients: np.ndarray) -> tuple[float, np.ndarray]:
            w = torch.tensor(coefficients, requires_grad=True)
            z = rows @ w[:-1] + w[-1]
            losses = soft_bootstrap_loss(torch.stack([-z, z], 1) / 2, labels, beta, self.detach, "none")
            total = w[:-1].square().sum() / 2 + self.C * (weights * losses).sum()
            (slope,) = torch.autograd.grad(total, w)
            return float(total.detach()), slope.numpy()

        found: np.ndarray = minimize(value_and_slope, start, jac=True, method="L-BFGS-B", options={"maxiter": 200}).x
        return found

    def predict_proba(self, X: Any) -> np.ndarray:
        """(N, 2) probabilities of rows X (N, F)."""
        rows = np.asarray(check_array(X, "N F", name="X", dtype="float64"))
        p = 1 / (1 + np.exp(-np.clip(rows @ self.coef_[:-1] + self.coef_[-1], -500, 500)))
        return np.stack([1 - p, p], 1)


__all__ = ["SoftBootstrapLogistic", "soft_bootstrap_loss"]
