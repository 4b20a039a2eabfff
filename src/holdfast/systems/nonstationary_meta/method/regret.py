"""Expected regret: how many nats a predictor loses because it does not know the source.

With theta_t the true probability of a 1 at position t, and p the predictor's,

    regret_t = -(1 - theta_t) log p_t(0) - theta_t log p_t(1) - H(theta_t)  =  KL(theta_t || p_t),

the expectation over the symbol, given the past. It has far less variance than the loss on the symbol that was drawn
(arXiv 2302.03067, section 5). All positions are scored here, the first one too, which the reference leaves out because
its networks do not predict it; `expected_regret(...)[:, 1:]` is the reference's.

`holdfast.systems.nonstationary_meta.tool.regret` has the same for arrays that are yet to be checked.
"""

from __future__ import annotations

from typing import Any

from holdfast.validation import is_tensor


def regret(log_probs: Any, theta: Any) -> Any:
    """KL(theta_t || p_t), `(B, T)`, from log-probabilities `(B, T, 2)` and probabilities of a 1 `(B, T)`.

    Example:
        >>> import numpy as np
        >>> regret(np.log(np.full((1, 2, 2), 0.5)), np.array([[0.5, 1.0]])).round(4).tolist()
        [[0.0, 0.6931]]
    """
    zero, one = 1 - theta, theta
    loss = -times_log(zero, log_probs[..., 0]) - times_log(one, log_probs[..., 1])
    return loss - entropy(zero) - entropy(one)


def times_log(p: Any, log_q: Any) -> Any:
    """p log q, and 0 where p is 0, whatever q is."""
    if is_tensor(p):
        import torch

        return torch.where(p > 0, p * log_q, torch.zeros_like(p))
    import numpy as np

    return p * np.where(p > 0, log_q, 0.0)


def entropy(p: Any) -> Any:
    """-p log p, 0 at p = 0."""
    if is_tensor(p):
        import torch

        return torch.special.entr(p)
    from scipy.special import entr

    return entr(p)


__all__ = ["entropy", "regret", "times_log"]
