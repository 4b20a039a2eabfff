"""Options that belong together and that a verb gets as one argument."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from typing import Annotated, Any, Protocol, get_args, get_origin, get_type_hints, runtime_checkable


@runtime_checkable
class Group(Protocol):
    """Several options that become one argument of a verb: see `Parameters.options` and `Fields`.

    Attributes:
        arguments: name that errors give an argument -> parameter of the verb whose option sets it.
    """

    arguments: Mapping[str, str]

    def parameters(self) -> Sequence[inspect.Parameter]:
        """One for each option."""
        ...

    def build(self, values: Mapping[str, Any]) -> Any:
        """What the verb gets, from the values of the options."""
        ...


class Fields:
    """An option for each field of a dataclass, as the field is annotated: `rows: Annotated[int, typer.Option(...)]`.

    The verb gets an object of the class.
    """

    def __init__(self, kind: type) -> None:
        self._kind = kind
        self.arguments: Mapping[str, str] = {}

    def parameters(self) -> Sequence[inspect.Parameter]:
        """One for each field."""
        hints = get_type_hints(self._kind, include_extras=True)
        keyword, empty = inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.empty
        return [
            inspect.Parameter(
                field.name,
                keyword,
                default=empty if field.default is MISSING else field.default,
                annotation=hints[field.name],
            )
            for field in fields(self._kind)
        ]

    def build(self, values: Mapping[str, Any]) -> Any:
        """The object."""
        return self._kind(**{field.name: values[field.name] for field in fields(self._kind)})


def group_of(annotation: Any) -> Group | None:
    """The group that an argument of a verb stands for: a dataclass, or what `Annotated` names; None for an option."""
    if get_origin(annotation) is Annotated:
        return next((part for part in get_args(annotation)[1:] if isinstance(part, Group)), None)
    return Fields(annotation) if isinstance(annotation, type) and is_dataclass(annotation) else None


__all__ = ["Fields", "Group", "group_of"]
