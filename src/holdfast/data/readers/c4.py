"""Texts of C4's shards: jsonl, gzipped or not, with the fields text, timestamp and url."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

from holdfast.errors import InputError
from holdfast.files import check_regular


def read_c4(path: str | Path) -> Iterator[str]:
    """The texts of a shard, one after the other; nothing is held but a line.

    Args:
        path: ending in `.json`, `.jsonl`, or either with `.gz`.

    Raises:
        InputError: no such file, a damaged archive, a line that is no object with a text; names the line.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "c4-train.00000-of-01024.json.gz"
        >>> with gzip.open(file, "wt") as shard:
        ...     _ = shard.write('{"text": "A page.", "timestamp": "2019-04-25T12:57:54Z", "url": "http://a.b"}\\n')
        >>> list(read_c4(file))
        ['A page.']
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(str(path), "must be a shard of C4", "nothing there")
    check_regular(path)
    number = 0
    try:
        with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                if not line.strip():
                    continue
                found = json.loads(line)
                if not isinstance(found, dict) or not isinstance(found.get("text"), str):
                    raise InputError(f"{path}, line {number}", "must be an object with a text", line[:40])
                yield found["text"]
    except InputError:
        raise
    except (OSError, EOFError, ValueError) as error:
        raise InputError(f"{path}, line {number + 1}", "must be readable JSON", str(error)) from None
    if not number:
        raise InputError(str(path), "must hold texts", "none")


__all__ = ["read_c4"]
