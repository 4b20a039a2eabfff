"""Errors about arguments, said in terms of the options that set them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from holdfast.errors import InputError

_HEAD = re.compile(r"\w+(?=$|, |\[)")
_CHOICE = re.compile(r"\b(\w+)='([\w-]+)'")
_NAME = re.compile(r"\b[A-Za-z]+_\w+\b")  # no word of a sentence is written so


def in_options(error: InputError, names: Mapping[str, str]) -> InputError:
    """The same error as the user of a command line understands it.

    Args:
        error: about an argument ("steps"), or a part of one ("y, column price", "rates[2]"). What names a file or
            already an option stays as it is.
        names: argument -> what the user calls it. In the rule, too, `strategy='direct'` becomes `--strategy direct`,
            and `n_jobs` `--jobs`.

    Example:
        >>> from holdfast.errors import InputError
        >>> str(in_options(InputError("n_jobs", "must be at least 1", 0), {"n_jobs": "--jobs"}))
        '--jobs: must be at least 1; received 0'
    """
    head = _HEAD.match(error.argument)
    argument = error.argument
    if head is not None and head[0] in names:
        argument = names[head[0]] + argument[head.end() :]
    rule = _CHOICE.sub(lambda found: f"{names[found[1]]} {found[2]}" if found[1] in names else found[0], error.rule)
    rule = _NAME.sub(lambda found: names.get(found[0], found[0]), rule)
    return InputError(argument, rule, error.received)


__all__ = ["in_options"]
