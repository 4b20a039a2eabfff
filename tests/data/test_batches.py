import random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import Dataset

from holdfast.data.batches import Batches, Joined, LoaderBatches
from holdfast.errors import InputError


class Items(Dataset):
    """Row number, and three random numbers of the three global generators."""

    def __init__(self, rows):
        self.rows = rows

    def __len__(self):
        return self.rows

    def __getitem__(self, row):
        assert isinstance(row, int)
        noise = torch.tensor([random.random(), np.random.rand(), torch.rand(()).item()])  # noqa: NPY002
        return {"row": row, "noise": noise}


def rows(batches, n):
    return [next(batches)["row"].tolist() for _ in range(n)]


def make(rows, size, seed=0):
    return Batches({"row": torch.arange(rows), "x": torch.arange(rows) * 0.5}, size, seed)


KINDS = [make, lambda rows, size, seed=0: LoaderBatches(Items(rows), size, seed)]


@pytest.mark.parametrize("kind", KINDS)
@given(st.integers(1, 20), st.integers(1, 20), st.integers(0, 3))
@settings(max_examples=25, deadline=None)
def test_a_pass_has_every_row_at_most_once_in_full_batches(kind, n, size, seed):
    if n < size:
        with pytest.raises(InputError, match=rf"size: .*\({n}\).* received {size}$"):
            kind(n, size, seed)
        return
    batches = kind(n, size, seed)
    assert len(batches) == n // size
    for epoch in range(3):
        assert batches.epoch == epoch
        seen = rows(batches, len(batches))
        flat = [row for batch in seen for row in batch]
        assert all(len(batch) == size for batch in seen)
        assert len(set(flat)) == len(flat) == size * (n // size)
        assert set(flat) <= set(range(n))
    assert batches.epoch == 3


@pytest.mark.parametrize("kind", KINDS)
def test_passes_and_seeds_differ_and_seeds_repeat(kind):
    first = rows(kind(20, 4, 1), 10)
    assert rows(kind(20, 4, 1), 10) == first
    assert rows(kind(20, 4, 2), 10) != first
    assert first[:5] != first[5:]


def test_all_sources_take_the_same_order_from_the_same_seed():
    assert rows(make(20, 4, 1), 12) == rows(LoaderBatches(Items(20), 4, 1), 12)


def test_rows_of_different_tensors_stay_together():
    batches = make(20, 4)
    for _ in range(7):
        batch = next(batches)
        assert list(batch) == ["row", "x"]
        assert torch.equal(batch["x"], batch["row"] * 0.5)


def test_seed_from_a_generator():
    a, b = (make(20, 4, torch.Generator().manual_seed(9)) for _ in range(2))
    assert rows(a, 6) == rows(b, 6)
    g = torch.Generator().manual_seed(9)
    assert rows(make(20, 4, g), 6) != rows(make(20, 4, g), 6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("done", [0, 3, 5, 7])
def test_continues_at_a_position(kind, done):
    straight = rows(kind(21, 4), 15)
    batches = kind(21, 4)
    rows(batches, done)
    state = batches.state_dict()
    rows(batches, 2)  # later batches do not change a state that was taken
    other = kind(21, 4)
    rows(other, 2)
    other.load_state_dict(state)
    assert rows(other, 15 - done) == straight[done:]


def test_a_position_of_other_data_is_refused():
    state = make(20, 4, 1).state_dict()
    for other, name in [(make(21, 4, 1), "rows"), (make(20, 5, 1), "size"), (make(20, 4, 2), "seed")]:
        with pytest.raises(InputError, match=f"^{name}: "):
            other.load_state_dict(state)


@pytest.mark.parametrize("kind", KINDS)
def test_the_shares_of_processes_make_up_the_batches_of_one(kind):
    whole = rows(kind(21, 6), 8)
    shares = []
    for rank in range(3):
        batches = kind(21, 6)
        batches.shard(rank, 3)
        shares.append(rows(batches, 8))
    assert [a + b + c for a, b, c in zip(*shares, strict=True)] == whole
    with pytest.raises(InputError, match=r"^size: must be a multiple of the number of processes"):
        kind(21, 6).shard(0, 4)


def test_replaced_tensors_are_used_and_are_part_of_the_state():
    batches = make(8, 4)
    assert batches.state_dict()["replaced"] == {}
    next(batches)
    batches.replace("x", torch.arange(8) + 100.0)
    other = make(8, 4)
    other.load_state_dict(batches.state_dict())
    for source in (batches, other):
        batch = next(source)
        assert torch.equal(batch["x"], batch["row"] + 100.0)
    with pytest.raises(InputError, match="8 rows"):
        batches.replace("x", torch.zeros(7))
    with pytest.raises(InputError, match="one of row, x"):
        batches.replace("z", torch.zeros(8))
    with pytest.raises(TypeError):
        batches.tensors["x"] = torch.zeros(8)


def test_a_new_key_before_the_first_batch():
    batches = make(8, 4)
    batches.replace("label", torch.arange(8))
    batch = next(batches)
    assert torch.equal(batch["label"], batch["row"])


# ---------------------------------------------------------------------------------------------------------- row numbers
def loader(rows, size, seed=0, **more):
    return LoaderBatches(Items(rows), size, seed, **more)


def memory(rows, size, seed=0, **more):
    return Batches({"row": torch.arange(rows), "x": torch.arange(rows) * 0.5}, size, seed, **more)


@pytest.mark.parametrize("kind", [memory, loader])
def test_row_numbers_are_those_of_the_rows_in_every_pass_share_and_after_a_resume(kind):
    plain, indexed = kind(21, 6), kind(21, 6, index="number")
    for _ in range(8):  # two passes and a half
        position = indexed.state_dict()
        expected, batch = next(plain), next(indexed)
        assert list(batch) == [*expected, "number"]
        assert batch["number"].dtype == torch.int64
        assert torch.equal(batch["number"], expected["row"])
        assert all(torch.equal(batch[name], expected[name]) for name in expected)
        for rank in range(3):
            resumed = kind(21, 6, index="number")
            resumed.shard(rank, 3)
            resumed.load_state_dict(position)
            assert torch.equal(next(resumed)["number"], expected["row"][2 * rank : 2 * rank + 2])
        batch["number"].fill_(0)  # whoever has a batch may change it
        indexed.load_state_dict(position)
        assert torch.equal(next(indexed)["number"], expected["row"])


def test_row_numbers_do_not_run_ahead_with_the_workers():
    batches = loader(9, 4, index="number", workers=2)
    for _ in range(5):
        batch = next(batches)
        assert torch.equal(batch["number"], batch["row"])
    batches.close()


def test_row_numbers_of_joined_sources():
    batch = next(Joined(s=memory(10, 5, 1, index="number"), t=memory(9, 2, 2)))
    assert list(batch) == ["s/row", "s/x", "s/number", "t/row", "t/x"]
    assert torch.equal(batch["s/number"], batch["s/row"])


@pytest.mark.parametrize("kind", [memory, loader])
def test_keys_for_row_numbers_that_cannot_be(kind):
    with pytest.raises(InputError, match=r"^index: must be a key or None; received True$"):
        kind(9, 3, index=True)
    with pytest.raises(InputError, match=r"^index: must be a key of its own; received 'row', which the rows have too$"):
        next(kind(9, 3, index="row"))


def test_a_replaced_tensor_cannot_take_the_place_of_the_row_numbers():
    batches = memory(9, 3, index="number")
    batches.replace("number", torch.zeros(9))
    with pytest.raises(InputError, match=r"^index: must be a key of its own"):
        next(batches)


@pytest.mark.parametrize(
    ("tensors", "name"),
    [({}, "tensors"), ({"x": [1, 2]}, r"tensors\['x'\]"), ({"x": torch.tensor(1)}, r"tensors\['x'\]"),
     ({"x": torch.zeros(3), "y": torch.zeros(4)}, "y")],
)  # fmt: skip
def test_bad_tensors(tensors, name):
    with pytest.raises(InputError, match=f"^{name}: "):
        Batches(tensors, 1)
    with pytest.raises(InputError, match=r"^size: "):
        Batches({"x": torch.zeros(3)}, 0)


# --------------------------------------------------------------------------------------------------------------- joined
def test_joined_keeps_sources_apart_and_continues():
    def build():
        return Joined(s=make(10, 5, 1), t=make(9, 2, 2))

    joined, s, t = build(), make(10, 5, 1), make(9, 2, 2)
    seen = []
    for _ in range(9):
        assert joined.epoch == s.epoch
        batch, from_s, from_t = next(joined), next(s), next(t)
        assert list(batch) == ["s/row", "s/x", "t/row", "t/x"]
        assert torch.equal(batch["s/row"], from_s["row"])
        assert torch.equal(batch["t/x"], from_t["x"])
        seen.append(batch["t/row"].tolist())
    joined = build()
    for _ in range(4):
        next(joined)
    other = build()
    other.load_state_dict(joined.state_dict())
    assert [next(other)["t/row"].tolist() for _ in range(5)] == seen[4:]
    with pytest.raises(InputError, match=r"^sources: must be s, t"):
        Joined(s=make(10, 5, 1)).load_state_dict(joined.state_dict())
    joined.shard(0, 1)
    with pytest.raises(InputError, match=r"^size"):
        joined.shard(0, 2)


def test_joined_needs_different_sources():
    source = make(4, 2)
    with pytest.raises(InputError, match="different"):
        Joined(a=source, b=source)
    with pytest.raises(InputError, match="at least one"):
        Joined()


# --------------------------------------------------------------------------------------------------------------- loader
def collect(batches, n):
    return [torch.cat([next_["row"][:, None], next_["noise"]], 1) for next_ in (next(batches) for _ in range(n))]


def test_randomness_of_items_depends_on_pass_and_row_alone():
    straight = collect(LoaderBatches(Items(9), 4), 7)
    one_by_one = LoaderBatches(Items(9), 4)
    collect(one_by_one, 3)
    resumed = LoaderBatches(Items(9), 4)
    resumed.load_state_dict(one_by_one.state_dict())
    assert all(map(torch.equal, collect(resumed, 4), straight[3:]))
    noise = torch.cat(straight)[:, 1:]
    assert len(noise.unique(dim=0)) == len(noise)


def test_workers_give_the_same_batches_and_the_global_generators_do_not_move():
    torch.manual_seed(0)
    random.seed(0)
    before = torch.get_rng_state(), random.getstate()
    here = collect(LoaderBatches(Items(9), 4), 5)
    batches = LoaderBatches(Items(9), 4, workers=2)
    there = collect(batches, 3)
    batches.close()  # workers end; the prefetched batches are made again
    there += collect(batches, 2)
    batches.close()
    assert all(map(torch.equal, here, there))
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1] == random.getstate()


def test_items_that_are_no_dicts_are_refused():
    class Pairs(Items):
        def __getitem__(self, row):
            return torch.zeros(2), row

    with pytest.raises(InputError, match=r"^dataset: must give dicts .* received list"):
        next(LoaderBatches(Pairs(4), 2))
