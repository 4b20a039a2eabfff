"""The verbs of a system: functions whose arguments are options, and whose errors name these."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args, get_origin

import typer

from holdfast.errors import InputError, Stopped
from holdfast.verbs.groups import Group, group_of
from holdfast.verbs.naming import in_options
from holdfast.verbs.saying import say, warnings_said

F = TypeVar("F", bound=Callable[..., None])


class Verbs(typer.Typer):
    """The verbs that `holdfast <id> ...` knows; a system's `cli.py` has one, called `app`.

    Args:
        about: what they are for, in a sentence or two (Markdown).
    """

    def __init__(self, about: str) -> None:
        super().__init__(no_args_is_help=True, add_completion=False, rich_markup_mode="markdown", help=about)

    def verb(
        self, name: str | None = None, *, named: Mapping[str, str] | None = None, hidden: bool = False
    ) -> Callable[[F], F]:
        """Make a function a verb, as typer does, and moreover:

        - an argument annotated with a dataclass stands for an option per field, one annotated with
          `Parameters.options(...)` for these options;
        - an `InputError` about an argument names its option: `steps` becomes `--steps`. A path without an option is
          named as the user wrote it, another argument by its word in the usage line;
        - warnings are one line each;
        - Ctrl-C and SIGTERM end in one line. See `resumable` for verbs that can go on from there.

        Args:
            name: default: the function's, with hyphens, and without an underscore at its end.
            named: argument that errors may name -> the option ("--source"), or the verb's argument, that it comes
                from. Only what is called otherwise there needs to be named.
            hidden: not in the help.
        """

        def register(function: F) -> F:
            word = name or function.__name__.strip("_").replace("_", "-")
            self.command(word, hidden=hidden)(_called(function, named or {}))
            return function

        return register


def _called(function: Callable[..., None], named: Mapping[str, str]) -> Callable[..., None]:
    """The function as typer is to call it: with one parameter per option."""
    own = inspect.signature(function, eval_str=True)
    groups: dict[str, Group] = {}
    parameters: list[inspect.Parameter] = []
    for parameter in own.parameters.values():
        group = group_of(parameter.annotation)
        if group is None:
            parameters.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY))
        else:
            groups[parameter.name] = group
            parameters += group.parameters()
    arguments = {name: word for group in groups.values() for name, word in group.arguments.items()} | dict(named)

    @functools.wraps(function)
    def called(**values: Any) -> None:
        try:
            with warnings_said():
                built = {name: group.build(values) for name, group in groups.items()}
                rest = {name: values[name] for name in own.parameters if name not in groups}
                function(**rest, **built)
        except InputError as error:
            words = {parameter.name: _word(parameter, values[parameter.name]) for parameter in parameters}
            words |= {name: words.get(word, word) for name, word in arguments.items()}
            raise in_options(error, words) from error
        except KeyboardInterrupt as stop:
            if isinstance(stop, Stopped):
                raise
            say("stopped")
            raise Stopped from stop

    called.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    called.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    del called.__wrapped__  # or its annotations would be read instead of these
    return called


def _word(parameter: inspect.Parameter, value: Any) -> str:
    """What the user calls an argument of a verb."""
    about = parameter.annotation
    declared = get_args(about)[1:] if get_origin(about) is Annotated else ()
    info = next((part for part in declared if isinstance(part, typer.models.ParameterInfo)), None)
    if isinstance(info, typer.models.ArgumentInfo):
        return str(value) if isinstance(value, Path) else info.metavar or parameter.name.upper()
    words = () if info is None else (info.default, *(info.param_decls or ()))
    long = [word for word in words if isinstance(word, str) and word.startswith("--")]
    return long[0].partition("/")[0] if long else f"--{parameter.name.replace('_', '-')}"


__all__ = ["Verbs"]
