"""The records of a run folder."""

from __future__ import annotations

import dataclasses
import json
import os
import sqlite3
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import HoldfastError
from holdfast.experiment import Record
from holdfast.trials.store import Store, record_from_json

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


def record(key: str = "k", status: Any = "ok", **fields: Any) -> Record:
    return Record(key, "arm", "problem", {}, 0, status, artifacts=[], **fields)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "trials.sqlite"


@given(
    st.builds(
        Record,
        key=st.text(min_size=1),
        arm=st.text(),
        problem=st.text(),
        point=st.dictionaries(st.text(), st.integers() | st.text()),
        replicate=st.none() | st.integers(),
        status=st.sampled_from(["ok", "failed"]),
        scalars=st.dictionaries(st.text(), NUMBERS),
        cost=st.dictionaries(st.text(), NUMBERS),
        curves=st.dictionaries(st.text(), st.lists(NUMBERS).map(lambda v: {"x": v, "y": v, "x_label": "step"})),
        artifacts=st.lists(st.dictionaries(st.text(), st.text())),
        error=st.text(),
    )
)
def test_a_record_comes_back(made: Record) -> None:
    assert record_from_json(json.loads(json.dumps(dataclasses.asdict(made)))) == made
    if "\x00" not in made.key and made.key.isprintable():
        with tempfile.TemporaryDirectory() as folder, Store(Path(folder, "trials.sqlite")) as store:
            store.put(made)
            assert store.get([made.key]) == {made.key: made}


def test_records_outlive_the_process_and_come_in_the_order_asked_for(path: Path) -> None:
    with Store(path) as store:
        for key in "abc":
            store.put(record(key))
    with Store(path) as store:
        assert list(store.get(["c", "x", "a", "c"])) == ["c", "a"]
        assert store.get([]) == {}


def test_a_finished_trial_is_never_overwritten(path: Path) -> None:
    with Store(path) as store:
        store.put(record(scalars={"m": 1.0}))
        store.put(record(scalars={"m": 2.0}))
        store.put(record(status="failed", error="later"))
        assert store.get(["k"])["k"] == record(scalars={"m": 1.0})


def test_a_failed_trial_is_replaced(path: Path) -> None:
    with Store(path) as store:
        for made in (record(status="failed", error="one"), record(status="failed", error="two"), record()):
            store.put(made)
            assert store.get(["k"])["k"] == made


@pytest.mark.parametrize(
    "edit",
    [
        "UPDATE trials SET record = replace(record, '81.5', '91.5')",
        "UPDATE trials SET key = 'other' WHERE key = 'k'",
        "UPDATE trials SET checksum = ''",
    ],
)
def test_an_edited_row_is_noticed(path: Path, edit: str) -> None:
    with Store(path) as store:
        store.put(record(scalars={"m": 81.5}))
        store.put(record("elsewhere"))
    with sqlite3.connect(path) as db:
        assert db.execute(edit).rowcount
    db.close()
    with (
        Store(path) as store,
        pytest.raises(HoldfastError, match="does not match its checksum; it was damaged or edited"),
    ):
        store.get(["k", "other"])


def test_numbers_that_json_lacks_never_enter(path: Path) -> None:
    with Store(path) as store:
        with pytest.raises(ValueError, match="not JSON compliant"):
            store.put(record(scalars={"m": float("nan")}))
        assert store.get(["k"]) == {}


def assert_one_line(error: HoldfastError, path: Path) -> None:
    assert str(path) in str(error)
    assert "\n" not in str(error)


@pytest.mark.parametrize(
    "content", [b"no database at all, but long enough to be one" * 99, b"SQLite format 3\0" + b"\xff" * 5000]
)
def test_a_file_that_is_no_store(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(HoldfastError, match=r"cannot be used as a store .*; move it away") as caught:
        Store(path)
    assert_one_line(caught.value, path)
    assert path.read_bytes() == content


def test_a_store_damaged_in_the_middle(path: Path) -> None:
    with Store(path) as store:
        for i in range(200):
            store.put(record(f"{i}", error="x" * 500))
    data = bytearray(path.read_bytes())
    data[8192:-4096] = b"\x5a" * (len(data) - 12288)
    path.write_bytes(data)
    with pytest.raises(HoldfastError) as caught, Store(path) as store:
        store.get(map(str, range(200)))
    assert_one_line(caught.value, path)


def test_a_table_of_someone_else(path: Path) -> None:
    path.parent.mkdir()
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE trials (a)")
    db.close()
    with pytest.raises(HoldfastError, match="holds something else than the one table of trials"):
        Store(path)


def test_a_place_where_no_file_can_be(tmp_path: Path) -> None:
    (tmp_path / "trials.sqlite").mkdir()
    with pytest.raises(HoldfastError, match="cannot be opened"):
        Store(tmp_path / "trials.sqlite")


def test_readers_see_whole_records_while_others_write(path: Path) -> None:
    done, all_here = threading.Event(), threading.Barrier(4)

    def write(name: str) -> int:
        all_here.wait()
        with Store(path) as store:
            for i in range(30):
                store.put(record(f"{name}{i}", curves={"c": {"x": [i] * 200, "y": [i] * 200, "x_label": ""}}))
        return 30

    def read() -> int:
        all_here.wait()
        seen = 0
        with Store(path) as store:
            while not done.is_set():
                found = store.get(f"{name}{i}" for name in "ab" for i in range(30))
                assert all(len(r.curves["c"]["y"]) == 200 for r in found.values())
                assert len(found) >= seen
                seen = len(found)
        return seen

    with ThreadPoolExecutor(4) as pool:
        readers = [pool.submit(read) for _ in range(2)]
        written = [pool.submit(write, name) for name in "ab"]
        try:
            assert [w.result(60) for w in written] == [30, 30]
        finally:
            done.set()
        assert all(r.result(60) <= 60 for r in readers)
    with Store(path) as store:
        assert len(store.get(f"{name}{i}" for name in "ab" for i in range(30))) == 60


def test_damage_that_would_hide_a_record_is_noticed(path: Path) -> None:
    with Store(path) as store:
        store.put(record("a-key-that-is-found-by-an-index"))
    data = path.read_bytes()
    # The first is in the row, the last in the index; in between it is in the record, which has a checksum of its own.
    for at in (data.index(b"a-key-that-is-found"), data.rindex(b"a-key-that-is-found")):
        path.write_bytes(data[:at] + b"b" + data[at + 1 :])
        with pytest.raises(
            HoldfastError, match=r"cannot be used as a store .*; move it away, with what is named like it"
        ):
            Store(path)
    path.write_bytes(data)
    with Store(path) as store:
        assert len(store.get(["a-key-that-is-found-by-an-index"])) == 1


@pytest.mark.skipif(os.name == "nt", reason="limits are those of POSIX")
def test_a_full_disk_is_no_damage(path: Path) -> None:
    import resource
    import signal

    with Store(path) as store:
        store.put(record("before"))
        limits, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
            with pytest.raises(HoldfastError, match=r"cannot be written .*; free space and run again") as caught:
                store.put(record("large", error="x" * 100_000))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            signal.signal(signal.SIGXFSZ, handler)
        assert_one_line(caught.value, path)
        store.put(record("after"))
        assert set(store.get(["before", "large", "after"])) == {"before", "after"}
