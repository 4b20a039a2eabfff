"""Answers kept over runs and crashes, in a SQLite file.

A key is made of the backend, the kind of call, the question and the cells' texts, so a cell is asked about once
whatever table it is in. Every finished request is committed before the next one starts: a process that is killed loses
only the requests in flight. Several processes may use one file.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from holdfast.errors import InputError

AT_ONCE = 500
SCHEMA = "CREATE TABLE IF NOT EXISTS answers (key BLOB PRIMARY KEY, answer TEXT NOT NULL) WITHOUT ROWID"


def key_of(backend: str, kind: str, question: str, cells: Sequence[Any]) -> bytes:
    """What an answer depends on, as 32 bytes."""
    text = json.dumps([backend, kind, question, cells], ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


class AnswerCache:
    """Answers by key; in memory if no path is given. Safe to use from several threads.

    Args:
        path: the file, made if it is not there.

    Raises:
        InputError: the file cannot be used, for example because it is something else.

    Example:
        >>> from holdfast.language.cache import AnswerCache, key_of
        >>> cache = AnswerCache()
        >>> cache.put({key_of("regex", "map", "is it a loss?", ("3-2",)): "no"})
        >>> cache.get([key_of("regex", "map", "is it a loss?", ("3-2",)), b"unknown"])
        {b'...': 'no'}
    """

    def __init__(self, path: str | Path | None = None) -> None:
        self.path = None if path is None else Path(path)
        self._lock = threading.Lock()
        try:
            if self.path is not None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(
                self.path or ":memory:", timeout=60.0, isolation_level=None, check_same_thread=False
            )
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")  # safe from a kill; a power cut may lose the last
            self._connection.execute(SCHEMA)
        except (sqlite3.Error, OSError) as error:
            raise InputError("cache", f"must be a cache file or a new one ({error})", str(path)) from None

    @property
    def where(self) -> str:
        """Where the answers are, for messages."""
        return "memory" if self.path is None else str(self.path)

    def __len__(self) -> int:
        with self._lock:
            return int(self._connection.execute("SELECT count(*) FROM answers").fetchone()[0])

    def get(self, keys: Iterable[bytes]) -> dict[bytes, Any]:
        """The known ones of the answers."""
        wanted, found = list(keys), {}
        for low in range(0, len(wanted), AT_ONCE):
            part = wanted[low : low + AT_ONCE]
            marks = ",".join("?" * len(part))
            with self._lock:
                rows = self._connection.execute(f"SELECT key, answer FROM answers WHERE key IN ({marks})", part)
                found.update({key: json.loads(answer) for key, answer in rows})
        return found

    def put(self, answers: Mapping[bytes, Any]) -> None:
        """Keep answers; all of them or none, and for good once it returns."""
        rows = [(key, json.dumps(answer, ensure_ascii=True)) for key, answer in answers.items()]
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                self._connection.executemany("INSERT OR REPLACE INTO answers VALUES (?, ?)", rows)
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()


__all__ = ["AnswerCache", "key_of"]
