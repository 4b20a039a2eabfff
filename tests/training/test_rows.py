"""Methods that keep something per row: row numbers in the batches, and the source in `before_epoch`."""

import pytest
import torch
from torch import nn
from torch.utils.data import Dataset

from holdfast.data.batches import Batches, LoaderBatches
from holdfast.training import Learner, fit
from holdfast.training.checkpoint import Checkpoints

ROWS = torch.randn(20, 2, generator=torch.Generator().manual_seed(0))


class Replacing(Learner):
    """Learns to tell apart what it told apart before; the labels are a tensor of the source."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(2, 2)
        nn.init.eye_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def labels(self, x):
        return self.head(x).argmax(1)

    def before_epoch(self, data):
        data.replace("y", self.labels(data.tensors["x"]))

    def loss(self, batch, rng):
        return nn.functional.cross_entropy(self.head(batch["x"]), batch["y"]), {}


class LookingUp(Replacing):
    """The same, with labels of its own that are looked up by row number."""

    def __init__(self):
        super().__init__()
        self.register_buffer("y", torch.zeros(20, dtype=torch.int64))

    def before_epoch(self, data):
        self.y = self.labels(data.tensors["x"])

    def loss(self, batch, rng):
        return super().loss({**batch, "y": self.y[batch["row"]]}, rng)


class LookingUpLoaded(LookingUp):
    def before_epoch(self, data):
        self.y = self.labels(torch.stack([data.dataset[i]["x"] for i in range(data.rows)]))


class Items(Dataset):
    def __len__(self):
        return 20

    def __getitem__(self, row):
        return {"x": ROWS[row]}


class Killed(Exception):
    pass


def kill(done, total):
    if done == 5:
        raise Killed


@pytest.mark.parametrize(
    ("learner", "batches"),
    [
        (LookingUp, lambda: Batches({"x": ROWS}, 8, seed=1, index="row")),
        (LookingUpLoaded, lambda: LoaderBatches(Items(), 8, seed=1, index="row")),
    ],
)
def test_labels_looked_up_by_row_train_as_labels_in_the_source_do(tmp_path, learner, batches):
    source = Batches({"x": ROWS, "y": torch.zeros(20, dtype=torch.int64)}, 8, seed=1)
    replaced = fit(Replacing(), source, steps=9)
    with pytest.raises(Killed):
        fit(learner(), batches(), steps=9, checkpoints=Checkpoints(tmp_path, every=3), on_step=kill)
    looked_up = fit(learner(), batches(), steps=9, checkpoints=Checkpoints(tmp_path, every=3))
    assert torch.equal(looked_up.learner.head.weight, replaced.learner.head.weight)
    assert torch.equal(looked_up.learner.y, source.tensors["y"])
    assert 0 < looked_up.learner.y.sum() < 20
