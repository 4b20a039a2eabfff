"""The rows of a gallery that a query may mean: those in the cap that holds its direction with a given probability."""

from __future__ import annotations

from torch import Tensor

from holdfast.distributions.von_mises_fisher import cap_threshold
from holdfast.errors import InputError
from holdfast.validation import check_array


def credible_set(mu: Tensor, kappa: Tensor, gallery: Tensor, level: float = 0.95) -> tuple[Tensor, Tensor]:
    """The rows of a gallery that lie in the cap around mu which holds the true direction with probability `level`.

    Args:
        mu: (B, p) unit vectors of queries.
        kappa: (B, 1), above 0.
        gallery: (N, p) unit vectors.

    Returns:
        mask (B, N), threshold (B, 1): gallery rows with mu.mu_r >= threshold.

    Raises:
        InputError: shapes, kappa <= 0, a level outside (0, 1).

    Example:
        >>> import torch
        >>> mu = torch.eye(3)[:1]
        >>> credible_set(mu, torch.tensor([[50.0]]), torch.eye(3))[0].tolist()
        [[True, False, False]]
    """
    check_array(mu, "B p", name="mu")
    check_array(gallery, "N p", name="gallery", sizes={"p": mu.shape[1]})
    if kappa.shape != (len(mu), 1) or not bool((kappa > 0).all()):
        raise InputError("kappa", f"must be above 0, of shape {(len(mu), 1)}", f"shape {tuple(kappa.shape)}")
    threshold = cap_threshold(kappa, mu.shape[1], level)
    return mu @ gallery.T >= threshold, threshold


__all__ = ["credible_set"]
