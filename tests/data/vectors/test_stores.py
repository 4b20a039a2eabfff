"""Kinds of store: parquet, npy, FAISS, streams; and files that are refused."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from holdfast.data.vectors import ArraySource, VectorSource, open_source, rewrite, verify
from holdfast.errors import InputError
from toy_gallery import IDS, MOVED, OLD, RNG, ROWS, lists, move, table, written

faiss = pytest.importorskip("faiss", reason="faiss-cpu is not installed")


def moved(source: VectorSource, out, **options):
    return rewrite(source, out, move, 4, model="toy", **options)


# ------------------------------------------------------------------------------------------------------- kinds of store
@pytest.mark.parametrize("kind", ["fixed", "list", "large"])
@pytest.mark.parametrize("group", [100, 5000])
def test_parquet_to_parquet(tmp_path, kind, group) -> None:
    pq.write_table(table(kind), tmp_path / "g.parquet", row_group_size=group)
    source = open_source(tmp_path / "g.parquet")
    done = moved(source, tmp_path / "new.parquet", chunk=150)
    assert (done.rows, done.dropped, done.chunks) == (ROWS, 0, (7, 7))
    back = pq.read_table(tmp_path / "new.parquet")  # as anybody reads a folder of parquet files
    assert back.column("id").to_pylist() == IDS.tolist()
    assert back.column("year").to_pylist() == (np.arange(ROWS) % 30).tolist()
    assert back.schema.field("embedding").type.list_size == 4
    found = np.array(back.column("embedding").to_pylist(), np.float32)
    assert np.allclose(found, MOVED, atol=1e-6)
    assert verify(tmp_path / "new.parquet", source).passed
    again = open_source(tmp_path / "new.parquet")
    assert (again.rows, again.dim) == (ROWS, 4)


def test_rows_can_be_read_in_any_order(tmp_path) -> None:
    folder = tmp_path / "parts"
    folder.mkdir()
    for k, rows in enumerate((slice(0, 300), slice(300, 310), slice(310, ROWS))):
        pq.write_table(table().slice(rows.start, rows.stop - rows.start), folder / f"{k}.parquet", row_group_size=64)
    source = open_source(folder)
    for start, stop in [(0, 10), (5, 305), (295, 320), (1000, ROWS), (0, ROWS), (128, 129), (130, 131), (64, 128)]:
        chunk = source.read(start, stop)
        assert np.array_equal(chunk.vectors, OLD[start:stop])
        assert chunk.ids.tolist() == IDS[start:stop].tolist()


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_npy_to_npy(tmp_path, order, dtype) -> None:
    source = open_source(written(tmp_path / "g.npy", np.asarray(OLD, dtype, order=order)))
    done = moved(source, tmp_path / "new.npy", chunk=100)
    assert np.allclose(np.load(done.out), move(OLD.astype(dtype)), atol=1e-6)
    assert verify(done.out, source) == verify(done.out)
    assert verify(done.out).passed


@pytest.mark.parametrize(
    ("description", "ids"),
    [
        *((kind, False) for kind in ("Flat", "HNSW8", "IVF4,Flat", "SQfp16", "PQ4x4")),
        *((f"{wrap},{kind}", True) for wrap, kind in (("IDMap", "Flat"), ("IDMap2", "Flat"), ("IDMap", "SQfp16"))),
        *((kind, True) for kind in ("IVF4,Flat", "IVF4,SQfp16", "IVF4,PQ4x4")),
    ],
)
def test_faiss_to_faiss(tmp_path, description, ids) -> None:
    index = faiss.index_factory(8, description)
    index.train(OLD)
    names = np.random.default_rng(1).permutation(ROWS).astype(np.int64) * 3 + 7 if ids else np.arange(ROWS)
    index.add_with_ids(OLD, names) if ids else index.add(OLD)
    faiss.write_index(index, str(tmp_path / "g.index"))
    source = open_source(tmp_path / "g.index")
    done = moved(source, tmp_path / "new.index", chunk=300)
    index, made = faiss.read_index(str(tmp_path / "g.index")), faiss.read_index(str(done.out))
    assert (type(made), made.ntotal, made.d, made.metric_type) == (type(index), ROWS, 4, index.metric_type)
    if hasattr(made, "nprobe"):
        made.nprobe = 4
    found = made.search(MOVED[:50], 3)[1]
    hits = np.mean([names[i] in found[i] for i in range(50)])
    assert hits > (0.3 if "PQ" in description else 0.97), hits
    assert verify(done.out, source).passed


def test_an_index_that_cannot_be_made_again_is_refused(tmp_path) -> None:
    index = faiss.index_factory(8, "PCA4,Flat")
    index.train(OLD)
    index.add(OLD)
    faiss.write_index(index, str(tmp_path / "g.index"))
    with pytest.raises(InputError, match=r"can be made again.*IndexPreTransform"):
        open_source(tmp_path / "g.index")
    index = faiss.index_factory(8, "LSH")
    index.train(OLD)
    index.add(OLD)
    faiss.write_index(index, str(tmp_path / "h.index"))
    with pytest.raises(InputError, match="IndexLSH"):
        open_source(tmp_path / "h.index")
    source = open_source(written(tmp_path / "g.npy"))
    with pytest.raises(InputError, match="must not be an index where the source is none"):
        moved(source, tmp_path / "n.index")


def test_an_id_of_several_vectors_is_refused_where_only_one_of_them_would_be_read(tmp_path) -> None:
    ids = np.arange(ROWS)
    ids[7] = 3
    for kind in ("IVF4,Flat", "IDMap,Flat"):
        index = faiss.index_factory(8, kind)
        index.train(OLD)
        index.add_with_ids(OLD, ids)
        faiss.write_index(index, str(tmp_path / "g.index"))
        if kind == "IDMap,Flat":
            assert np.array_equal(open_source(tmp_path / "g.index").read(0, ROWS).vectors, OLD)
        else:
            with pytest.raises(InputError, match=r"must have every id once.*3 more than once"):
                open_source(tmp_path / "g.index")


def test_side_information_travels_with_its_rows(tmp_path) -> None:
    side = RNG.normal(size=(ROWS, 3)).astype(np.float32)
    wanted = move(OLD, side)
    written(tmp_path / "g.npy")
    written(tmp_path / "s.npy", side)
    done = moved(open_source(tmp_path / "g.npy", side=tmp_path / "s.npy"), tmp_path / "a.npy", chunk=100)
    assert np.allclose(np.load(done.out), wanted, atol=1e-6)
    pq.write_table(table().append_column("psi", lists(side)), tmp_path / "g.parquet", row_group_size=77)
    source = open_source(tmp_path / "g.parquet", column="embedding", side_column="psi")
    done = moved(source, tmp_path / "b.parquet", chunk=100)
    back = pq.read_table(done.out)
    assert np.allclose(np.array(back.column("embedding").to_pylist()), wanted, atol=1e-6)
    assert np.allclose(np.array(back.column("psi").to_pylist()), side)
    written(tmp_path / "t.npy", side[:5])
    with pytest.raises(InputError, match=r"must have as many rows as .* \(1003\); received 5"):
        open_source(tmp_path / "g.npy", side=tmp_path / "t.npy")


# --------------------------------------------------------------------------------------------------------- wrong files
def test_wrong_files_are_named(tmp_path) -> None:
    def refused(words: str, name: str, **options) -> None:
        with pytest.raises(InputError, match=words):
            open_source(tmp_path / name, **options)

    np.save(tmp_path / "objects.npy", np.array([{}, None], dtype=object), allow_pickle=True)
    refused("must hold plain numbers, not Python objects", "objects.npy")
    written(tmp_path / "flat.npy", OLD[0])
    refused("must be a matrix of numbers", "flat.npy")
    written(tmp_path / "none.npy", OLD[:0])
    refused("must not be empty", "none.npy")
    (tmp_path / "cut.npy").write_bytes(written(tmp_path / "g.npy").read_bytes()[:4000])
    refused("must be a whole npy file", "cut.npy")
    (tmp_path / "words.npy").write_text("no numbers")
    refused("must be a whole npy file", "words.npy")
    refused("must be a file; received nothing there", "missing.npy")
    refused("must end in", "g.csv")
    refused("only parquet files have columns", "g.npy", column="x")
    ragged = pa.array([[1.0, 2.0], [1.0, 2.0], [1.0]])
    pq.write_table(pa.table({"embedding": ragged}), tmp_path / "ragged.parquet")
    with pytest.raises(InputError, match=r"lists of one length \(2, as the first\); received 1 in row 2"):
        open_source(tmp_path / "ragged.parquet").read(0, 3)
    pq.write_table(pa.table({"embedding": ["a"], "x": [1.0]}), tmp_path / "text.parquet")
    refused("must hold lists of numbers; received string", "text.parquet", column="embedding")
    refused("must have a column 'embeding'", "text.parquet", column="embeding")
    refused("must have one column of lists", "text.parquet")
    (tmp_path / "folder.parquet").mkdir()
    refused("must hold parquet files; received none", "folder.parquet")
    pq.write_table(table().slice(0, 0), tmp_path / "empty.parquet")
    refused("must have at least one row", "empty.parquet")
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 no")
    refused("must be a readable parquet file", "bad.parquet")
    (tmp_path / "bad.index").write_bytes(b"no index")
    refused("must be a FAISS index", "bad.index")
    with pytest.raises(InputError, match="ids: must have one value per vector"):
        ArraySource(OLD, IDS[:4])
