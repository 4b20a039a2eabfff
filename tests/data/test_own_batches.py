"""Data for models of the user's own: given by a function, or random."""

import pytest
import torch
from torch import Tensor, nn

from holdfast.data.own_batches import inputs_and_targets, random_batch
from holdfast.errors import InputError


class Outer(nn.Module):
    """Wants other inputs than its first layer."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.first(x[:, :, :2])


def test_random_batches_fit_the_first_layer() -> None:
    for model, shape in (
        (nn.Sequential(nn.Linear(5, 9), nn.Linear(9, 3)), (16, 5)),
        (nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.LazyLinear(2)), (16, 3, 16, 16)),
        (nn.Sequential(nn.Embedding(40, 6), nn.Linear(6, 3)), (16, 32)),
    ):
        x, y = random_batch(model, 16)
        assert x.shape == shape
        assert len(y) == 16
    with pytest.raises(InputError, match="no random data"):
        random_batch(nn.Sequential(nn.LSTM(4, 4)), 16)
    with pytest.raises(InputError, match="batch: is needed: random data does not fit this model"):
        random_batch(Outer(), 16)


def test_targets_are_classes_of_the_output() -> None:
    x, y = random_batch(nn.Sequential(nn.Embedding(40, 6), nn.Linear(6, 3)), 16)
    assert y.shape == x.shape
    assert set(y.unique().tolist()) == {0, 1, 2}
    assert int(x.max()) < 40


def test_what_a_function_gives_is_a_pair_of_one_length() -> None:
    x, y = inputs_and_targets(([[1.0], [2.0]], [0, 1]), "models:batch")
    assert torch.equal(x, torch.tensor([[1.0], [2.0]]))
    assert y.tolist() == [0, 1]
    for wrong in ({"x": 1}, 3, ([1, 2], [1]), ([], []), (["a"], [1])):
        with pytest.raises(InputError, match="models:batch: must return"):
            inputs_and_targets(wrong, "models:batch")
