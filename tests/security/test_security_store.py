"""A store from a stranger: SQL in names, other schemas, triggers, views, forged rows, huge values."""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest

from holdfast.errors import HoldfastError
from holdfast.experiment import Record
from holdfast.trials import store as store_module
from holdfast.trials.store import SCHEMA, Store

TABLE = SCHEMA.replace("IF NOT EXISTS ", "")
ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"
SCHEMAS = {
    "a view": "CREATE VIEW trials AS SELECT 'k' AS key, 'ok' AS status, '{}' AS record, '' AS checksum, 0 AS finished",
    "a view without end": f"CREATE VIEW trials AS SELECT i AS key, i AS status, i AS record FROM ({ENDLESS})",
    "a trigger": f"{TABLE}; CREATE TRIGGER go AFTER INSERT ON trials BEGIN DELETE FROM trials; END",
    "a trigger that rewrites": f"{TABLE}; CREATE TRIGGER go AFTER INSERT ON trials BEGIN UPDATE trials SET key=1; END",
    "a second table": f"{TABLE}; CREATE TABLE other (a)",
    "an index on an expression": f"{TABLE}; CREATE INDEX i ON trials (upper(record))",
    "other columns": "CREATE TABLE trials (key, status, record, checksum, finished, more)",
    "a column that computes": TABLE.replace("finished REAL NOT NULL", "finished REAL AS (upper(key))"),
    "a check that computes": TABLE.replace("status TEXT NOT NULL", "status TEXT NOT NULL CHECK (randomblob(9) != '')"),
    "a virtual table": "CREATE VIRTUAL TABLE trials USING fts5(key, status, record, checksum, finished)",
    "no constraint": TABLE.replace("PRIMARY KEY", ""),
}  # fmt: skip
QUOTES = ("'; DROP TABLE trials; --", '" OR 1=1', "k' UNION SELECT 1,2,3 --", "%", "_", "\\", "[1, 2]", "$.a")


def a_record(key: str = "k", **fields: Any) -> Record:
    return Record(key, "arm", "problem", {}, 0, "ok", {"m": 1.0}, **fields)


@pytest.mark.parametrize("what", SCHEMAS)
def test_only_the_declared_schema_is_used(what: str, tmp_path: Path, attack: Any) -> None:
    counted = attack(
        "A store with SQL of a stranger's",
        "views (one without end), triggers, computed columns, checks, indexes on expressions, virtual and other tables",
        "refused in one line before any of it runs",
    )
    path = tmp_path / "trials.sqlite"
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.executescript(SCHEMAS[what])
    start = time.process_time()
    with pytest.raises(HoldfastError, match="something else than the one table of trials") as error:
        Store(path)
    assert "\n" not in str(error.value)
    assert time.process_time() - start < 10
    counted.again()


def test_names_are_values_and_never_sql(tmp_path: Path, attack: Any) -> None:
    counted = attack(
        "SQL in keys and names", "quotes, comments, UNION, wildcards, JSON paths", "kept and found again as they are"
    )
    with Store(tmp_path / "trials.sqlite") as store:
        for text in QUOTES:
            store.put(Record(text, text, text, {text: text}, 0, "ok", {text: 1.0}, error=text))
        store.put(a_record())
        assert list(store.get(QUOTES)) == list(QUOTES)
        assert store.get([QUOTES[0]])[QUOTES[0]].scalars == {QUOTES[0]: 1.0}
        assert store.get(["nobody"]) == {}
        assert set(store.get(["k"])) == {"k"}
    counted.again(len(QUOTES))


FORGED = {
    "a text for a number": {"scalars": {"m": "<script>"}},
    "no number": {"scalars": {"m": float("nan")}},
    "a list for a mapping": {"scalars": [1]},
    "a field nobody knows": {"__class__": "os.system"},
    "a path for a status": {"status": "../../x"},
    "a curve that is none": {"curves": {"c": {"x": [1], "y": "abc", "x_label": ""}}},
    "curves of two lengths": {"curves": {"c": {"x": [1], "y": [1, 2], "x_label": ""}}},
    "an artifact that is none": {"artifacts": [{"name": 7}]},
    "a replicate that is none": {"replicate": "1000"},
    "a number nobody can hold": {"cost": {"seconds": 10**400}},
}


@pytest.mark.parametrize("what", FORGED)
def test_forged_records_are_refused(what: str, tmp_path: Path, attack: Any) -> None:
    counted = attack(
        "Forged records",
        "rows with a right checksum whose fields hold texts for numbers, unknown fields, lists for mappings",
        "refused in one line",
    )
    path = tmp_path / "trials.sqlite"
    with Store(path) as store:
        store.put(a_record())
    plain = {"key": "k", "arm": "a", "problem": "p", "point": {}, "replicate": 0, "status": "ok"}
    _replace(path, json.dumps({**plain, **FORGED[what]}))
    with pytest.raises(HoldfastError, match="is none") as error, Store(path) as store:
        store.get(["k"])
    assert "\n" not in str(error.value)
    counted.again()


def _replace(path: Path, text: str) -> None:
    checksum = hashlib.sha256(f"k\n{text}".encode()).hexdigest()
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("UPDATE trials SET record = ?, checksum = ?", (text, checksum))


def test_huge_and_deep_values_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, attack: Any) -> None:
    counted = attack(
        "Huge values in a store",
        "a blob beyond the limit, JSON nested 200,000 deep",
        "refused in one line, nothing reserved",
    )
    monkeypatch.setattr(store_module, "LONGEST_RECORD", 2**16)
    path = tmp_path / "trials.sqlite"
    with Store(path) as store:
        store.put(a_record())
    for value in ("zeroblob(1000000)", "printf('%.*c', 1000000, 'x')"):
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
            db.execute(f"UPDATE trials SET record = {value}")
        with pytest.raises(HoldfastError, match="cannot be"), Store(path) as store:
            store.get(["k"])
        counted.again()
    monkeypatch.setattr(store_module, "LONGEST_RECORD", 2**28)
    _replace(path, "[" * 200_000 + "]" * 200_000)
    with pytest.raises(HoldfastError, match="is none"), Store(path) as store:
        store.get(["k"])
    counted.again()


def test_a_store_of_bytes_is_refused(tmp_path: Path, attack: Any) -> None:
    counted = attack("Bytes for text in a store", "keys, records and checksums that are blobs", "refused or not found")
    path = tmp_path / "trials.sqlite"
    with Store(path) as store:
        store.put(a_record())
    for column in ("record", "checksum"):
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
            db.execute(f"UPDATE trials SET {column} = CAST({column} AS BLOB)")
        with pytest.raises(HoldfastError), Store(path) as store:
            store.get(["k"])
        counted.again()
