"""Errors meant for the user: each says in one line what was wrong and what to do."""

from __future__ import annotations

from typing import Any

from holdfast.printable import clean_line


class HoldfastError(Exception):
    """An expected failure. The command line prints its message in one line and exits with code 2.

    The message names files and values that may be a stranger's: it is always a single line that controls no terminal.
    """

    def __str__(self) -> str:
        return clean_line(super().__str__())


class InputError(HoldfastError, ValueError):
    """A value from the user breaks a rule.

    Args:
        argument: name of the argument, file or column that was wrong.
        rule: what it must satisfy, in words ("must be a non-empty array").
        received: the offending value or a short description of it; long values are cut.

    Example:
        >>> from holdfast.errors import InputError
        >>> str(InputError("steps", "must be at least 1", 0))
        'steps: must be at least 1; received 0'
    """

    def __init__(self, argument: str, rule: str, received: Any = ...) -> None:
        self.argument, self.rule, self.received = argument, rule, received
        text = f"{argument}: {rule}"
        if received is not ...:
            shown = received if isinstance(received, str) else _shown(received)
            shown = " ".join(shown.split())
            text += f"; received {shown if len(shown) <= 200 else shown[:197] + '...'}"
        super().__init__(text)

    def __reduce__(self) -> tuple[Any, ...]:
        # The default would call __init__ with the finished message alone and fail in the parent process.
        return type(self), (self.argument, self.rule, self.received)


class Stopped(KeyboardInterrupt):
    """Ctrl-C or a signal, once the user has been told what is left and how to go on."""


def _shown(value: Any) -> str:
    """How Python prints a value; its type where that fails: objects may be nested without end, or raise."""
    try:
        return repr(value)
    except Exception as error:  # noqa: BLE001  a message about a wrong value must not fail on that value
        return f"{type(value).__name__} ({type(error).__name__} on printing it)"


class MissingExtra(HoldfastError, ImportError):
    """An optional dependency is needed and not installed."""

    def __init__(self, package: str, extra: str) -> None:
        self.package, self.extra = package, extra
        super().__init__(f"{package} is not installed; pip install 'holdfast[{extra}]' brings it")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.package, self.extra)
