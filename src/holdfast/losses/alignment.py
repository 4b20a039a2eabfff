"""Distribution alignment: pulling the class marginal of pseudo-labels towards a reference marginal.

Berthelot et al., "ReMixMatch", ICLR 2020, arXiv 1911.09785 (section 3.1; reference marginal = labels), and Berthelot et
al., "AdaMatch", ICLR 2022, arXiv 2106.04732 (reference marginal = the classifier's own predictions on the source).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from holdfast.errors import InputError
from holdfast.training.distributed import all_mean

Mode = Literal["source_pred", "labels", "prior"]


def align(q: Tensor, p_src: Tensor, p_tgt: Tensor, eps: float = 1e-6) -> Tensor:
    """Rescale predictions class by class and normalise: `q~_k ~ q_k (eps + p_src_k) / (eps + p_tgt_k)`.

    Args:
        q: predictions `(N, K)`, rows sum to 1.
        p_src: marginal the predictions should have, `(K,)`.
        p_tgt: marginal they have, `(K,)`.
        eps: keeps classes that never occur finite.

    Returns:
        `(N, K)`, rows sum to 1.

    Example:
        >>> import torch
        >>> from holdfast.losses.alignment import align
        >>> align(torch.tensor([[0.5, 0.5]]), torch.tensor([0.8, 0.2]), torch.tensor([0.5, 0.5])).round(decimals=3)
        tensor([[0.8000, 0.2000]])
    """
    scaled = q * ((eps + p_src) / (eps + p_tgt))
    return scaled / scaled.sum(1, keepdim=True)


class DistributionAligner(nn.Module):
    """Keeps the two running marginals of `align` and applies it.

    `p_src` is an exponential average that starts at 1/K and is not debiased; `p_tgt` is the mean of the last `window`
    batch marginals, the window starting filled with 1/K. Both are buffers, saved in the state_dict. In distributed
    training `update` averages its arguments over the processes, so that all keep the same marginals.

    Args:
        num_classes: K.
        mode: where `p_src` comes from: the classifier's predictions on labelled source data ("source_pred"), their
            labels ("labels"), or fixed known class frequencies of the target ("prior").
        ema: decay of `p_src`. 0.999 needs thousands of steps to forget 1/K; use about 0.99 for hundreds.
        window: number of batches in `p_tgt`.
        eps: see `align`.
        prior: for mode "prior": K positive numbers, normalised here.

    Raises:
        InputError: unknown mode, decay outside [0, 1], empty window, or a prior that is missing, of the wrong length or
            not positive.
    """

    p_src: Tensor
    recent: Tensor
    cursor: Tensor

    def __init__(
        self,
        num_classes: int,
        mode: Mode = "source_pred",
        ema: float = 0.999,
        window: int = 128,
        eps: float = 1e-6,
        prior: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        if num_classes < 2:
            raise InputError("num_classes", "must be at least 2", num_classes)
        if mode not in get_args(Mode):
            raise InputError("mode", f"must be one of {', '.join(get_args(Mode))}", mode)
        if not 0 <= ema <= 1:
            raise InputError("ema", "must lie in [0, 1]", ema)
        if window < 1:
            raise InputError("window", "must be at least 1", window)
        if (mode == "prior") != (prior is not None):
            raise InputError("prior", 'must be given with mode "prior" and only then', prior)
        self.num_classes, self.mode, self.ema, self.window, self.eps = num_classes, mode, ema, window, eps
        self.register_buffer("p_src", torch.full((num_classes,), 1 / num_classes))
        self.register_buffer("recent", torch.full((window, num_classes), 1 / num_classes))
        self.register_buffer("cursor", torch.zeros(1, dtype=torch.int64))
        if prior is not None:
            if len(prior) != num_classes or min(prior) <= 0:
                raise InputError("prior", f"must be {num_classes} positive numbers", prior)
            self.p_src.copy_(torch.as_tensor(prior) / sum(prior))

    @property
    def p_tgt(self) -> Tensor:
        """Mean of the window, `(K,)`."""
        return self.recent.mean(0)

    def source_marginal(self, probs: Tensor, labels: Tensor) -> Tensor:
        """The batch's contribution to `p_src` under the mode, `(K,)`.

        Args:
            probs: predictions on the labelled batch, `(N, K)`.
            labels: its labels, `(N,)`.
        """
        if self.mode == "labels":
            return F.one_hot(labels, self.num_classes).to(probs.dtype).mean(0)
        return probs.mean(0)

    @torch.no_grad()
    def update(self, p_src: Tensor, p_tgt: Tensor) -> None:
        """Take in the marginals of one batch, `(K,)` each. With mode "prior" `p_src` is ignored."""
        means = all_mean(torch.stack([p_src, p_tgt]).to(self.p_src.dtype))
        if self.mode != "prior":
            self.p_src.lerp_(means[0], 1 - self.ema)
        self.recent.index_copy_(0, self.cursor, means[1:])  # a device-side index: nothing waits for it
        self.cursor.add_(1).remainder_(self.window)

    def forward(self, q: Tensor) -> Tensor:
        """Aligned predictions `(N, K)` from predictions `(N, K)`."""
        return align(q, self.p_src.to(q.dtype), self.p_tgt.to(q.dtype), self.eps)


@dataclass(frozen=True)
class Alignment:
    """Settings of a `DistributionAligner`, for declaring experiments; its arguments, without the number of classes."""

    mode: Mode = "source_pred"
    ema: float = 0.999
    window: int = 128
    eps: float = 1e-6
    prior: tuple[float, ...] | None = None

    def build(self, num_classes: int) -> DistributionAligner:
        """The aligner for K classes."""
        return DistributionAligner(num_classes, self.mode, self.ema, self.window, self.eps, self.prior)


TO_SOURCE_PREDICTIONS = Alignment("source_pred")
TO_LABELS = Alignment("labels")
