"""Averages over the processes of a data-parallel run. Everything is the identity where there is one process."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

BUCKET = 2**24  # elements copied together for one reduction: large enough for full bandwidth, small beside the model


def world_size() -> int:
    """Number of processes that train together; 1 where no process group exists."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def all_mean(x: Tensor) -> Tensor:
    """Mean of x over the processes, element by element; x itself where there is one process.

    For statistics of a batch that a method defines over the whole batch (a threshold, a class marginal). Gradients
    are not carried across processes: the result is detached where there is more than one.

    Args:
        x: any shape, floating point, same shape in all processes; every process must call this at the same point.

    Returns:
        A tensor of the shape, dtype and device of x.

    Example:
        >>> all_mean(torch.tensor([1.0, 3.0])).tolist()
        [1.0, 3.0]
    """
    world = world_size()
    if world == 1:
        return x
    total = x.detach().clone()
    dist.all_reduce(total)
    return total / world


def gather_rows(x: Tensor) -> Tensor:
    """The rows of all processes, one process after the other; x itself where there is one process.

    For losses that are no mean over rows, such as those with a softmax over the batch: computed of the gathered rows,
    they have the same value in every process. A gradient flows back into this process's rows alone, times the number
    of processes, so that averaging gradients over processes gives that of the loss of the whole batch.

    Args:
        x: (n, ...), with the same shape in all processes; every process must call this at the same point.

    Returns:
        (processes * n, ...).

    Example:
        >>> gather_rows(torch.tensor([1.0, 3.0])).tolist()
        [1.0, 3.0]
    """
    gathered: Tensor = x if world_size() == 1 else _GatherRows.apply(x)
    return gathered


class _GatherRows(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        parts = [torch.empty_like(x) for _ in range(world_size())]
        dist.all_gather(parts, x.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        return grads[0].chunk(world_size())[dist.get_rank()] * world_size()


def all_minimum(number: int, device: torch.device) -> int:
    """The smallest of the processes' numbers; waits for all of them."""
    value = torch.tensor([number], device=device)
    if world_size() > 1:
        dist.all_reduce(value, op=dist.ReduceOp.MIN)
    return int(value.item())


def share_state(module: nn.Module) -> None:
    """Overwrite parameters and buffers with those of process 0, so that all start from the same point."""
    if world_size() > 1:
        for tensor in module.state_dict().values():
            if isinstance(tensor, Tensor):
                dist.broadcast(tensor, src=0)


@torch.no_grad()
def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Replace each gradient by its mean over the processes, in as few reductions as possible.

    A parameter without a gradient counts as zero where another process has one, and stays without where none has.
    Averaging twice changes nothing, so gradients that were averaged before may be among them.
    """
    world = world_size()
    if world == 1:
        return
    for bucket in _buckets([p for p in parameters if p.requires_grad]):
        absent = [p.grad is None for p in bucket]
        grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in bucket]
        present = torch.tensor([0.0 if none else 1.0 for none in absent], dtype=grads[0].dtype, device=grads[0].device)
        flat = torch.cat([*(g.reshape(-1) for g in grads), present])
        dist.all_reduce(flat)
        flat /= world
        *means, present = flat.split([*(g.numel() for g in grads), len(bucket)])
        torch._foreach_copy_(grads, [mean.view_as(g) for mean, g in zip(means, grads, strict=True)])
        if any(absent):  # only then look at the counts: it makes the host wait for the device
            for p, g, none, share in zip(bucket, grads, absent, present.tolist(), strict=True):
                if none and share > 0:
                    p.grad = g


def _buckets(parameters: Sequence[nn.Parameter]) -> Iterator[list[nn.Parameter]]:
    """Parameters of one dtype and device, in order, at most BUCKET elements together (or one larger parameter)."""
    groups: dict[tuple[torch.dtype, torch.device], list[nn.Parameter]] = {}
    for p in parameters:
        groups.setdefault((p.dtype, p.device), []).append(p)
    for group in groups.values():
        bucket: list[nn.Parameter] = []
        elements = 0
        for p in group:
            if bucket and elements + p.numel() > BUCKET:
                yield bucket
                bucket, elements = [], 0
            bucket.append(p)
            elements += p.numel()
        if bucket:
            yield bucket


__all__ = ["all_mean", "all_minimum", "average_gradients", "gather_rows", "share_state", "world_size"]
