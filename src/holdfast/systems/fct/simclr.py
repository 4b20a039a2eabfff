"""SimCLR (Chen, Kornblith, Norouzi, Hinton, ICML 2020, arXiv 2002.05709): what side-information is made with."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer

from holdfast.data.augment import Transform
from holdfast.errors import InputError
from holdfast.training.learner import Learner
from holdfast.validation import check_array, check_positive


def nt_xent(first: Tensor, second: Tensor, temperature: float = 0.2) -> Tensor:
    """The normalised, temperature-scaled cross-entropy of two views (section 2.1, equation 1 of the SimCLR paper).

    With z the 2B rows scaled to length 1 and j(i) the other view of row i, the mean over i of
    -log [exp(z_i z_j(i) / T) / sum over k != i of exp(z_i z_k / T)].

    Args:
        first, second: (B, D), row i of both from one image; B at least 2.
        temperature: T > 0.

    Raises:
        InputError: different shapes, one row.

    Example:
        >>> z = torch.eye(4)
        >>> float(nt_xent(z, z, 0.05)) < float(nt_xent(z, z.flip(0), 0.05))
        True
    """
    check_array(first, "B D", name="first", finite=False)
    if second.shape != first.shape or len(first) < 2:
        raise InputError("second", f"must have shape {tuple(first.shape)}, 2 rows or more", tuple(second.shape))
    check_positive(temperature, "temperature")
    z = F.normalize(torch.cat([first, second]).float(), dim=1)
    similar = z @ z.T / temperature
    similar = similar.masked_fill(torch.eye(len(z), dtype=torch.bool, device=z.device), -torch.inf)
    return F.cross_entropy(similar, torch.arange(len(z), device=z.device).roll(len(first)))


@dataclass(frozen=True)
class Noise:
    """Adds normal noise of a standard deviation to every pixel; the result may leave [0, 1]."""

    deviation: float = 0.1

    def __call__(self, images: Tensor, generator: torch.Generator | None = None) -> Tensor:
        draw = torch.randn(images.shape, generator=generator, device=images.device, dtype=images.dtype)
        return images + self.deviation * draw


class SimCLR(Learner):
    """An encoder under `nt_xent` of two augmentations of each image, behind a projector that is thrown away.

    Args:
        encoder: images to (N, D); has `dim`.
        augment: draws one view.
        projector: lengths of the projector's hidden layer and output.
        temperature, lr: T and the rate of Adam.
    """

    def __init__(
        self,
        encoder: nn.Module,
        augment: Transform,
        projector: tuple[int, int] = (64, 32),
        temperature: float = 0.2,
        lr: float = 2e-3,
    ) -> None:
        super().__init__()
        self.encoder, self.augment = encoder, augment
        hidden, out = projector
        self.projector = nn.Sequential(nn.Linear(int(encoder.dim), hidden), nn.ReLU(), nn.Linear(hidden, out))  # type: ignore[arg-type]
        self.temperature, self.lr = temperature, lr

    def loss(self, batch: dict[str, Tensor], rng: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        x = batch["x"]
        views = torch.cat([self.augment(x, rng), self.augment(x, rng)])
        first, second = self.projector(self.encoder(views)).chunk(2)
        return nt_xent(first, second, self.temperature), {}

    def optimizers(self) -> list[Optimizer]:
        return [torch.optim.Adam(self.parameters(), lr=self.lr)]


__all__ = ["Noise", "SimCLR", "nt_xent"]
