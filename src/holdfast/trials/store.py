"""The records of a run folder, in one SQLite file. A finished trial is in it, whole, or it is not."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import sqlite3
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

from filelock import FileLock, Timeout

from holdfast.errors import HoldfastError
from holdfast.experiment import Record
from holdfast.trials.records import check_record

TIMEOUT_S = 30.0
LONGEST_RECORD = 2**28  # bytes; a store can declare any length, and SQLite would reserve it
SCHEMA = """
CREATE TABLE IF NOT EXISTS trials (
    key TEXT PRIMARY KEY,
    status TEXT NOT NULL,
    record TEXT NOT NULL,
    checksum TEXT NOT NULL,
    finished REAL NOT NULL
)
"""

# A failed trial is replaced by a later try, a finished one by nothing.
KEEP = """
INSERT INTO trials VALUES (?, ?, ?, ?, ?) ON CONFLICT(key) DO UPDATE SET
    status = excluded.status, record = excluded.record, checksum = excluded.checksum, finished = excluded.finished
    WHERE trials.status != 'ok'
"""

AFRESH = "move it away, with what is named like it, and run again"

GET = "SELECT key, record, checksum FROM trials WHERE key IN (SELECT value FROM json_each(?))"


class Store:
    """Records by key.

    Args:
        path: the file; made where there is none.

    Raises:
        HoldfastError: the file is no store or was damaged or edited; names it and says what to do.

    Example:
        >>> import tempfile, pathlib
        >>> from holdfast.experiment import Record
        >>> with Store(pathlib.Path(tempfile.mkdtemp()) / "trials.sqlite") as store:
        ...     store.put(Record("k", "arm", "problem", {}, 0, "ok", {"m": 1.0}))
        ...     store.get(["k"])["k"].scalars
        {'m': 1.0}
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        _check_links(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # SQLite does not wait for its own locks while it changes the mode of a file that others open just then.
            with FileLock(path.with_name(f".{path.name}.lock"), timeout=TIMEOUT_S):
                self._db = sqlite3.connect(path, timeout=TIMEOUT_S, isolation_level=None, check_same_thread=False)
                self._prepare()
        except (sqlite3.OperationalError, OSError, Timeout) as error:
            raise HoldfastError(f"{path}: cannot be opened ({error}); free space or choose another folder") from error
        except sqlite3.Error as error:
            raise HoldfastError(f"{path}: cannot be used as a store ({error}); {AFRESH}") from error

    def _prepare(self) -> None:
        try:
            self._db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST_RECORD)
            for statement in ("PRAGMA trusted_schema=OFF", "PRAGMA synchronous=FULL", SCHEMA):
                self._db.execute(statement)
            _check_schema(self._db)
            self._db.execute("PRAGMA journal_mode=WAL")
            # The rows have checksums of their own; this is for what finds them, where damage would hide a record.
            (sound,) = self._db.execute("PRAGMA integrity_check(1)").fetchone()
            if sound != "ok":
                raise sqlite3.DatabaseError(" ".join(str(sound).split()))
        except sqlite3.Error:
            self._db.close()
            raise

    def put(self, record: Record) -> None:
        """Keep a record; a failed one is replaced by a later try, a finished one never is."""
        text = json.dumps(dataclasses.asdict(record), allow_nan=False)
        row = (record.key, record.status, text, _checksum(record.key, text), time.time())
        try:
            self._db.execute(KEEP, row)
        except sqlite3.Error as error:
            remedy = "free space and run again: finished trials are kept" if _is_outer(error) else AFRESH
            raise HoldfastError(f"{self.path}: cannot be written ({error}); {remedy}") from error

    def get(self, keys: Iterable[str]) -> dict[str, Record]:
        """The records that are there, by key, in the order asked for."""
        wanted = list(dict.fromkeys(keys))
        try:
            rows = {row[0]: row[1:] for row in self._db.execute(GET, [json.dumps(wanted)])}
        except sqlite3.Error as error:
            raise HoldfastError(f"{self.path}: cannot be read ({error}); {AFRESH}") from error
        found: dict[str, Record] = {}
        for key in wanted:
            if key in rows:
                text, checksum = rows[key]
                if checksum != _checksum(key, text):
                    raise HoldfastError(
                        f"{self.path}: record {key[:12]} does not match its checksum; it was damaged or edited; "
                        f"{AFRESH}"
                    )
                found[key] = self._record(key, text)
        return found

    def _record(self, key: str, text: str) -> Record:
        try:
            return record_from_json(json.loads(text))
        except (TypeError, ValueError, RecursionError) as error:  # its checksum is right, so somebody made it so
            raise HoldfastError(f"{self.path}: record {key[:12]} is none ({error}); {AFRESH}") from error

    def close(self) -> None:
        """Release the file."""
        self._db.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def record_from_json(data: Any) -> Record:
    """A record from the JSON of its fields.

    Raises:
        TypeError: a field is unknown, missing, or holds something else than records hold.
    """
    if not isinstance(data, dict):
        raise TypeError(f"a record has fields, not {type(data).__name__}")
    record = Record(**data)
    check_record(record)
    return record


def _check_links(path: Path) -> None:
    """Refuse links in place of the store's files: in a folder from a stranger they may lead anywhere."""
    lock = path.with_name(f".{path.name}.lock")
    for file in (path, lock, *(path.with_name(f"{path.name}-{kind}") for kind in ("wal", "shm", "journal"))):
        if file.is_symlink():
            raise HoldfastError(f"{file}: is a link, and a store must be a file of its own; remove it")


def _check_schema(db: sqlite3.Connection) -> None:
    """Refuse a file whose table is a view, has triggers, or was declared otherwise: SQL of a stranger's would run."""
    found = db.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    declared = " ".join(SCHEMA.replace("IF NOT EXISTS ", "").split())
    if [" ".join(str(sql).split()) for (sql,) in found] != [declared]:
        raise sqlite3.DatabaseError("it holds something else than the one table of trials")


def _is_outer(error: sqlite3.Error) -> bool:
    """Whether the reason is the disk, its permissions or another process, and not the file's content."""
    return isinstance(error, sqlite3.OperationalError)


def _checksum(key: str, text: str) -> str:
    return hashlib.sha256(f"{key}\n{text}".encode()).hexdigest()
