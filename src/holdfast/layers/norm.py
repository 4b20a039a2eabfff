"""Batch normalisation: finding it, running it without touching its statistics, and the biased variant."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


def batch_norms(model: nn.Module) -> list[_BatchNorm]:
    """All batch-norm layers of a model: BatchNorm1d/2d/3d, SyncBatchNorm and their subclasses, in definition order."""
    return [module for module in model.modules() if isinstance(module, _BatchNorm)]


@contextmanager
def frozen_bn_stats(model: nn.Module) -> Iterator[nn.Module]:
    """Run batch norm in training mode, on the statistics of the batch, without recording them.

    Inside the context a layer in training mode normalises with its batch's statistics and gradients flow through them
    as usual, but `running_mean`, `running_var` and `num_batches_tracked` stay bit-identical. That differs from
    `model.eval()` (which normalises with the running statistics) and from `momentum = 0` (which still counts
    batches). Nothing is copied and nothing waits for the device. Layers in evaluation mode are not affected. The
    previous state returns on exit, also after an exception.

    Example:
        >>> import torch
        >>> from holdfast.layers.norm import frozen_bn_stats
        >>> bn = torch.nn.BatchNorm1d(3)
        >>> with frozen_bn_stats(bn):
        ...     _ = bn(torch.randn(8, 3))
        >>> int(bn.num_batches_tracked), bn.running_mean.tolist()
        (0, [0.0, 0.0, 0.0])
    """
    before = [(layer, layer.track_running_stats) for layer in batch_norms(model)]
    try:
        for layer, _ in before:
            # A layer that tracks nothing but is in training mode uses batch statistics and hands no buffer to the
            # kernel; in evaluation mode it still finds its buffers, because they are not None.
            layer.track_running_stats = False
        yield model
    finally:
        for layer, tracked in before:
            layer.track_running_stats = tracked


class BiasedBatchNorm2d(nn.BatchNorm2d):
    """Batch norm over `(N, C, H, W)` whose running variance is the biased one (divided by n, not n - 1).

    JAX and TensorFlow libraries record the biased variance, PyTorch the unbiased one (ratio n / (n - 1), n = N H W):
    take this layer to reproduce results of the former exactly. Outputs in training mode are the same for both. Under
    `SyncBatchNorm.convert_sync_batchnorm` the layer becomes an ordinary (unbiased) synchronised one.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Normalise `(N, C, H, W)`; the statistics are updated in training mode."""
        if not (self.training and self.track_running_stats) or self.running_var is None:
            return super().forward(x)
        self._check_input_dim(x)
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        if self.momentum is None:  # cumulative average; torch itself waits for the device here, too
            momentum = 1.0 / float(self.num_batches_tracked)
        else:
            momentum = self.momentum
        n = x.numel() // x.shape[1]
        # The kernel works on a copy, because autograd keeps the buffer that it is given and forbids changing it later.
        unbiased = self.running_var.clone()
        y = F.batch_norm(x, self.running_mean, unbiased, self.weight, self.bias, True, momentum, self.eps)
        with torch.no_grad():
            # unbiased = (1-m) old + m v n/(n-1). Times (n-1)/n, plus what that took from the old part: (1-m) old + m v.
            self.running_var.mul_((1 - momentum) / n).add_(unbiased, alpha=(n - 1) / n)
        return y
