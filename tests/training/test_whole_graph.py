"""A learner over a whole graph: which nodes count, and what its state is."""

import torch
from torch import nn

from holdfast.losses.per_example import cross_entropy
from holdfast.training.whole_graph import WholeGraph


class Sums(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2))

    def forward(self, x, edge_index):
        return x * self.weight


def test_the_loss_is_that_of_the_named_nodes():
    x = torch.tensor([[2.0, 0.0], [0.0, 1.0], [5.0, 5.0]])
    learner = WholeGraph(Sums(), x, torch.zeros(2, 0, dtype=torch.long), torch.tensor([0, 0, 7]), cross_entropy, lr=0.5)
    loss, _ = learner.loss({"node": torch.tensor([0, 1])}, torch.Generator())
    expected = -(x[:2].log_softmax(1)[:, 0]).mean()  # node 2 has no class that exists: it is not looked at
    torch.testing.assert_close(loss, expected)
    assert set(learner.state_dict()) == {"net.weight"}
    (adam,) = learner.optimizers()
    assert (adam.defaults["lr"], adam.defaults["weight_decay"]) == (0.5, 0.0)
