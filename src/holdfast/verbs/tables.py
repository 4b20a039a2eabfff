"""Tables that verbs write: csv, tsv or parquet by the ending of the name, whole or not at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from holdfast.errors import InputError
from holdfast.files import replacing
from holdfast.verbs.csvtext import CsvText, encodable, missing
from holdfast.verbs.saying import counted, say

if TYPE_CHECKING:
    import pandas as pd

SUFFIXES = (".csv", ".tsv", ".parquet", ".pq")
BETWEEN = {".csv": ",", ".tsv": "\t"}
PIECE = 65536  # rows that become text at a time


def write_table(path: Path, columns: Mapping[str, Any] | pd.DataFrame) -> None:
    """Write a table. How numbers, dates and texts look in a csv file is said in `csvtext`; parquet keeps types.

    Args:
        path: ends in .csv, .tsv, .parquet or .pq.
        columns: name -> values of one length; or a data frame, whose index is left out.

    Raises:
        InputError: another ending; the path is a folder or a device; two columns of one name.
        OSError: the file cannot be written; names it.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "plants.csv"
        >>> write_table(file, {"name": ["fern", "moss"], "height": [0.1, float("nan")]})
        >>> file.read_text()
        'name,height\\nfern,0.1\\nmoss,\\n'
    """
    check_table(path)
    items = [(str(name), values) for name, values in columns.items()]
    names = [name for name, _ in items]
    if repeated := [name for name, count in Counter(names).items() if count > 1]:
        raise InputError(str(path), "must have columns of different names", repeated[0])
    if path.suffix.lower() not in BETWEEN:
        with replacing(path) as temporary:
            _write_parquet(temporary, items)
        return
    text = CsvText(BETWEEN[path.suffix.lower()])
    rows = len(items[0][1]) if items else 0
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        file.write(text.head(names))
        for begin in range(0, rows, PIECE):
            file.write(text.rows([_part(values, slice(begin, begin + PIECE)) for _, values in items]))
    tell_defused(path, text)


def _part(values: Any, rows: slice) -> Any:
    """Rows by their place, whatever the index of a series says."""
    return values.iloc[rows] if hasattr(values, "iloc") else values[rows]


def tell_defused(path: Path, text: CsvText) -> None:
    """Say that cells of a csv file are not as they were, if there are such."""
    if text.defused:
        cells = counted(text.defused, "cell")
        say(f"{path}: {cells} of text that a spreadsheet would compute got an apostrophe before; .parquet has none")


def check_table(path: Path, name: str = "--out") -> None:
    """Refuse a name under which no table can be written, before there is one.

    Raises:
        InputError: names `name`.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(name, "must end in .csv, .tsv or .parquet", str(path))
    if path.exists() and not path.is_file():
        raise InputError(name, "must be a file or a new name", f"{path}, a {'folder' if path.is_dir() else 'device'}")


def check_apart(read: Iterable[Path | None], **written: Path | None) -> None:
    """Refuse to write one file twice, or over what is read, before anything is done.

    Args:
        read: files that are read; None where one is not given.
        written: option, with _ for - -> file.

    Raises:
        InputError: names the option.

    Example:
        >>> check_apart([Path("a.csv")], out=Path("b.csv"), report=None)
    """
    seen = {path.resolve(): "one that is read" for path in read if path is not None}
    for name, path in written.items():
        if path is None:
            continue
        option, place = f"--{name.replace('_', '-')}", path.resolve()
        if place in seen:
            raise InputError(option, f"must be another file than {seen[place]}", str(path))
        seen[place] = f"that of {option}"


def _write_parquet(path: Path, items: list[tuple[str, Any]]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    def column(values: Any) -> Any:
        try:
            return pa.array(values, from_pandas=True)
        except (pa.ArrowInvalid, pa.ArrowTypeError, UnicodeEncodeError):  # of several types, or no text in UTF-8
            return pa.array([None if missing(value) else encodable(str(value)) for value in values])

    pq.write_table(pa.table({encodable(name): column(values) for name, values in items}), path)


__all__ = ["SUFFIXES", "check_apart", "check_table", "tell_defused", "write_table"]
