"""Jobs over a store: kills, shared folders, damage, bad rows, what is never overwritten."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from holdfast.data.vectors import Rewritten, VectorSource, open_source, rewrite, sampled, verify
from holdfast.data.vectors.sampling import runs
from holdfast.errors import InputError
from toy_gallery import IDS, MATRIX, MOVED, OLD, ROWS, move, table, written


def moved(source: VectorSource, out: Path, **options) -> Rewritten:
    return rewrite(source, out, move, 4, model=options.pop("model", "toy"), **options)


# ------------------------------------------------------------------------------------------------------ kill and resume
SLOW = """
import sys, time
from pathlib import Path
import numpy as np
from holdfast.data.vectors import open_source, rewrite, worker

folder, source, out, pause = Path(sys.argv[1]), sys.argv[2], sys.argv[3], float(sys.argv[4])
finish, matrix = worker.Worker._write, np.load(folder / "matrix.npy")
def slowly(self, number, made, held):
    time.sleep(pause)
    finish(self, number, made, held)
    with (folder / "log").open("a") as log:
        log.write(f"{number}\\n")
worker.Worker._write = slowly
move = lambda x, side: x @ matrix
print(rewrite(open_source(source), out, move, 4, model="toy", chunk=50, resume=True).chunks)
"""


def start(folder: Path, source: Path, out: Path, pause: float) -> subprocess.Popen:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", SLOW, str(folder), str(source), str(out), str(pause)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def manifests(out: Path) -> Path:
    inside = out / "_holdfast"
    return (inside if out.suffix == ".parquet" else out.with_name(out.name + ".holdfast")) / "chunks"


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".parquet", ".npy"])
def test_killed_twice_and_resumed_without_losing_or_redoing_a_row(tmp_path, suffix) -> None:
    """With SIGKILL, at moments when some chunks are done and one is being written."""
    written(tmp_path / "matrix.npy", MATRIX)
    source, out = tmp_path / f"g{suffix}", tmp_path / f"new{suffix}"
    pq.write_table(table(), source) if suffix == ".parquet" else written(source)
    for done in (3, 9):
        process = start(tmp_path, source, out, 0.1)
        while len(list(manifests(out).glob("*.json"))) < done:
            assert process.poll() is None
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert not verify(out).passed
        assert "not finished" in verify(out).problems[0]
    stamps = {path.name: path.stat().st_mtime_ns for path in manifests(out).glob("*.json")}
    assert 9 <= len(stamps) < 21
    finished = start(tmp_path, source, out, 0.0)
    assert finished.communicate(timeout=120)[0].strip() == str((21 - len(stamps), 21))
    assert all((manifests(out) / name).stat().st_mtime_ns == stamp for name, stamp in stamps.items())
    logged = (tmp_path / "log").read_text().split()
    assert len(logged) == len(set(logged)), "a chunk was done twice"
    assert verify(out, open_source(source)).passed
    if suffix == ".parquet":
        back = pq.read_table(out)
        assert back.column("id").to_pylist() == IDS.tolist()
        found = np.array(back.column("embedding").to_pylist())
    else:
        found = np.load(out)
    assert np.allclose(found, MOVED, atol=1e-6)


@pytest.mark.slow
def test_two_processes_share_a_folder_and_do_each_chunk_once(tmp_path) -> None:
    written(tmp_path / "matrix.npy", MATRIX)
    source, out = written(tmp_path / "g.npy"), tmp_path / "new.npy"
    both = [start(tmp_path, source, out, 0.1) for _ in range(2)]
    counts = [eval(process.communicate(timeout=120)[0])[0] for process in both]
    assert sum(counts) == 21
    assert min(counts) > 0, "both had a share"
    assert sorted(map(int, (tmp_path / "log").read_text().split())) == list(range(21))
    assert np.allclose(np.load(out), MOVED, atol=1e-6)
    assert verify(out).passed


def test_an_interrupted_call_gives_its_claims_back_and_goes_on(tmp_path) -> None:
    """In one process: the third chunk stops it."""
    source = open_source(written(tmp_path / "g.npy"))
    read = source.read

    def stumbling(start: int, stop: int):
        if start == 200:
            raise KeyboardInterrupt
        return read(start, stop)

    source.read = stumbling  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        moved(source, tmp_path / "new.npy", chunk=100)
    source.read = read  # type: ignore[method-assign]
    with pytest.raises(InputError, match="nothing is overwritten; resume goes on"):
        moved(source, tmp_path / "new.npy", chunk=100)
    done = moved(source, tmp_path / "new.npy", chunk=100, resume=True)
    assert 0 < done.chunks[0] < 11
    assert np.allclose(np.load(done.out), MOVED, atol=1e-6)
    once_more = moved(source, tmp_path / "new.npy", chunk=100, resume=True)
    assert once_more.chunks == (0, 11)


def test_another_job_is_not_resumed(tmp_path) -> None:
    source, out = open_source(written(tmp_path / "g.npy")), tmp_path / "new.npy"
    moved(source, out, chunk=100)
    with pytest.raises(InputError, match="must be resumed with the same model"):
        moved(source, out, chunk=100, resume=True, model="other")
    with pytest.raises(InputError, match="must be resumed with the same chunk"):
        moved(source, out, chunk=99, resume=True)
    written(tmp_path / "g.npy", OLD + 1)
    with pytest.raises(InputError, match="must be resumed with the same source"):
        moved(open_source(tmp_path / "g.npy"), out, chunk=100, resume=True)


def test_a_job_killed_while_it_finishes_is_finished_on_resuming(tmp_path) -> None:
    """After the file was moved to its place, and before that was noted."""
    source = open_source(written(tmp_path / "g.npy"))
    done = moved(source, tmp_path / "new.npy", chunk=100)
    (tmp_path / "new.npy.holdfast" / "done.json").unlink()
    moved(source, tmp_path / "new.npy", chunk=100, resume=True)
    assert np.allclose(np.load(done.out), MOVED, atol=1e-6)
    assert verify(done.out).passed


# -------------------------------------------------------------------------------------- damage and bad rows
def test_damage_is_found(tmp_path) -> None:
    source = open_source(written(tmp_path / "g.npy"))
    out = moved(source, tmp_path / "new.npy", chunk=100).out
    with out.open("r+b") as file:
        file.seek(-5000, 2)
        file.write(b"\x01")
    assert "the vectors are not those that were written" in verify(out).problems[0]
    pq.write_table(table(), tmp_path / "g.parquet")
    out = moved(open_source(tmp_path / "g.parquet"), tmp_path / "new.parquet", chunk=500).out
    part = out / "part-000001.parquet"
    kept = pq.read_table(part)
    pq.write_table(kept.set_column(0, "id", pa.array(kept.column("id").to_pylist()[::-1])), part)
    assert "chunk 1 (rows 500 to 999): the ids are not those" in verify(out).problems[0]
    pq.write_table(kept, part)
    assert verify(out).passed
    pq.write_table(kept, out / "strange.parquet")
    assert "files that no chunk wrote" in verify(out).problems[0]
    part.unlink()
    assert "cannot be read" in verify(out).problems[0]


@pytest.mark.parametrize("suffix", [".npy", ".parquet"])
def test_bad_rows_are_counted_or_left_out(tmp_path, suffix) -> None:
    spoilt = OLD.copy()
    spoilt[[5, 250, 251]] = np.nan
    spoilt[600, 3] = np.inf
    if suffix == ".npy":
        spoilt = spoilt.astype(np.float64)
        spoilt[600, 3] = 1e300  # finite, but not as float32
    source = tmp_path / f"g{suffix}"
    pq.write_table(table(x=spoilt), source) if suffix == ".parquet" else written(source, spoilt)
    with pytest.raises(InputError, match=r"1 rows with NaN or infinity among rows 0 to 99, the first is row 5 \(id"):
        moved(open_source(source), tmp_path / f"a{suffix}", chunk=100)
    out = tmp_path / f"b{suffix}"
    done = moved(open_source(source), out, chunk=100, drop_bad=True)
    assert (done.rows, done.dropped) == (ROWS - 4, 4)
    kept = np.delete(np.arange(ROWS), [5, 250, 251, 600])
    assert verify(out, open_source(source)).passed
    lines = (manifests(out).parent / "dropped.csv").read_text().splitlines()
    assert [int(line.split(",")[0]) for line in lines[1:]] == [5, 250, 251, 600]
    if suffix == ".npy":
        assert np.allclose(np.load(out), MOVED[kept], atol=1e-6)
        assert np.array_equal(np.load(tmp_path / "b.npy.rows.npy"), kept)
    else:
        assert pq.read_table(out).column("id").to_pylist() == IDS[kept].tolist()
        assert '600,"doc 600"' in lines


def test_missing_lists_are_bad_rows(tmp_path) -> None:
    values = [None if i == 3 else row.tolist() for i, row in enumerate(OLD[:10])]
    values[7][2] = None
    for kind in (pa.list_(pa.float32()), pa.list_(pa.float32(), 8)):
        pq.write_table(pa.table({"embedding": pa.array(values, kind)}), tmp_path / "g.parquet")
        chunk = open_source(tmp_path / "g.parquet").read(0, 10)
        assert chunk.bad().tolist() == [3, 7]
        assert np.array_equal(chunk.vectors[4], OLD[4])


def test_nothing_is_overwritten(tmp_path) -> None:
    source = open_source(written(tmp_path / "g.npy"))
    written(tmp_path / "mine.npy")
    for resume in (False, True):
        with pytest.raises(InputError, match="nothing is overwritten"):
            moved(source, tmp_path / "mine.npy", resume=resume)
    with pytest.raises(InputError, match="nothing is overwritten"):
        moved(source, tmp_path / "g.npy")
    assert np.array_equal(np.load(tmp_path / "mine.npy"), OLD)


def test_the_source_gets_nothing_new(tmp_path) -> None:
    folder = tmp_path / "gallery"
    folder.mkdir()
    pq.write_table(table(), folder / "a.parquet")
    with pytest.raises(InputError, match=r"must not lie in .*gallery, which is only read"):
        moved(open_source(folder), folder / "deeper" / "new.parquet")
    assert [path.name for path in folder.iterdir()] == ["a.parquet"]


def test_a_sample_is_from_all_over_the_store(tmp_path) -> None:
    spoilt = OLD.copy()
    spoilt[500:510] = np.nan
    rows, bad = sampled(open_source(written(tmp_path / "g.npy", spoilt)), 500)
    assert 0 <= bad <= 10 / 500
    assert len(rows) == round(500 * (1 - bad))
    assert np.array_equal(rows.vectors, OLD[rows.ids])
    assert np.diff(rows.ids).max() < 2 * ROWS / 20
    for rows, sample in ((10, 3), (1000, 999), (5, 50), (100, 100)):
        chosen = np.concatenate([np.arange(a, b) for a, b in runs(rows, sample, np.random.default_rng(rows))])
        assert len(set(chosen.tolist())) == len(chosen) == min(rows, sample)
        assert chosen.max() < rows


def test_a_function_that_gives_another_shape_writes_nothing(tmp_path) -> None:
    source = open_source(written(tmp_path / "g.npy"))
    with pytest.raises(InputError, match=r"must give shape \(100, 4\); received shape \(100, 3\)"):
        rewrite(source, tmp_path / "new.npy", lambda x, side: x[:, :3], 4, model="toy", chunk=100)
    assert not (tmp_path / "new.npy").exists()
