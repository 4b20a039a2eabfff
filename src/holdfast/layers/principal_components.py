"""Principal components of inputs as a layer: nothing to train, nothing random."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from holdfast.validation import check_array, check_integer


class PrincipalComponents(nn.Module):
    """(x - mean) @ components of flattened inputs.

    Args:
        mean: (P,). components: (P, D), orthonormal columns.

    Example:
        >>> x = torch.randn(50, 1, 2, 3, generator=torch.Generator().manual_seed(0))
        >>> z, centred = PrincipalComponents.of(x, 6)(x), x.flatten(1) - x.flatten(1).mean(0)
        >>> bool(torch.allclose(z @ z.T, centred @ centred.T, atol=1e-4))  # with all components, a rotation
        True
    """

    def __init__(self, mean: Tensor, components: Tensor) -> None:
        super().__init__()
        self.dim = components.shape[1]
        self.register_buffer("mean", mean)
        self.register_buffer("components", components)

    @classmethod
    def of(cls, x: Tensor, dim: int) -> PrincipalComponents:
        """The `dim` directions of largest variance of x (N, ...); each with its largest entry positive.

        Raises:
            InputError: `dim` exceeds the number of rows or of values per row.
        """
        flat = check_array(x, " ".join("_" * x.ndim), name="x").flatten(1).double()
        check_integer(dim, "dim", low=1, high=min(flat.shape))
        mean = flat.mean(0)
        _, _, directions = torch.linalg.svd(flat - mean, full_matrices=False)
        chosen = directions[:dim]
        largest = chosen.gather(1, chosen.abs().argmax(1, keepdim=True))
        return cls(mean.float(), (chosen * largest.sign()).T.float().contiguous())

    def forward(self, x: Tensor) -> Tensor:
        """(N, ...) to (N, D)."""
        return (x.flatten(1) - self.mean) @ self.components  # type: ignore[operator]


__all__ = ["PrincipalComponents"]
