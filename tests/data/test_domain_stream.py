"""The stream of two-domain batches: keys, sizes, independence of the domains' orders, resume."""

import itertools

import pytest
import torch

from holdfast.data.domain_batch import DomainBatch
from holdfast.data.domain_stream import DomainStream
from holdfast.errors import InputError


def _images(n, start=0):
    return torch.arange(start, start + n, dtype=torch.float32).view(n, 1, 1, 1).expand(n, 1, 2, 2).contiguous()


SOURCE = (_images(10), torch.arange(10))
TARGET = _images(20, 100)


def test_batches_hold_rows_with_their_labels():
    stream = DomainStream(SOURCE, TARGET, (_images(3, 50), torch.arange(3)), batch=4, ratio=3, seed=1)
    for batch in itertools.islice(stream, 7):
        assert torch.equal(batch["sx"][:, 0, 0, 0].long(), batch["sy"])
        assert torch.equal(batch["lx"][:, 0, 0, 0].long() - 50, batch["ly"])
        assert bool((batch["tx"] >= 100).all())
        rows = DomainBatch.of(batch, 10)
        assert rows.sizes == [4, 3, 12]


def test_domains_are_shuffled_independently():
    def order(key, **arguments):
        return torch.cat([b[key] for b in itertools.islice(DomainStream(SOURCE, batch=4, **arguments), 6)])

    alone = order("sx", seed=3)
    assert torch.equal(alone, order("sx", seed=3, target=TARGET, ratio=2))
    assert torch.equal(alone, order("sx", seed=3, target=TARGET, labelled=(_images(2), torch.zeros(2))))
    assert not torch.equal(alone, order("sx", seed=4))
    assert torch.equal(order("tx", seed=3, target=TARGET), order("tx", seed=3, target=TARGET, labelled=SOURCE))


def test_small_labelled_sets_are_repeated_and_large_target_batches_refused():
    stream = DomainStream((_images(3), torch.arange(3)), batch=8, seed=0)
    seen = torch.cat([next(stream)["sy"] for _ in range(9)])
    assert torch.bincount(seen, minlength=3).min() >= 20  # 72 draws, an image is left out of a pass at most once
    with pytest.raises(InputError, match="at most the number of rows"):
        DomainStream(SOURCE, TARGET, batch=8, ratio=3)
    assert "lx" not in next(DomainStream(SOURCE, labelled=(_images(0), torch.zeros(0)), batch=2))
    with pytest.raises(InputError, match="labels"):
        DomainStream((_images(3), torch.arange(2)), batch=2)


def test_resumes_where_it_was():
    make = lambda: DomainStream(SOURCE, TARGET, batch=4, ratio=2, seed=5)  # noqa: E731
    first = make()
    for _ in range(5):
        next(first)
    second = make()
    second.load_state_dict(first.state_dict())
    assert second.epoch == first.epoch
    for _ in range(5):
        a, b = next(first), next(second)
        assert all(torch.equal(a[k], b[k]) for k in a)


def test_processes_get_their_shares():
    whole = next(DomainStream(SOURCE, TARGET, batch=4, ratio=2))
    halves = []
    for rank in range(2):
        stream = DomainStream(SOURCE, TARGET, batch=4, ratio=2)
        stream.shard(rank, 2)
        halves.append(next(stream))
    for key, value in whole.items():
        assert torch.equal(torch.cat([half[key] for half in halves]), value)
