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
from holdfast.systems.hcsc.method.clustering import Backend
from holdfast.systems.hcsc.method.prototypes import PrototypeTree, check_clusters, hierarchical_kmeans
from holdfast.systems.hcsc.method.selection import HCSCLoss, kept, responsibilities
from holdfast.training.distributed import gather_rows, share_state, world_size
from holdfast.training.momentum import KeyQueue as KeyQueue
from holdfast.training.momentum import MomentumEncoder as MomentumEncoder

CHUNK = 512  # rows that are encoded at a time
PARTS = ("assign", "prototypes", "temperatures", "parent")


class _StoredTree(nn.Module):
    """A tree as buffers, so that it is in the state of what is trained."""

    def __init__(self, rows: int, counts: Sequence[int], dim: int) -> None:
        super().__init__()
        self.levels = len(counts)
        self.register_buffer("grown", torch.zeros((), dtype=torch.bool))
        for level, k in enumerate(counts):
            self.register_buffer(f"assign{level}", torch.zeros(rows, dtype=torch.int64))
            self.register_buffer(f"prototypes{level}", torch.zeros(k, dim))
            self.register_buffer(f"temperatures{level}", torch.ones(k))
            if level < len(counts) - 1:
                self.register_buffer(f"parent{level}", torch.zeros(k, dtype=torch.int64))

    def put(self, tree: PrototypeTree) -> None:
        for part in PARTS:
            for level, value in enumerate(getattr(tree, part)):
                self.get_buffer(f"{part}{level}").copy_(value)
        self.get_buffer("grown").fill_(True)

    def tree(self) -> PrototypeTree:
        ends = {"parent": self.levels - 1}
        parts = [[self.get_buffer(f"{p}{i}") for i in range(ends.get(p, self.levels))] for p in PARTS]
        return PrototypeTree(*parts)


class HCSCLearner(MoCo):
    """MoCo for `warmup` passes, then with a tree of all rows' features and the loss over what it selects.

    Batches hold "x" and "index". The tree is made of the key encoder's answers to the rows as they are; processes of a
    data-parallel run encode a share each, and use the tree of the first.

    Args:
        encoder, augment, projector: as of `MoCo`, whose other arguments go into `moco`.
        rows: of the data set.
        n_clusters: prototypes per level, falling.
        warmup: passes without a tree.
        criterion: the loss; None = `HCSCLoss` at MoCo's temperature.
        n_iter, n_init, backend: of the clustering.
        seed: of the clustering.
    """

    def __init__(
        self,
        encoder: nn.Module,
        augment: Transform,
        projector: tuple[int, int] = (64, 32),
        *,
        rows: int,
        n_clusters: Sequence[int] = (3000, 2000, 1000),
        warmup: int = 20,
        criterion: HCSCLoss | None = None,
        n_iter: int = 20,
        n_init: int = 5,
        backend: Backend = "torch",
        seed: int = 0,
        **moco: Any,
    ) -> None:
        super().__init__(encoder, augment, projector, **moco)
        self.n_clusters, self.warmup = check_clusters(n_clusters, rows), warmup
        self.criterion = criterion or HCSCLoss(self.temperature)
        self.n_iter, self.n_init, self.backend, self.seed = n_iter, n_init, backend, seed
        self.stored = _StoredTree(rows, self.n_clusters, projector[1])
        self._grown: bool | None = None  # what the buffer says, so that no step waits for it
        self._shares: list[Tensor] = []

    @property
    def tree(self) -> PrototypeTree | None:
        """The tree of this pass; None before the first."""
        if self._grown is None:
            self._grown = bool(self.stored.get_buffer("grown"))
        return self.stored.tree() if self._grown else None

    def before_epoch(self, data: Any) -> None:
        if data.epoch >= self.warmup:
            self.grow(self.features(data))

    def features(self, data: Batches | LoaderBatches) -> Tensor:
        """(N, D) features of length 1 of all rows, in the order of the data set."""
        many = len(self.stored.get_buffer("assign0"))
        here = dist.get_rank() if world_size() > 1 else 0
        each = -(-many // world_size())  # the last shares are filled up with rows from the start
        place = self.queue.keys.device
        mine = (torch.arange(each) + here * each) % many
        found = []
        with evaluating(self.followers):
            for part in mine.split(CHUNK):
                if isinstance(data, Batches):
                    x = data.tensors["x"][part]
                else:
                    x = torch.stack([torch.as_tensor(data.dataset[int(i)]["x"]) for i in part])
                found.append(F.normalize(self.followers(x.to(place)).float(), dim=1))
        return gather_rows(torch.cat(found))[:many]

    def grow(self, features: Tensor) -> None:
        """Make the tree anew, the same in all processes."""
        self.stored.put(self.make_tree(features))
        share_state(self.stored)
        self._grown, self._shares = True, []

    def make_tree(self, features: Tensor) -> PrototypeTree:
        """The tree of features; methods with other levels override it."""
        return hierarchical_kmeans(
            features,
            self.n_clusters,
            self.n_iter,
            self.n_init,
            seed=self.seed,
            backend=self.backend,
            temperature=self.temperature,
        )

    def contrast(
        self, queries: Tensor, keys: Tensor, batch: dict[str, Tensor], rng: torch.Generator
    ) -> tuple[Tensor, dict[str, Tensor]]:
        tree = self.tree
        if tree is None:
            return super().contrast(queries, keys, batch, rng)
        self.criterion.generator = rng
        index = batch["index"]
        keep = self.keep(tree, index)
        return self.criterion(queries, keys, self.queue.keys.clone(), tree, index, keep), {}

    def keep(self, tree: PrototypeTree, index: Tensor) -> list[Tensor] | None:
        """Per level the probabilities (B, Q) with which the queue's items are kept; None = the loss's own."""
        if self.criterion.instance_keep is None:
            return None
        with torch.no_grad():
            if not self._shares:
                self._shares = [responsibilities(self.queue.keys, tree, level) for level in range(len(tree))]
            return [kept(shares, a[index]) for shares, a in zip(self._shares, tree.assign, strict=True)]

    def after_step(self) -> None:
        """As MoCo; of the shares of the queue's items only those of the new ones are computed."""
        came = cast("tuple[Tensor, Tensor | None]", self._came)[0]
        places = self.queue._next + torch.arange(len(came) * world_size(), device=came.device)
        super().after_step()
        if self._shares and (tree := self.tree) is not None:
            new = self.queue.keys[places]
            for level, shares in enumerate(self._shares):
                shares.index_copy_(0, places, responsibilities(new, tree, level))


__all__ = ["HCSCLearner", "KeyQueue", "MomentumEncoder"]
