"""Migrating stores and streams, and the dry run before it. The jobs themselves: tests/data/vectors."""

from __future__ import annotations

import numpy as np
import pytest

from holdfast.errors import InputError
from holdfast.systems.fct import ArraySource, EmbeddingMigrator, apply, migrate_stream, open_source, preview, verify
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
