"""A learner for networks that see a whole graph in every step and learn from some of its nodes."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from holdfast.training.learner import Learner, Parts


class WholeGraph(Learner):
    """Adam on the mean loss of the nodes that a batch names.

    Args:
        net: (x (v, F), edge_index (2, E)) -> (v, C).
        x, edge_index: the graph; it is no part of the learner's state.
        target: (v,) or (v, C); those of nodes that no batch names are never looked at.
        loss_fn: (outputs (n, C), targets (n, ...)) -> losses (n,).
        lr, weight_decay: of Adam.

    A batch holds `node`, int64 (n,).

    Example:
        >>> from holdfast.data.batches import Batches
        >>> from holdfast.layers.node_network import NodeNetwork
        >>> from holdfast.losses.per_example import cross_entropy
        >>> from holdfast.training import fit
        >>> x, edges, y = torch.eye(4), torch.tensor([[0, 1], [1, 0]]), torch.tensor([0, 1, 0, 1])
        >>> learner = WholeGraph(NodeNetwork(4, 2, 8, [], "gcn"), x, edges, y, cross_entropy, lr=0.05)
        >>> trained = fit(learner, Batches({"node": torch.arange(4)}, size=4), steps=60)
        >>> trained.best.outputs().argmax(1).tolist()
        [0, 1, 0, 1]
    """

    def __init__(
        self,
        net: nn.Module,
        x: Tensor,
        edge_index: Tensor,
        target: Tensor,
        loss_fn: Callable[[Tensor, Tensor], Tensor],
        lr: float,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__()
        self.net, self.loss_fn, self.lr, self.weight_decay = net, loss_fn, lr, weight_decay
        for name, tensor in (("x", x), ("edge_index", edge_index), ("target", target)):
            self.register_buffer(name, tensor, persistent=False)

    x: Tensor
    edge_index: Tensor
    target: Tensor

    def outputs(self) -> Tensor:
        """(v, C), of all nodes."""
        found: Tensor = self.net(self.x, self.edge_index)
        return found

    def loss(self, batch: dict[str, Tensor], rng: torch.Generator) -> tuple[Tensor, Parts]:
        node = batch["node"]
        return self.loss_fn(self.outputs()[node], self.target[node]).mean(), {}

    def optimizers(self) -> list[torch.optim.Optimizer]:
        return [torch.optim.Adam(self.net.parameters(), lr=self.lr, weight_decay=self.weight_decay)]


__all__ = ["WholeGraph"]
