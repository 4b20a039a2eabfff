"""Learning a strong view from confident predictions on a weak view.

Sohn et al., "FixMatch", NeurIPS 2020, arXiv 2001.07685, equation 4.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


def probabilities(logits: Tensor) -> Tensor:
    """Softmax over classes without gradient, `(N, K)`, in at least single precision."""
    return at_least_single(logits.detach()).softmax(1)


def at_least_single(x: Tensor) -> Tensor:
    """x in float32 if it was in half precision, as it is otherwise: exponentials and logarithms need the digits."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


@dataclass(frozen=True)
class HardTarget:
    """Cross-entropy with the most likely class of `q`."""

    def __call__(self, logits: Tensor, q: Tensor) -> Tensor:
        """Logits `(N, K)` and predictions `(N, K)` to losses `(N,)`."""
        return F.cross_entropy(logits, q.argmax(1), reduction="none")


@dataclass(frozen=True)
class SoftTarget:
    """Cross-entropy with the whole distribution `q`."""

    def __call__(self, logits: Tensor, q: Tensor) -> Tensor:
        """Logits `(N, K)` and predictions `(N, K)` to losses `(N,)`."""
        return F.cross_entropy(logits, q, reduction="none")


HARD = HardTarget()


def pseudo_label_loss(
    logits: Tensor, q: Tensor, threshold: Tensor | float, target: Callable[[Tensor, Tensor], Tensor] = HARD
) -> tuple[Tensor, Tensor]:
    """Mean over ALL rows of `[max_k q_ik >= threshold] * target(logits_i, q_i)`.

    Dividing by all rows instead of the confident ones makes the loss small while few are confident.

    Args:
        logits: of the strong view, `(N, K)`.
        q: predictions on the weak view, `(N, K)`; no gradient flows into them.
        threshold: smallest confidence that counts.
        target: what is learnt from a row of q.

    Returns:
        The loss (scalar) and the mask `(N,)`, boolean.

    Example:
        >>> import torch
        >>> from holdfast.losses.pseudo_labels import pseudo_label_loss
        >>> q = torch.tensor([[0.95, 0.05], [0.6, 0.4]])
        >>> loss, mask = pseudo_label_loss(torch.zeros(2, 2), q, 0.9)
        >>> round(float(loss), 4), mask.tolist()  # log(2) / 2
        (0.3466, [True, False])
    """
    q = q.detach()
    mask = q.amax(1) >= threshold
    return (target(at_least_single(logits), q) * mask).mean(), mask
