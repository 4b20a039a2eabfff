"""What a user gives on the command line: a table, a program."""

from __future__ import annotations

from pathlib import Path

from holdfast import verbs
from holdfast.data.readers.tables import TableOptions
from holdfast.errors import InputError
from holdfast.sql.table import SQLTable


def read_own(path: Path, part: str | None, options: TableOptions) -> SQLTable:
    """The user's table; says what was found out about its file.

    Args:
        path: of the file.
        part: table or sheet in it.
        options: what the user says about how it is written.

    Raises:
        InputError: it holds no table, or one without rows.
    """
    table = SQLTable.from_file(path, part=part, options=options)
    if len(table) == 0:
        raise InputError(str(path), "must have at least one row", f"{len(table.columns)} columns, 0 rows")
    for note in table.notes:
        verbs.say(f"{path}: {note}")
    return table


def read_program_text(given: str) -> str:
    """A file's text, or what is given itself if it looks like a program.

    Raises:
        InputError: it is neither.
    """
    if given.lstrip().upper().startswith(("SELECT", "WITH", "QA")) and not given.endswith((".sql", ".txt")):
        return given
    path = Path(given)
    try:
        if path.exists() and not path.is_file():
            raise InputError("program", "must be a regular file or a SELECT", given)
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("program", "must be a readable file or a SELECT", f"{given} ({error})") from error


__all__ = ["read_own", "read_program_text"]
