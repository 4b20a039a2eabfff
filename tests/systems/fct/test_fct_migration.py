"""Migrating stores and streams, and the dry run before it. The jobs themselves: tests/data/vectors."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from holdfast.errors import InputError
from holdfast.systems.fct import (
    ArraySource,
    EmbeddingMigrator,
    UnlikePairs,
    apply,
    migrate_stream,
    open_source,
    preview,
    verify,
)
from holdfast.systems.fct.tool.report import plan_for
from toy_gallery import IDS, MOVED, OLD, ROWS, written

MIGRATOR = EmbeddingMigrator("ridge", device="cpu").fit(OLD, MOVED)


def test_a_store_is_what_its_rows_become(tmp_path) -> None:
    source = open_source(written(tmp_path / "g.npy"))
    done = apply(MIGRATOR, source, tmp_path / "new.npy", chunk=100)
    assert (done.rows, done.chunks) == (ROWS, (11, 11))
    assert np.allclose(np.load(done.out), MIGRATOR.transform(OLD), atol=1e-6)
    assert verify(done.out, source).passed
    other = EmbeddingMigrator("ridge", seed=1, device="cpu").fit(OLD, MOVED)
    with pytest.raises(InputError, match="must be resumed with the same model"):
        apply(other, source, done.out, chunk=100, resume=True)


def test_a_store_that_is_not_like_the_pairs_is_refused(tmp_path) -> None:
    side = np.ones((ROWS, 3)) * np.arange(ROWS)[:, None]
    with pytest.raises(InputError, match="must hold vectors of 8 dimensions, as in fit; received 4"):
        apply(MIGRATOR, ArraySource(MOVED), tmp_path / "x.npy")
    with_side = EmbeddingMigrator("ridge", device="cpu").fit(OLD, MOVED, side)
    with pytest.raises(InputError, match="must come with side information of 3 dimensions"):
        apply(with_side, ArraySource(OLD), tmp_path / "x.npy")


def test_a_stream_of_batches() -> None:
    batches = [(IDS[i : i + 100], OLD[i : i + 100]) for i in range(0, ROWS, 100)]
    found = list(migrate_stream(MIGRATOR, iter(batches)))
    assert np.concatenate([ids for ids, _ in found]).tolist() == IDS.tolist()
    assert np.allclose(np.concatenate([x for _, x in found]), MIGRATOR.transform(OLD), atol=1e-6)
    with pytest.raises(InputError, match="batch 1: old: must have shape"):
        list(migrate_stream(MIGRATOR, [batches[0], ([1], OLD[:1, :3])]))


def test_a_dry_run_writes_nothing(tmp_path) -> None:
    written(tmp_path / "g.npy")
    found = preview(MIGRATOR, open_source(tmp_path / "g.npy"), 500)
    assert found.prediction.rows == 500
    error = found.prediction.qualities["relative error"]
    assert error.low <= error.value <= error.high
    assert found.gigabytes == ROWS * 4 * 4 / 1e9
    assert [path.name for path in tmp_path.iterdir()] == ["g.npy"]


# ------------------------------------------------------------------------------------- a store that is unlike the pairs
UNIT = (OLD / np.linalg.norm(OLD, axis=1, keepdims=True)).astype(np.float32)  # the same vectors as a store keeps them


def test_a_store_of_another_scale_is_refused_before_anything_is_written(tmp_path) -> None:
    """What a held-out pair tells is right for the pairs' own scale, and 20 times too good for the store."""
    source = open_source(written(tmp_path / "g.npy", UNIT))
    found = preview(MIGRATOR, source, 500)
    assert found.prediction.qualities == {}
    assert "the store's vectors have length 1 [1, 1], the pairs' 2." in found.unlike[0]
    with pytest.raises(InputError, match=r"must be like the pairs .* have length 1 \[1, 1\], the pairs' 2"):
        apply(MIGRATOR, source, tmp_path / "new.npy")
    assert [path.name for path in tmp_path.iterdir()] == ["g.npy"]
    with pytest.warns(UnlikePairs, match="the store's vectors have length 1"):
        done = apply(MIGRATOR, source, tmp_path / "new.npy", unlike_pairs=True)
    assert done.rows == ROWS
    truth = np.square(np.load(done.out) - MOVED).sum() / np.square(MOVED - MOVED.mean(0)).sum()
    assert truth > 20 * max(0.01, MIGRATOR.validation_["relative error"][0])


def test_plans_and_streams_warn(tmp_path) -> None:
    source = open_source(written(tmp_path / "g.npy", UNIT))
    with pytest.warns(UnlikePairs, match="the store's vectors have length 1"):
        plan_for(MIGRATOR, source, 0.1)
    with pytest.warns(UnlikePairs, match="the store's vectors have length 1"):
        list(migrate_stream(MIGRATOR, [(IDS, UNIT)]))


def test_side_information_is_compared_too(tmp_path) -> None:
    side = np.random.default_rng(1).normal(size=(ROWS, 3)).astype(np.float32)
    migrator = EmbeddingMigrator("ridge", device="cpu").fit(OLD, MOVED, side)
    written(tmp_path / "side.npy", 3 * side)
    source = open_source(written(tmp_path / "g.npy"), side=tmp_path / "side.npy")
    with pytest.raises(InputError, match="received side information: the store's vectors have length"):
        apply(migrator, source, tmp_path / "new.npy")
    assert migrator.unlike(OLD, side) == ()


def test_what_a_model_knows_of_its_pairs_is_saved_and_an_earlier_one_says_that_it_knows_nothing(tmp_path) -> None:
    MIGRATOR.save(tmp_path / "m")
    again = EmbeddingMigrator.load(tmp_path / "m", device="cpu")
    assert again.unlike(UNIT) == MIGRATOR.unlike(UNIT) != ()
    del again.profiles_
    again.save(tmp_path / "earlier")
    earlier = EmbeddingMigrator.load(tmp_path / "earlier", device="cpu")
    assert earlier.unlike(UNIT) is None
    with pytest.warns(UnlikePairs, match="of an earlier version and cannot tell whether the store is like its pairs"):
        assert apply(earlier, ArraySource(UNIT), tmp_path / "new.npy").rows == ROWS


def test_rows_of_one_item_count_once() -> None:
    """Five nearly equal rows of each item, as frames of a film have: other items are no farther than these are."""
    rng = np.random.default_rng(0)
    items = rng.normal(size=(400, 8))
    frames = (items.repeat(5, 0) + 0.01 * rng.normal(size=(2000, 8))).astype(np.float32)
    migrator = EmbeddingMigrator("ridge", device="cpu").fit(frames, frames[:, :4], ids=np.arange(400).repeat(5))
    assert migrator.unlike(rng.normal(size=(400, 8))) == ()


def test_an_index_that_compares_otherwise_is_told(tmp_path) -> None:
    faiss = pytest.importorskip("faiss")
    index = faiss.IndexFlatIP(8)
    index.add(OLD)
    faiss.write_index(index, str(tmp_path / "g.index"))
    source = open_source(tmp_path / "g.index")
    with pytest.warns(UserWarning, match="compares by ip, and retrieval was measured by l2: fit with --metric ip"):
        preview(MIGRATOR, source, 200)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        preview(EmbeddingMigrator("ridge", device="cpu", metric="ip").fit(OLD, MOVED), source, 200)
