"""The endless stream of `DomainBatch` dicts that domain-adaptation learners train on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from holdfast.data.batches import Batches, BatchSource, Joined
from holdfast.randomness import derived_seed
from holdfast.validation import check_same_length

KEYS = {"source/x": "sx", "source/y": "sy", "target/x": "tx", "labelled/x": "lx", "labelled/y": "ly"}


class DomainStream(BatchSource):
    """Batches of labelled source, unlabelled target and, if given, labelled target images.

    Each domain is shuffled with a stream of its own derived from the seed, so that adding labelled target images, or
    leaving the target out, changes the order of no other domain. A labelled set smaller than its batch is repeated; a
    few labelled target images come in a batch of their number.

    Args:
        source: images `(N, C, H, W)` and labels `(N,)`; or, where they do not fit into memory, batches of B of them
            with keys "x" and "y".
        target: unlabelled images `(M, C, H, W)`, or batches of `ratio * B` of them with key "x" (others are passed
            over), or None.
        labelled: labelled target images and labels, or None; an empty pair counts as None.
        batch: B, source images per batch; also the most labelled target images.
        ratio: target images per source image, so that a batch has `ratio * B` of them.
        seed: of the order.

    Yields:
        dicts with "sx", "sy", and "tx", "lx", "ly" where given, see `DomainBatch`.

    Raises:
        InputError: fewer than `ratio * B` target images, or labels that are not one per image.

    Example:
        >>> x, y = torch.rand(10, 1, 8, 8), torch.arange(10) % 2
        >>> stream = DomainStream((x, y), torch.rand(20, 1, 8, 8), batch=4, ratio=3)
        >>> {key: tuple(value.shape) for key, value in next(stream).items()}
        {'sx': (4, 1, 8, 8), 'sy': (4,), 'tx': (12, 1, 8, 8)}
    """

    def __init__(
        self,
        source: tuple[Tensor, Tensor] | BatchSource,
        target: Tensor | BatchSource | None = None,
        labelled: tuple[Tensor, Tensor] | None = None,
        *,
        batch: int,
        ratio: int = 1,
        seed: int = 0,
    ) -> None:
        parts: dict[str, BatchSource] = {}
        if isinstance(source, BatchSource):
            parts["source"] = source
        else:
            parts["source"] = _labelled(source, batch, derived_seed(seed, "source"))
        if isinstance(target, BatchSource):
            parts["target"] = target
        elif target is not None:
            parts["target"] = Batches({"x": target}, ratio * batch, derived_seed(seed, "target"))
        if labelled is not None and len(labelled[0]):
            size = min(batch, len(labelled[0]))
            parts["labelled"] = _labelled(labelled, size, derived_seed(seed, "labelled"))
        self._joined = Joined(**parts)

    @property
    def epoch(self) -> int:  # type: ignore[override]
        """Pass over the source."""
        return self._joined.epoch

    def __next__(self) -> dict[str, Tensor]:
        return {KEYS[key]: value for key, value in next(self._joined).items() if key in KEYS}

    def shard(self, rank: int, world: int) -> None:
        self._joined.shard(rank, world)

    def state_dict(self) -> dict[str, Any]:
        return self._joined.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._joined.load_state_dict(state)

    def close(self) -> None:
        self._joined.close()


def _labelled(pair: tuple[Tensor, Tensor], size: int, seed: int) -> Batches:
    x, y = pair
    n = check_same_length(images=x, labels=y)
    if n < size:  # every image ceil(size / n) times per pass
        rows = torch.arange(n, device=x.device).repeat(-(-size // n))
        x, y = x[rows], y[rows.to(y.device)]
    return Batches({"x": x, "y": y}, size, seed)


__all__ = ["KEYS", "DomainStream"]
