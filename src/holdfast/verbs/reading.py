"""Options about the tables that a user gives: the same words in every verb that reads one."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from holdfast.data.readers.tables.options import TableOptions
from holdfast.verbs.parameters import Parameters

TABLE = Parameters("holdfast.data.readers.tables.options:TableOptions")
OPTIONS: dict[str, Any] = {
    "decimal": Annotated[str | None, typer.Option(help=TABLE.help("decimal"))],
    "encoding": Annotated[str | None, typer.Option(help=TABLE.help("encoding"))],
    "header": Annotated[int | None, typer.Option(help=TABLE.help("header"))],
    "day_first": Annotated[
        bool | None,
        typer.Option("--day-first/--month-first", help="03/04/2024 is the 3rd of April, or March 4th."),
    ],
    "null": Annotated[list[str] | None, typer.Option(help=f"{TABLE.help('null')} Repeatable.")],
}


class Evidence:
    """--decimal, --encoding, --header, --day-first / --month-first, --null: what is not given, the file tells."""

    arguments: Mapping[str, str] = {}

    def parameters(self) -> Sequence[inspect.Parameter]:
        """One for each option."""
        return [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
            for name, annotation in OPTIONS.items()
        ]

    def build(self, values: Mapping[str, Any]) -> TableOptions:
        """For `read_table(path, options=...)` and `read_records`.

        Raises:
            InputError: a value that no table can have.
        """
        given = {name: values[name] for name in OPTIONS}
        return TableOptions(**{**given, "null": given["null"] or None})


Reading = Annotated[TableOptions, Evidence()]


def column_roles(*roles: str) -> Any:
    """The repeatable option --column, that says which column of a table has which role; `read_records` takes it.

    Args:
        roles: names of those that the verb knows.
    """
    return typer.Option("--column", help=f"role=name, what a column is; roles: {', '.join(roles)}. Repeatable.")


__all__ = ["OPTIONS", "Evidence", "Reading", "column_roles"]
