"""Named roles of columns: what a caller needs of a user's table, and which column the user says it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from holdfast.data.readers.names import suggest
from holdfast.errors import InputError

RoleKind = Literal["text", "number", "time", "any"]


@dataclass(frozen=True)
class Role:
    """What a caller wants a column for.

    Attributes:
        name: of the role; `--column name=COLUMN` maps a column to it, and a column that is called as the role has it
            without being mapped.
        kind: "text" (ids, names, labels: exactly as written), "number", "time" (dates, or numbers of steps), or "any"
            (whatever the cells are).
        required: whether there must be such a column.
        several: whether several columns may have the role.
        rest: whether all columns without another role have this one where the user maps none; implies `several`.
        missing: whether cells may be without a value.
        also: other names of columns that have the role without being mapped, the most wanted first.

    Example:
        >>> from holdfast.data.readers.roles import Role
        >>> Role("label", also=("y", "class"))
        Role(name='label', kind='text', required=True, several=False, rest=False, missing=False, also=('y', 'class'))
    """

    name: str
    kind: RoleKind = "text"
    required: bool = True
    several: bool = False
    rest: bool = False
    missing: bool = False
    also: tuple[str, ...] = ()


Mapped = Sequence[str] | Mapping[str, str | Sequence[str]]


def parse_columns(given: Mapped, roles: Sequence[Role], option: str = "--column") -> dict[str, list[str]]:
    """What the user mapped: the columns of each role.

    Args:
        given: as the user wrote them, each `role=column`; or a mapping of roles to columns.
        roles: those that the caller knows.
        option: that they were given to, for messages.

    Raises:
        InputError: no `=` in one, a role that is not known, two columns for a role that takes one.

    Example:
        >>> parse_columns(["label=class", "text=review"], [Role("text"), Role("label")])
        {'label': ['class'], 'text': ['review']}
    """
    known = {role.name: role for role in roles}
    found: dict[str, list[str]] = {}
    for name, column in _pairs(given, known, option):
        if name not in known:
            rule = f"must begin with one of the roles {', '.join(known)}{suggest(name, known)}"
            raise InputError(option, rule, f"{name}={column}")
        if name in found and not (known[name].several or known[name].rest):
            raise InputError(option, f"must name one column only for {name}", f"{found[name][0]} and {column}")
        found.setdefault(name, []).append(column)
    return found


def _pairs(given: Mapped, known: Mapping[str, Role], option: str) -> Iterator[tuple[str, str]]:
    if isinstance(given, Mapping):
        for name, columns in given.items():
            yield from ((name, column) for column in ([columns] if isinstance(columns, str) else columns))
        return
    for text in given:
        name, equals, column = (part.strip() for part in text.partition("="))
        if not equals or not name or not column:
            raise InputError(option, f"must be role=column, with a role out of {', '.join(known)}", repr(text))
        yield name, column


def assign(
    mapped: Mapping[str, Sequence[str]],
    roles: Sequence[Role],
    names: Sequence[str],
    path: str,
    option: str = "--column",
) -> dict[str, list[str]]:
    """The columns of each role in one file.

    Args:
        mapped: what the user said, from `parse_columns`.
        roles: those that the caller knows.
        names: of the file's columns.
        path: of the file, for messages.
        option: that columns are mapped with, for messages.

    Returns:
        Names of columns by role; a role that no column has is left out.

    Raises:
        InputError: a column that is not there, a required role that no column has; says what the file has, and the
            nearest name. One column as text and as numbers.
    """
    shown = f"columns {', '.join(map(repr, names[:30]))}{', ...' if len(names) > 30 else ''}"
    found: dict[str, list[str]] = {}
    for name, columns in mapped.items():
        for column in columns:
            if column not in names:
                rule = f"must name a column of {path} for {name}{suggest(column, names)}"
                raise InputError(option, rule, f"{column!r}; the file has {shown}")
        found[name] = list(dict.fromkeys(columns))
    taken = {column for columns in found.values() for column in columns}
    for role in roles:
        called = _called(role, [name for name in names if name not in taken]) if role.name not in found else None
        if called is not None:
            found[role.name] = [called]
            taken.add(called)
    for role in roles:
        if role.rest and role.name not in found and (left := [name for name in names if name not in taken]):
            found[role.name] = left
        if role.required and role.name not in found:
            near = next((close for name in (role.name, *role.also) if (close := suggest(name, names))), "")
            rule = f"must say which column of {path} is the {role.name}: {option} {role.name}=COLUMN{near}"
            raise InputError(option, rule, shown)
    _check_kinds(found, roles, option)
    return found


def _called(role: Role, names: Sequence[str]) -> str | None:
    """The column that is called as a role is: exactly, or but for small and capital letters if there is one only."""
    for wanted in (role.name, *role.also):
        if wanted in names:
            return wanted
        alike = [name for name in names if name.strip().lower() == wanted.lower()]
        if len(alike) == 1:
            return alike[0]
    return None


def _check_kinds(found: Mapping[str, Sequence[str]], roles: Sequence[Role], option: str) -> None:
    kinds: dict[str, Role] = {}
    for role in roles:
        for column in found.get(role.name, ()):
            other = kinds.setdefault(column, role)
            if other.kind != role.kind:
                rule = f"must not map one column to {other.name} ({other.kind}) and to {role.name} ({role.kind})"
                raise InputError(option, rule, column)


__all__ = ["Mapped", "Role", "RoleKind", "assign", "parse_columns"]
