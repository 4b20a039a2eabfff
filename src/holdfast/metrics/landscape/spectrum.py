"""Eigenvalues of the Hessian of a loss: all of them for small networks, else by stochastic Lanczos quadrature.

Golub and Meurant, 1994 (Lanczos and quadrature); Ghorbani, Krishnan, Xiao, 2019, arXiv 1901.10159 (of networks).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.func import functional_call

from holdfast.errors import InputError
from holdfast.layers.modes import evaluating
from holdfast.validation import check_choice, check_integer

EXACT_UP_TO = 2000  # weights: a Hessian of 32 MB in float64
Product = Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class Spectrum:
    """A distribution of eigenvalues.

    Attributes:
        eigenvalues: (M,) float64, ascending within a probe.
        weights: (M,) float64 shares of the dimensions that each stands for; they sum to 1.
        dimensions: number of weights the Hessian is of.
    """

    eigenvalues: Tensor
    weights: Tensor
    dimensions: int

    def mean(self) -> float:
        """The trace divided by the number of dimensions."""
        return float((self.eigenvalues * self.weights).sum())


def hessian_product(
    model: nn.Module, loss: Callable[[Callable[..., Tensor]], Tensor], mask: Mapping[str, Tensor] | None = None
) -> tuple[Product, int]:
    """v -> H v for the Hessian H of a loss by the weights that are kept, without forming H.

    Args:
        model: network in the mode it should be measured in; `hessian_spectrum` takes evaluation mode.
        loss: (forward) -> scalar loss; `forward(x)` is the network.
        mask: {parameter name: booleans}: only weights that are True there count. Parameters it does not name count
            whole; None = all.

    Returns:
        The product on flat vectors (D,) of the parameters' type, and D.

    Raises:
        InputError: a mask of another shape or of a parameter the model lacks, or one that keeps nothing.
    """
    weights = {name: value.detach() for name, value in model.named_parameters()}
    for name, kept in (mask or {}).items():
        if name not in weights or kept.shape != weights[name].shape:
            shown = f"{name!r}: {tuple(kept.shape)}"
            raise InputError("mask", "must have names and shapes of the model's parameters", shown)
    keep = {n: torch.as_tensor((mask or {}).get(n, torch.ones_like(w)), dtype=torch.bool) for n, w in weights.items()}
    place = torch.cat([kept.reshape(-1) for kept in keep.values()]).nonzero().squeeze(1)
    if not len(place):
        raise InputError("mask", "must keep at least one weight", "none")
    sizes = [value.numel() for value in weights.values()]
    flat = torch.cat([value.reshape(-1) for value in weights.values()])

    def unflatten(vector: Tensor) -> dict[str, Tensor]:
        parts = vector.split(sizes)
        return {name: part.view_as(value) for (name, value), part in zip(weights.items(), parts, strict=True)}

    def at(vector: Tensor) -> Tensor:
        named = unflatten(vector)
        return loss(lambda *inputs: functional_call(model, named, inputs))

    def product(v: Tensor) -> Tensor:
        point = flat.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(at(point), point, create_graph=True)
        whole = torch.zeros_like(flat).index_put((place,), v.to(flat))
        if not gradient.requires_grad:  # a loss that is linear in the weights
            return torch.zeros_like(v)
        (second,) = torch.autograd.grad(gradient @ whole, point, allow_unused=True)
        return torch.zeros_like(v) if second is None else second[place].detach()

    return product, len(place)


def lanczos(product: Product, start: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    """Eigenvalues of the tridiagonal matrix of a symmetric operator, and the quadrature weights of a start vector.

    The basis is made orthogonal anew at every step (twice), so that no eigenvalue is found again as a ghost.

    Args:
        product: v (D,) -> H v (D,).
        start: (D,), not zero.
        steps: at most D; fewer are made where the space of the start vector ends.

    Returns:
        Ritz values (K,) ascending and weights (K,), the squares of the first components of their vectors; float64.
    """
    steps = min(steps, len(start))
    basis = torch.zeros(steps, len(start), dtype=torch.float64)
    diagonal, side = torch.zeros(steps, dtype=torch.float64), torch.zeros(steps, dtype=torch.float64)
    vector = start.detach().double().cpu()
    vector = vector / vector.norm()
    made = 0
    for k in range(steps):
        basis[k] = vector
        after = product(vector.to(start)).detach().double().cpu()
        diagonal[k] = vector @ after
        made = k + 1
        for _ in range(2):
            after = after - basis[:made].T @ (basis[:made] @ after)
        side[k] = after.norm()
        if side[k] <= 1e-10 * diagonal[:made].abs().max().clamp_min(1e-30):
            break
        vector = after / side[k]
    small = torch.diag(diagonal[:made])
    small += torch.diag(side[: made - 1], 1) + torch.diag(side[: made - 1], -1)
    values, vectors = torch.linalg.eigh(small)
    return values, vectors[0] ** 2


def hessian_spectrum(
    model: nn.Module,
    loss: Callable[[Callable[..., Tensor]], Tensor],
    *,
    mask: Mapping[str, Tensor] | None = None,
    method: Literal["auto", "exact", "lanczos"] = "auto",
    steps: int = 80,
    probes: int = 4,
    generator: torch.Generator | None = None,
) -> Spectrum:
    """The spectrum of the Hessian of a loss at the model's weights, in evaluation mode.

    Args:
        model, loss, mask: as in `hessian_product`.
        method: "exact" forms the Hessian column by column, "lanczos" probes it with random vectors; "auto" is exact up
            to 2,000 weights.
        steps: of Lanczos; each is one product with the Hessian (about four passes).
        probes: random start vectors (signs), each with weight 1 / probes.
        generator: of the probes, on the CPU.

    Returns:
        The eigenvalues and their shares. With "lanczos" the extreme ones are good to about 1e-3; shares, and so the
        mean, are unbiased estimates that scatter as the Rayleigh quotients of the probes do: by about
        sqrt(2 / (probes * K)) of the mean where K like eigenvalues carry the trace.

    Raises:
        InputError: as in `hessian_product`; a loss that is no scalar or not finite.
    """
    check_choice(method, ("auto", "exact", "lanczos"), "method")
    check_integer(steps, "steps", low=2)
    check_integer(probes, "probes", low=1)
    like = next(model.parameters())
    with evaluating(model):
        value = loss(lambda *inputs: model(*inputs))
        if value.ndim or not bool(torch.isfinite(value)):
            raise InputError("loss", "must be one finite number", value.detach().cpu().numpy())
        product, size = hessian_product(model, loss, mask)
        if method == "exact" or (method == "auto" and size <= EXACT_UP_TO):
            columns = torch.stack([product(row.to(like)).double().cpu() for row in torch.eye(size)])
            values = torch.linalg.eigvalsh((columns + columns.T) / 2)
            return Spectrum(values, torch.full((size,), 1 / size, dtype=torch.float64), size)
        found = []
        for _ in range(probes):
            start = torch.randint(0, 2, (size,), generator=generator).to(like) * 2 - 1
            found.append(lanczos(product, start, steps))
    return Spectrum(
        torch.cat([values for values, _ in found]), torch.cat([shares / probes for _, shares in found]), size
    )


__all__ = ["Spectrum", "hessian_product", "hessian_spectrum", "lanczos"]
