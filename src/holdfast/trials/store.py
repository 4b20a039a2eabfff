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

from filelock import FileLock

from holdfast.errors import HoldfastError
from holdfast.experiment import Record

TIMEOUT_S = 30.0
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
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # SQLite does not wait for its own locks while it changes the mode of a file that others open just then.
            with FileLock(path.with_name(f".{path.name}.lock"), timeout=TIMEOUT_S):
                self._db = sqlite3.connect(path, timeout=TIMEOUT_S, isolation_level=None, check_same_thread=False)
                self._prepare()
        except (sqlite3.OperationalError, OSError) as error:
            raise HoldfastError(f"{path}: cannot be opened ({error}); choose another folder") from error
        except sqlite3.Error as error:
            raise HoldfastError(f"{path}: cannot be used as a store ({error}); move it away to start afresh") from error

    def _prepare(self) -> None:
        try:
            for statement in ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", SCHEMA):
                self._db.execute(statement)
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
            raise HoldfastError(f"{self.path}: cannot be written ({error}); finished trials are kept") from error

    def get(self, keys: Iterable[str]) -> dict[str, Record]:
        """The records that are there, by key, in the order asked for."""
        wanted = list(dict.fromkeys(keys))
        try:
            rows = {row[0]: row[1:] for row in self._db.execute(GET, [json.dumps(wanted)])}
        except sqlite3.Error as error:
            raise HoldfastError(f"{self.path}: cannot be read ({error}); move it away to start afresh") from error
        found: dict[str, Record] = {}
        for key in wanted:
            if key in rows:
                text, checksum = rows[key]
                if checksum != _checksum(key, text):
                    raise HoldfastError(
                        f"{self.path}: record {key[:12]} does not match its checksum; it was damaged or edited. "
                        "Move the file away and run again"
                    )
                found[key] = record_from_json(json.loads(text))
        return found

    def close(self) -> None:
        """Release the file."""
        self._db.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def record_from_json(data: dict[str, Any]) -> Record:
    """A record from the JSON of its fields; unknown fields are an error."""
    return Record(**data)


def _checksum(key: str, text: str) -> str:
    return hashlib.sha256(f"{key}\n{text}".encode()).hexdigest()
