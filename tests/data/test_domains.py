import dataclasses
from dataclasses import dataclass
from itertools import chain
from typing import ClassVar

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.canonical import digest
from holdfast.data.digits import Mnist5k, UciDigits
from holdfast.data.domains import DomainPair, SemiSupervised, rename_labels
from holdfast.data.imagesets import ImageSet
from holdfast.data.shifts import Colour, Compose, GaussianNoise, Invert, LabelNoise, LabelShift
from holdfast.errors import InputError

PAIR = DomainPair(Mnist5k(), UciDigits())


@dataclass(frozen=True)
class Numbered(ImageSet):
    """Images whose single grey value is their row, so that a row can be followed through every division."""

    n: int = 100
    names: tuple[str, ...] = ("a", "b", "c", "d")
    channels: int = 1
    size: int = 1
    kind: str = "numbered"

    source: ClassVar[str] = "generated"

    @property
    def classes(self):
        return self.names

    def load(self, progress=None):
        values = torch.arange(self.n) / self.n
        x = values[:, None, None, None].expand(-1, self.channels, self.size, self.size).clone()
        return x, torch.arange(self.n) % len(self.names)

    def describe(self):
        return self.kind


def rng(seed=0):
    return np.random.default_rng(seed)


def rows(x, n=100):
    return (x[:, 0, 0, 0] * n).round().long().tolist()


def tensors(split):
    return {k: v for k, v in vars(split).items() if isinstance(v, torch.Tensor)}


# ---------------------------------------------------------------------------------------------------- DomainPair
def test_sizes_types_and_ranges_of_the_headline_problem():
    split = PAIR.load(rng())
    assert len(split.source_x) == 5000
    assert (len(split.test_x), len(split.unlabelled_x)) == PAIR.resplit
    assert len(split.validation_x) + sum(PAIR.resplit) == 1797
    for name, value in tensors(split).items():
        if name.endswith("_x"):
            assert value.dtype == torch.float32
            assert value.shape[1:] == (1, 16, 16)
        else:
            assert value.dtype == torch.int64
    for part in (split.source_y, split.audit_y, split.validation_y, split.test_y):
        share = torch.bincount(part, minlength=10) / len(part)
        assert (share - 0.1).abs().max() < 0.01


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.integers(40, 120))
def test_target_rows_are_in_exactly_one_part_and_carry_their_label(seed, n):
    split = DomainPair(Numbered(10), Numbered(n, kind="target")).load(rng(seed))
    parts = [rows(x, n) for x in (split.unlabelled_x, split.validation_x, split.test_x)]
    assert sorted(chain(*parts)) == list(range(n))
    for found, ids, y in zip(
        parts,
        (split.unlabelled_id, split.validation_id, split.test_id),
        (split.audit_y, split.validation_y, split.test_y),
        strict=True,
    ):
        assert found == ids.tolist()
        assert y.tolist() == [row % 4 for row in found]


def test_same_seed_same_split_and_validation_never_moves():
    one, again, other = PAIR.load(rng(1)), PAIR.load(rng(1)), PAIR.load(rng(2))
    for name, value in tensors(one).items():
        assert torch.equal(value, getattr(again, name)), name
    assert torch.equal(one.validation_id, other.validation_id)
    assert torch.equal(one.validation_x, other.validation_x)
    assert not torch.equal(one.test_id, other.test_id)
    assert set(one.validation_id.tolist()).isdisjoint(other.test_id.tolist() + other.unlabelled_id.tolist())


def test_changing_a_split_does_not_change_the_next():
    for value in tensors(PAIR.load(rng(1))).values():
        value.zero_()
    for name, value in tensors(PAIR.load(rng(1))).items():
        assert value.sum() > 0 or name.startswith("labelled"), name


