"""The training: MoCo, with a tree that is rebuilt before every pass and the loss over what it selects (algorithm 1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

from holdfast.baselines.moco import MoCo
from holdfast.data.augment import Transform
from holdfast.data.batches import Batches, LoaderBatches
from holdfast.layers.modes import evaluating
from holdfast.systems.hcsc.method.prototypes import PrototypeTree, hierarchical_kmeans
from holdfast.systems.hcsc.method.selection import HCSCLoss, kept
from holdfast.training.distributed import gather_rows, world_size
from holdfast.training.momentum import KeyQueue, MomentumEncoder

CHUNK = 512  # rows that are encoded at a time


class HCSCLearner(MoCo):
    """MoCo for `warmup` passes, then with a tree of all rows' features and the loss over what it selects.

    Batches hold "x" and "index". The tree is made of the key encoder's answers to the rows as they are; processes of a
    data-parallel run encode a share each, and use the tree of the first.

    Args:
        encoder, augment, projector: as of `MoCo`, whose other arguments go into `moco`.
        n_clusters: prototypes per level, falling; n_init, seed: starts of the clustering, and their seed.
        warmup: passes without a tree, whose `tree` is None.
        criterion: the loss; None = `HCSCLoss` at MoCo's temperature.
    """

    tree: PrototypeTree | None = None

    def __init__(
        self,
        encoder: nn.Module,
        augment: Transform,
        projector: tuple[int, int] = (64, 32),
        *,
        n_clusters: Sequence[int] = (3000, 2000, 1000),
        warmup: int = 20,
        criterion: HCSCLoss | None = None,
        n_init: int = 5,
        seed: int = 0,
        **moco: Any,
    ) -> None:
        super().__init__(encoder, augment, projector, **moco)
        self.n_clusters, self.warmup, self.n_init, self.seed = tuple(n_clusters), warmup, n_init, seed
        self.criterion = criterion or HCSCLoss(self.temperature)
        self._kept: list[Tensor] = []  # per level (M_l, Q): only columns of new keys change until the next tree

    def get_extra_state(self) -> Any:
        """The tree, as lists of tensors, so that training continues with it."""
        return None if self.tree is None else list(self.tree.parts)

    def set_extra_state(self, state: Any) -> None:
        self.tree = None if state is None else PrototypeTree(*state).to(self.queue.keys.device)
        self._kept = []

    def before_epoch(self, data: Any) -> None:
        if data.epoch >= self.warmup:
            self.tree, self._kept = self.make_tree(self.features(data)), []
            if world_size() > 1:
                for value in (tensor for part in self.tree.parts for tensor in part):
                    dist.broadcast(value, src=0)

    def make_tree(self, features: Tensor) -> PrototypeTree:
        """The tree of features; methods with other levels override it."""
        how: dict[str, Any] = {"n_init": self.n_init, "seed": self.seed, "temperature": self.temperature}
        return hierarchical_kmeans(features, self.n_clusters, **how)

    def features(self, data: Batches | LoaderBatches) -> Tensor:
        """(N, D) features of length 1 of all rows, in the order of the data set."""
        here = dist.get_rank() if world_size() > 1 else 0
        each = -(-data.rows // world_size())  # the last shares are filled up with rows from the start
        found = []
        with evaluating(self.followers):
            for part in ((torch.arange(each) + here * each) % data.rows).split(CHUNK):
                if isinstance(data, Batches):
                    x = data.tensors["x"][part]
                else:
                    x = torch.stack([torch.as_tensor(data.dataset[int(i)]["x"]) for i in part])
                found.append(F.normalize(self.followers(x.to(self.queue.keys.device)).float(), dim=1))
        return gather_rows(torch.cat(found))[: data.rows]

    def contrast(
        self, queries: Tensor, keys: Tensor, batch: dict[str, Tensor], rng: torch.Generator
    ) -> tuple[Tensor, dict[str, Tensor]]:
        if self.tree is None:
            return super().contrast(queries, keys, batch, rng)
        self.criterion.generator = rng
        keep = self.keep(self.tree, batch["index"])
        return self.criterion(queries, keys, self.queue.keys.clone(), self.tree, batch["index"], keep), {}

    def keep(self, tree: PrototypeTree, index: Tensor) -> list[Tensor] | None:
        """Per level the probabilities (B, Q) with which the queue's items are kept; None = the loss's own."""
        if self.criterion.instance_keep is None:
            return None
        with torch.no_grad():
            if not self._kept:
                self._kept = [kept(self.queue.keys, tree, level).contiguous() for level in range(len(tree))]
            return [p[a[index]] for p, a in zip(self._kept, tree.assign, strict=True)]

    def after_step(self) -> None:
        """As MoCo; of the probabilities only those of the queue's new items are computed."""
        came = cast("tuple[Tensor, Tensor | None]", self._came)[0]
        places = self.queue._next + torch.arange(len(came) * world_size(), device=came.device)
        super().after_step()
        for level, p in enumerate(self._kept):
            assert self.tree is not None
            p.index_copy_(1, places, kept(self.queue.keys[places], self.tree, level))


__all__ = ["HCSCLearner", "KeyQueue", "MomentumEncoder"]
