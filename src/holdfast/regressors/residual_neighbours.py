"""How wrong a fitted model is where a row lies, from the residuals of known rows nearest to it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from holdfast.layers.standardise import spread
from holdfast.validation import check_integer


class ResidualNeighbours(nn.Module):
    """The mean squared residual of the k known rows whose inputs are nearest.

    Distances are Euclidean between standardised inputs. The rows should be ones the model was not fitted to: their
    residuals are the size that others' will be.

    Args:
        rows: number of known rows.
        dim: numbers of an input.
        k: neighbours.
    """

    points: Tensor
    errors: Tensor
    mean: Tensor
    scale: Tensor

    def __init__(self, rows: int, dim: int, k: int = 10) -> None:
        super().__init__()
        self.k = min(check_integer(k, "k", low=1), rows)
        self.register_buffer("points", torch.zeros(rows, dim))
        self.register_buffer("errors", torch.zeros(rows))
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("scale", torch.ones(dim))

    @classmethod
    def of(cls, inputs: Tensor, errors: Tensor, k: int = 10) -> ResidualNeighbours:
        """From the inputs (M, D) and squared residuals (M,) of known rows.

        Example:
            >>> known = ResidualNeighbours.of(torch.tensor([[0.0], [1.0], [9.0]]), torch.tensor([1.0, 3.0, 50.0]), k=2)
            >>> known(torch.tensor([[0.4]])).tolist()
            [2.0]
        """
        made = cls(len(inputs), inputs.shape[1], k)
        made.mean.copy_(inputs.mean(0))
        made.scale.copy_(torch.from_numpy(spread(inputs.double().numpy())))
        made.points.copy_((inputs - made.mean) / made.scale)
        made.errors.copy_(errors)
        return made.eval()

    def nearest(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Distances to, and numbers of, the nearest k rows: (N, D) -> (N, k), (N, k)."""
        found = torch.cdist((inputs - self.mean) / self.scale, self.points).topk(self.k, largest=False)
        return found.values, found.indices

    def forward(self, inputs: Tensor) -> Tensor:
        """(N, D) -> (N,)"""
        return self.errors[self.nearest(inputs)[1]].mean(1)


__all__ = ["ResidualNeighbours"]