def test_labels_are_nested_come_from_the_unlabelled_part_and_leave_it_alone():
    split = DomainPair(Numbered(10), Numbered(100, kind="target")).load(rng(3))
    none, one, five = split.with_labels(0), split.with_labels(1), split.with_labels(5)
    assert len(none.labelled_x) == len(split.labelled_x) == 0
    assert torch.bincount(one.labelled_y).tolist() == [1] * 4
    assert torch.bincount(five.labelled_y).tolist() == [5] * 4
    assert set(rows(one.labelled_x)) < set(rows(five.labelled_x)) < set(rows(split.unlabelled_x))
    assert [row % 4 for row in rows(five.labelled_x)] == five.labelled_y.tolist()
    assert torch.equal(five.unlabelled_x, split.unlabelled_x)
    assert torch.equal(five.test_x, split.test_x)


def test_which_images_are_labelled_differs_between_replicates():
    pair = DomainPair(Numbered(10), Numbered(100, kind="target"))
    assert rows(pair.load(rng(1)).with_labels(2).labelled_x) != rows(pair.load(rng(2)).with_labels(2).labelled_x)


@pytest.mark.parametrize("per_class", [-1, 1.5, 10**6])
def test_impossible_numbers_of_labels(per_class):
    with pytest.raises(InputError, match="per_class"):
        PAIR.load(rng()).with_labels(per_class)


def test_one_set_on_both_sides_is_halved():
    split = DomainPair(Numbered(), Numbered(), target_shift=Invert()).load(rng())
    target = [sorted(rows(1 - x)) for x in (split.unlabelled_x, split.validation_x, split.test_x)]
    assert sorted([*rows(split.source_x), *chain(*target)]) == list(range(100))
    assert len(split.source_x) == 50
    # also where the two are prepared differently
    wide = DomainPair(Mnist5k(crop=False), Mnist5k())
    assert len(wide.load(rng()).source_x) == 2500
    assert sum(wide.resplit) == 2000


def test_shifts_are_applied_to_their_side_once_for_all_replicates():
    pair = DomainPair(Numbered(50), Numbered(kind="target"), target_shift=GaussianNoise(0.1))
    first, second = pair.load(rng(1)), pair.load(rng(2))
    by_id = dict(zip(first.unlabelled_id.tolist(), first.unlabelled_x.flatten().tolist(), strict=True))
    shared = [
        (i, x) for i, x in zip(second.test_id.tolist(), second.test_x.flatten().tolist(), strict=True) if i in by_id
    ]
    assert len(shared) > 5
    assert all(by_id[i] == x for i, x in shared)
    assert torch.equal(first.source_x, Numbered(50).load()[0])


def test_label_shift_changes_the_target_pool_and_its_reported_sizes():
    pair = DomainPair(Mnist5k(), UciDigits(), target_shift=LabelShift((0, 1, 2, 3, 4), 0.2))
    split = pair.load(rng())
    full = torch.bincount(UciDigits().labels())
    pool = torch.bincount(torch.cat([split.audit_y, split.validation_y, split.test_y]))
    assert pool.tolist() == [int(0.2 * n + 0.5) if c < 5 else n for c, n in enumerate(full.tolist())]
    assert pair.resplit == (len(split.test_y), len(split.unlabelled_x))


def test_source_label_noise_is_allowed_and_target_label_noise_is_not():
    noisy = DomainPair(Numbered(), Numbered(kind="target"), source_shift=LabelNoise(0.5)).load(rng())
    assert int((noisy.source_y != torch.arange(100) % 4).sum()) == 50
    for shift in (LabelNoise(0.1), Compose((Invert(), LabelNoise(0.1)))):
        with pytest.raises(InputError, match="tested on"):
            DomainPair(Numbered(), Numbered(), target_shift=shift)
        with pytest.raises(InputError, match="tested on"):
            SemiSupervised(Numbered(), shift=shift)


def test_a_grey_side_follows_a_coloured_side():
    split = DomainPair(Mnist5k(), UciDigits(), target_shift=Colour()).load(rng())
    assert split.source_x.shape[1:] == split.test_x.shape[1:] == (3, 16, 16)
    assert torch.equal(split.source_x[:, 0], split.source_x[:, 2])
    assert not torch.equal(split.test_x[:, 0], split.test_x[:, 2])


def test_sizes_must_agree():
    with pytest.raises(InputError, match="one size"):
        DomainPair(Mnist5k(), UciDigits(size=8)).load(rng())


