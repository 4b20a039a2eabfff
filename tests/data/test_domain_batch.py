import pytest
import torch

from holdfast.data.domain_batch import DomainBatch
from holdfast.errors import InputError


def image(n, channels=1, side=4, value=0.0):
    return torch.full((n, channels, side, side), value)


def batch(**changes):
    given = {"sx": image(2, value=1), "sy": torch.tensor([0, 1]), "tx": image(3, value=3), **changes}
    return {name: value for name, value in given.items() if value is not None}


def test_rows_come_as_source_labelled_target_and_target():
    rows = DomainBatch.of(batch(lx=image(1, value=2), ly=torch.tensor([2])), 3)
    assert rows.images[:, 0, 0, 0].tolist() == [1, 1, 2, 3, 3, 3]
    assert rows.labels.tolist() == [0, 1, 2]
    assert (rows.sizes, rows.labelled) == ([2, 1, 3], 3)


def test_labelled_part_leaves_the_target_out_without_copying():
    given = batch()
    rows = DomainBatch.labelled_part(given, 3)
    assert rows.sizes == [2, 0, 0]
    assert rows.images.data_ptr() == given["sx"].data_ptr()


@pytest.mark.parametrize(
    ("rule", "given"),
    [
        ('batch: must have unlabelled images "tx"', batch(tx=None)),
        ('batch: must have "sx" together with "sy"', batch(sx=None)),
        ('batch: must have "lx" together with "ly"', batch(lx=image(1))),
        ("tx: must have as many channels as sx .1.; received 3", batch(tx=image(3, channels=3))),
        ("tx: must have images of the size of sx", batch(tx=image(3, side=5))),
        ("sx: must have shape", batch(sx=torch.zeros(2, 4))),
        ("labels: must be one per labelled image .2.; received 1", batch(sy=torch.tensor([0]))),
        (r"labels: must lie in \[0, 3\); received 3", batch(sy=torch.tensor([0, 3]))),
        (r"labels: must lie in \[0, 3\); received -1", batch(sy=torch.tensor([0, -1]))),
    ],
)
def test_wrong_batches_are_refused(rule, given):
    with pytest.raises(InputError, match=rule):
        DomainBatch.of(given, 3)
