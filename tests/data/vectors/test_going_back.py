"""What verify and rollback trust: checksums of the source, jobs that are whole, files that the job has written."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from holdfast.canonical import sealed
from holdfast.data.vectors import ArraySource, Rewritten, VectorSource, open_source, rewrite, rollback, verify
from holdfast.data.vectors.checksums import table_checksum
from holdfast.data.vectors.job import JOB
from holdfast.errors import HoldfastError, InputError
from toy_gallery import IDS, MOVED, OLD, ROWS, lists, move, table, written


def moved(source: VectorSource, out: Path, **options) -> Rewritten:
    return rewrite(source, out, move, 4, **{"model": "toy", "chunk": 100, **options})


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# ------------------------------------------------------------------------------------------------ the source is another
def changed(kind: str, folder: Path) -> Path:
    """A store that was changed since it was read, but not in size; the path of what was made of it."""
    suffix = ".parquet" if kind in ("a column", "an id", "a side column") else ".index" if kind == "index" else ".npy"
    path, out, options = folder / f"g{suffix}", folder / f"new{suffix}", {}
    changed, side = OLD.copy(), np.ones((ROWS, 2), np.float32)
    changed[777, 3] += 1
    if suffix == ".parquet":
        columns = table().append_column("extra", lists(side))
        others = {
            "a column": columns.set_column(2, "year", pa.array(np.arange(ROWS)[::-1] % 30)),
            "an id": columns.set_column(0, "id", pa.array(IDS[::-1].tolist())),
            "a side column": columns.set_column(3, "extra", lists(2 * side)),
        }
        pq.write_table(columns, path, use_dictionary=False, compression="none")
        moved(open_source(path), out)
        pq.write_table(others[kind], path, use_dictionary=False, compression="none")
    elif suffix == ".index":
        faiss = pytest.importorskip("faiss")
        for x in (OLD, changed):
            index = faiss.IndexFlatL2(8)
            index.add(x)
            faiss.write_index(index, str(path))
            if x is OLD:
                moved(open_source(path), out)
    else:
        written(path)
        if kind == "side":
            options = {"side": written(folder / "side.npy", side)}
        moved(open_source(path, **options), out)
        written(folder / "side.npy", 2 * side) if kind == "side" else written(path, OLD * (kind != "zeros") + changed)
    return out


@pytest.mark.parametrize("kind", ["zeros", "one number", "side", "a column", "an id", "a side column", "index"])
def test_a_source_with_other_content_of_the_same_size_is_refused(tmp_path, kind) -> None:
    out = changed(kind, tmp_path)
    before = names(tmp_path)
    source = open_source(out.with_name(f"g{out.suffix}"), side=tmp_path / "side.npy" if kind == "side" else None)
    assert verify(out).passed
    (problem,) = verify(out, source).problems
    assert f"g{out.suffix} holds other content than when it was read" in problem
    with pytest.raises(InputError, match=r"must not be removed.*holds other content than when it was read"):
        rollback(out)
    assert names(tmp_path) == before


def test_the_first_chunk_that_differs_is_named(tmp_path) -> None:
    out, changed = moved(open_source(written(tmp_path / "g.npy")), tmp_path / "new.npy").out, OLD.copy()
    changed[[431, 777]] *= 2
    source = open_source(written(tmp_path / "g.npy", changed))
    assert verify(out, source).problems[0].endswith("(2 of 11 chunks, the first is rows 400 to 499)")
    assert "has shape (1003, 4) now" in verify(out, open_source(written(tmp_path / "o.npy", MOVED))).problems[0]


def test_the_source_is_read_once_while_it_is_rewritten(tmp_path) -> None:
    class Counted(ArraySource):
        reads = 0

        def read(self, start: int, stop: int):
            self.reads += stop - start
            return super().read(start, stop)

    source = Counted(OLD)
    out = moved(source, tmp_path / "new.npy").out
    assert source.reads == ROWS
    assert verify(out, source).passed
    with pytest.raises(InputError, match="must not be removed"):
        rollback(out)  # an array is nowhere to be opened again
    rollback(out, source)
    assert names(tmp_path) == []


def test_a_table_has_one_checksum_however_it_is_read(tmp_path) -> None:
    """What lies under missing values is anything."""
    whole = table().append_column("text", pa.array([None if i % 7 == 3 else "x" * (i % 5) for i in range(ROWS)]))
    pieces = pa.concat_tables([whole.slice(a, 13) for a in range(0, ROWS, 13)])
    assert table_checksum(pieces) == table_checksum(whole)
    given = pa.array([1, None, 3])
    other = pa.Array.from_buffers(pa.int64(), 3, [given.buffers()[0], pa.py_buffer(np.array([1, 99, 3]).tobytes())])
    assert table_checksum(pa.table({"x": given})) == table_checksum(pa.table({"x": other}))
    pq.write_table(whole, tmp_path / "a.parquet", row_group_size=70)
    out = moved(open_source(tmp_path / "a.parquet"), tmp_path / "new.parquet").out
    pq.write_table(whole, tmp_path / "b.parquet")
    assert verify(out, open_source(tmp_path / "b.parquet")).passed


# ------------------------------------------------------------------------------------------------------ what is removed
def test_going_back(tmp_path) -> None:
    source = written(tmp_path / "g.npy")
    out = moved(open_source(source), tmp_path / "new.npy").out
    away = source.rename(tmp_path / "elsewhere.npy")
    with pytest.raises(InputError, match="is gone or was changed"):
        rollback(out)
    assert out.exists()
    away.rename(source)
    rollback(out)
    assert names(tmp_path) == ["g.npy"]
    with pytest.raises(InputError, match="must have been written by"):
        rollback(source)
    assert source.exists()


@pytest.mark.parametrize("suffix", [".parquet", ".npy", ".index"])
def test_files_of_others_stay(tmp_path, suffix) -> None:
    pytest.importorskip("faiss")
    source, out = written(tmp_path / "g.npy"), tmp_path / f"new{suffix}"
    if suffix == ".index":
        import faiss

        index = faiss.IndexFlatL2(8)
        index.add(OLD)
        source = tmp_path / "g.index"
        faiss.write_index(index, str(source))
    moved(open_source(source), out)
    inside = out if suffix == ".parquet" else tmp_path / f"{out.name}.holdfast"
    mine = [inside / "notes.txt", inside / "sub" / "part-000000.parquet", inside / "part-000099.parquet"]
    mine += [tmp_path / f"{out.name}.rows.npy"]
    for path in mine:
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine")
    rollback(out)
    left = [path for path in tmp_path.rglob("*") if path.is_file() and not path.name.startswith("g.")]
    assert sorted(left) == sorted(mine)


def test_half_a_job_is_removed_too(tmp_path) -> None:
    spoilt = OLD.copy()
    spoilt[550] = np.nan
    source, out = written(tmp_path / "g.npy", spoilt), tmp_path / "new.npy"
    with pytest.raises(InputError, match="1 rows with NaN"):
        moved(open_source(source), out)
    assert "not finished" in verify(out).problems[0]
    assert moved(open_source(source), out, resume=True, drop_bad=True).dropped == 1
    assert verify(out, open_source(source)).passed
    rollback(out)
    assert names(tmp_path) == ["g.npy"]


# --------------------------------------------------------------------------------------------- refused before it began
def test_a_refused_call_leaves_nothing_in_the_way_of_the_mended_one(tmp_path) -> None:
    spoilt = OLD.copy()
    spoilt[5] = np.nan
    for suffix in (".npy", ".parquet"):
        source, out = tmp_path / f"g{suffix}", tmp_path / f"new{suffix}"
        pq.write_table(table(x=spoilt), source) if suffix == ".parquet" else written(source, spoilt)
        before = names(tmp_path)
        with pytest.raises(InputError, match="the first is row 5"):
            moved(open_source(source), out)
        with pytest.raises(InputError, match="must give shape"):
            rewrite(open_source(source), out, lambda x, side: x[:, :3], 4, model="toy", drop_bad=True)
        with pytest.raises(InputError, match="at most 1,000,000 chunks"):
            moved(ArraySource(np.zeros((10**6 + 1, 1), np.int8)), out, chunk=1)
        assert names(tmp_path) == before
        assert moved(open_source(source), out, drop_bad=True).dropped == 1
    everything = written(tmp_path / "bad.npy", OLD * np.nan)
    with pytest.raises(InputError, match="all are NaN"):
        moved(open_source(everything), tmp_path / "empty.npy", drop_bad=True)
    assert not (tmp_path / "empty.npy.holdfast").exists()


def test_an_index_that_cannot_be_made_is_refused_at_once(tmp_path) -> None:
    faiss = pytest.importorskip("faiss")
    index = faiss.IndexPQ(8, 8, 4)
    index.train(OLD)
    index.add(OLD)
    faiss.write_index(index, str(tmp_path / "g.index"))
    with pytest.raises(InputError, match=r"parts that divide the new dimensions \(4\)"):
        moved(open_source(tmp_path / "g.index"), tmp_path / "new.index")
    assert names(tmp_path) == ["g.index"]


def test_a_job_that_was_killed_before_it_was_noted_is_begun_again(tmp_path) -> None:
    pq.write_table(table(), tmp_path / "g.parquet")
    out = tmp_path / "new.parquet"
    (out / "_holdfast" / "chunks").mkdir(parents=True)
    (out / "_holdfast" / ".holdfast-file.1").mkdir()
    assert moved(open_source(tmp_path / "g.parquet"), out).rows == ROWS
    (tmp_path / "mine.parquet" / "_holdfast").mkdir(parents=True)
    (tmp_path / "mine.parquet" / "_holdfast" / "notes").write_text("mine")
    with pytest.raises(InputError, match="nothing is overwritten"):
        moved(open_source(tmp_path / "g.parquet"), tmp_path / "mine.parquet")


def test_a_finished_job_without_its_output_is_not_taken_for_done(tmp_path) -> None:
    source = open_source(written(tmp_path / "g.npy"))
    moved(source, tmp_path / "new.npy").out.unlink()
    with pytest.raises(InputError, match="must be there: its job is finished"):
        moved(source, tmp_path / "new.npy", resume=True)


# ------------------------------------------------------------------------------------------------- damaged, forged, old
FORGED = {
    "format alone": lambda job: {"format": 2},
    "no mapping": lambda job: [1, 2],
    "rows infinite": lambda job: {**job, "rows": float("inf")},
    "rows huge": lambda job: {**job, "rows": 10**30},
    "too many chunks": lambda job: {**job, "rows": 10**12, "chunk": 1},
    "rows a text": lambda job: {**job, "rows": "100"},
    "rows true": lambda job: {**job, "rows": True},
    "chunk 0": lambda job: {**job, "chunk": 0},
    "no dim": lambda job: {name: value for name, value in job.items() if name != "dim"},
    "dim negative": lambda job: {**job, "dim": -4},
    "no source": lambda job: {**job, "source": None},
    "source without path": lambda job: {**job, "source": {**job["source"], "opened": {}}},
    "source opened by anything": lambda job: {**job, "source": {**job["source"], "opened": {"path": "x", "y": "z"}}},
    "columns a list": lambda job: {**job, "columns": ["embedding"]},
    "no columns": lambda job: {**job, "columns": {}},
}


@pytest.mark.parametrize("seal", [False, True])
@pytest.mark.parametrize("kind", FORGED)
def test_damaged_and_forged_jobs_are_one_line(tmp_path, kind, seal) -> None:
    pq.write_table(table(), tmp_path / "g.parquet")
    source, out = open_source(tmp_path / "g.parquet"), tmp_path / "new.parquet"
    moved(source, out)
    file = out / "_holdfast" / JOB
    job = json.loads(file.read_text())
    del job["digest"]
    forged = FORGED[kind](job)
    file.write_text(json.dumps(sealed(forged) if seal and isinstance(forged, dict) else forged))
    for use in (verify, rollback, lambda path: moved(source, path, resume=True)):
        with pytest.raises(InputError, match=r"job\.json|must be resumed with the same"):
            use(out)
    assert len(pq.read_table(out)) == ROWS


def test_deeply_nested_and_infinite_json_is_one_line(tmp_path) -> None:
    source, out = open_source(written(tmp_path / "g.npy")), tmp_path / "new.npy"
    moved(source, out)
    file = tmp_path / "new.npy.holdfast" / JOB
    for text in ('{"rows": 1e999, "format": 2}', '{"format": 2, "a": ' + "[" * 600 + "]" * 600 + "}", "", "\x00"):
        file.write_text(text)
        for use in (verify, rollback, lambda path: moved(source, path, resume=True)):
            with pytest.raises(InputError, match=r"job\.json"):
                use(out)


def test_forged_manifests_are_one_line(tmp_path) -> None:
    source, out = open_source(written(tmp_path / "g.npy")), tmp_path / "new.npy"
    moved(source, out)
    file = tmp_path / "new.npy.holdfast" / "chunks" / "000003.json"
    whole = json.loads(file.read_text())
    assert verify(out, source).passed
    del whole["digest"]
    changes = ({"kept": "x"}, {"dropped": 5}, {"dropped": ["a"], "kept": 99, "dropped_ids": ["a"]}, {"stop": 500})
    changes += ({"kept": 99}, {"chunk": 4}, {"crc32": None}, {"more": 1})
    for change in changes:
        file.write_text(json.dumps(sealed({**whole, **change})))
        for use in (lambda: verify(out, source), lambda: rollback(out), lambda: moved(source, out, resume=True)):
            with pytest.raises(HoldfastError, match=r"000003\.json: a manifest is missing or damaged"):
                use()
    file.write_text(json.dumps({**whole, "source_crc32": 1, "digest": sealed(whole)["digest"]}))
    with pytest.raises(HoldfastError, match="missing or damaged"):
        rollback(out)
    assert os.path.exists(out)


def test_a_job_of_an_earlier_version_says_what_to_do(tmp_path) -> None:
    source, out = open_source(written(tmp_path / "g.npy")), tmp_path / "new.npy"
    moved(source, out)
    file = tmp_path / "new.npy.holdfast" / JOB
    job = json.loads(file.read_text())
    file.write_text(json.dumps({**job, "format": 1}))
    for use in (verify, rollback, lambda path: moved(source, path, resume=True)):
        with pytest.raises(InputError, match="an earlier version kept none: compute it again under another name"):
            use(out)
    file.write_text(json.dumps({**job, "format": 99}))
    with pytest.raises(InputError, match="must be a job of format 2; use the version that wrote it"):
        verify(out)


@pytest.mark.parametrize("path", [".", "/", ""])
def test_a_path_without_a_name_is_refused(path) -> None:
    for do in (verify, rollback):
        with pytest.raises(InputError, match="must end in a name"):
            do(Path(path))