def test_target_classes_are_matched_by_name():
    split = DomainPair(Numbered(), Numbered(names=("d", "b"), kind="target")).load(rng())
    assert split.classes == ("a", "b", "c", "d")
    assert set(split.test_y.tolist()) == {1, 3}
    assert all(
        y == (3 if row % 2 == 0 else 1) for row, y in zip(rows(split.test_x), split.test_y.tolist(), strict=True)
    )
    with pytest.raises(InputError, match="also x, y"):
        DomainPair(Numbered(), Numbered(names=("a", "x", "y"), kind="target")).load(rng())
    assert rename_labels(torch.tensor([1]), ("x", "b"), ("a", "b")).tolist() == [1]  # unknown classes may be empty


@pytest.mark.parametrize(
    "wrong", [{"validation": 1.0}, {"validation": -0.1}, {"test": 0}, {"test": 1.0}, {"test": "x"}]
)
def test_shares_are_checked(wrong):
    for make in (lambda: DomainPair(Numbered(), Numbered(), **wrong), lambda: SemiSupervised(Numbered(), **wrong)):
        with pytest.raises(InputError):
            make()


def test_what_the_runner_reads_from_a_problem():
    assert PAIR.source == "package"
    assert PAIR.available()
    assert PAIR.how_to_get == ""
    assert not PAIR.fixed_test
    assert PAIR.classes == tuple("0123456789")
    assert "->" in PAIR.describe()
    assert "Invert" in dataclasses.replace(PAIR, target_shift=Invert()).describe()
    assert hash(PAIR) == hash(DomainPair(Mnist5k(), UciDigits()))
    # what store keys are made of sees every setting
    others = [dataclasses.replace(PAIR, test=0.5), dataclasses.replace(PAIR, source_set=Mnist5k(crop=False))]
    others += [dataclasses.replace(PAIR, target_shift=s) for s in (Invert(), GaussianNoise(0.1), GaussianNoise(0.2))]
    assert len({digest(p) for p in [PAIR, *others]}) == 6


def test_pool_is_a_dict_of_tensors_that_split_divides():
    pool = PAIR.pool()
    assert set(pool) == {"source_x", "source_y", "target_x", "target_y"}
    assert torch.equal(PAIR.split(pool, rng(4)).test_x, PAIR.load(rng(4)).test_x)


def test_moving_a_split_moves_every_tensor():
    moved = PAIR.load(rng()).with_labels(1).to("meta")
    assert all(value.device.type == "meta" for value in tensors(moved).values())
    assert moved.classes == PAIR.classes
    assert "source 5000" in repr(moved)


# ---------------------------------------------------------------------------------------------------- SemiSupervised
def test_semi_supervised_divides_every_row_once_and_nests_labels():
    few, more = (SemiSupervised(Numbered(), per_class=k).load(rng(5)) for k in (2, 6))
    for split, k in ((few, 2), (more, 6)):
        parts = [rows(x) for x in (split.source_x, split.unlabelled_x, split.validation_x, split.test_x)]
        assert sorted(chain(*parts)) == list(range(100))
        assert torch.bincount(split.source_y).tolist() == [k] * 4
        assert split.source_y.tolist() == [row % 4 for row in parts[0]]
        assert split.audit_y.tolist() == [row % 4 for row in parts[1]]
    assert set(rows(few.source_x)) < set(rows(more.source_x))
    assert torch.equal(few.test_id, more.test_id)
    assert torch.equal(few.validation_id, more.validation_id)


def test_semi_supervised_facts():
    problem = SemiSupervised(UciDigits(), per_class=25)
    split = problem.load(rng())
    assert problem.resplit == (len(split.test_x), len(split.unlabelled_x) + 250)
    assert problem.source == "package"
    assert problem.available()
    assert "25 labels per class" in problem.describe()
    with pytest.raises(InputError, match="per_class"):
        SemiSupervised(UciDigits(), per_class=500).load(rng())
    with pytest.raises(InputError, match="per_class"):
        SemiSupervised(UciDigits(), per_class=0)
    shifted = SemiSupervised(UciDigits(), shift=LabelShift((3,), 0))
    assert sum(shifted.resplit) == round(0.8 * int((UciDigits().labels() != 3).sum()))
