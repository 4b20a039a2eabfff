"""Which axes of a bare tensor are inputs and outputs: one that no layer of PyTorch's holds, such as stacked experts.

Stacked experts are matrices in a batch, (experts, out, in) or (experts, in, out), and every law holds for each matrix
by itself. Which of their axes are infinite tells the role only where the order is known; where both grow alike, all
factors are the same in either order.
"""

from __future__ import annotations

from typing import Literal

from holdfast.errors import InputError

Role = Literal["input", "hidden", "output", "vector", "fixed"]
# What a user may say of a tensor's axes -> the axes of the outputs and the inputs.
LAYOUTS = {"out in": (0, 1), "in out": (1, 0), "batch out in": (1, 2), "batch in out": (2, 1)}
# A bare tensor with one infinite dimension, its last, is a table of vectors if it is called so.
VECTORS = ("pos", "emb", "cls", "token", "query", "queries", "latent", "register", "prompt", "bias")


def of_axes(name: str, infinite: tuple[bool, ...], layout: str) -> tuple[Role, int, int]:
    """Role and axes (fan-out, fan-in) of a tensor whose layout somebody has told.

    Raises:
        InputError: the tensor has another number of axes, or the number of matrices grows with the width.

    Example:
        >>> of_axes("w1", (False, True, False), "batch in out")
        ('output', 2, 1)
    """
    fan_out, fan_in = LAYOUTS[layout]
    if len(infinite) < len(layout.split()):
        raise InputError(name, f"must have the axes {layout!r} that were said of it", f"{len(infinite)} axes")
    if any(grows for axis, grows in enumerate(infinite) if axis not in (fan_out, fan_in)):
        raise InputError(name, f"must grow with the width in its {layout!r} alone", "another axis that does")
    roles: dict[tuple[bool, bool], Role] = {
        (True, True): "hidden",
        (True, False): "input",
        (False, True): "output",
        (False, False): "fixed",
    }
    return roles[infinite[fan_out], infinite[fan_in]], fan_out, fan_in


def of_bare(
    name: str, infinite: tuple[bool, ...], shape: tuple[int, ...], alike: bool, transposed: bool | None, said: bool
) -> tuple[Role, int | None, int | None]:
    """Role and axes (fan-out, fan-in) of a bare tensor, from what grows.

    Args:
        alike: whether all infinite axes have grown by the same factor, so that their order does not matter.
        transposed: of stacked matrices, whether their module says that they are (inputs, outputs).
        said: the user has told the role; the axes are guessed if need be.

    Raises:
        InputError: neither structure nor name tell; says how to say it.
    """
    axes, grows = len(infinite), tuple(axis for axis, inf in enumerate(infinite) if inf)
    if axes < 2:
        return "vector" if grows else "fixed", 0 if axes else None, None
    if axes == 3 and transposed is not None and 0 not in grows:
        return of_axes(name, infinite, "batch in out" if transposed else "batch out in")
    stacked = axes > 2 and grows in ((1, 2), (1,), (2,)) and shape[0] > 1
    if not grows:
        return "fixed", 0, 1
    if len(grows) == 2:
        if grows == (0, 1) and (axes > 2 or alike):  # (out, in, *kernel), as all of PyTorch's layers have it
            return "hidden", 0, 1
        if (alike and 0 not in grows) or said:
            return "hidden", grows[0], grows[1]
        raise _untold(name, axes, "axes that grow with the width, each by a factor of its own")
    if grows == (0,):
        return "input", 0, 1
    last = grows[0] == axes - 1
    if any(word in name.lower() for word in VECTORS) or (axes > 2 and not stacked):
        return "input", grows[0], 0
    if said:
        return ("output", 1, 2) if stacked and last else ("output", 0, grows[0])
    if stacked:
        raise _untold(name, axes, f"a stack of {shape[0]} matrices of which one axis grows with the width")
    rule = "may be a table of vectors or the weight of a readout: say which, roles={name: 'input'} or {name: 'output'}"
    raise InputError(name, rule, "a bare parameter whose last dimension grows with the width")


def _untold(name: str, axes: int, received: str) -> InputError:
    """The error for a tensor whose inputs and outputs cannot be told apart."""
    first, second = ("batch out in", "batch in out") if axes > 2 else ("out in", "in out")
    rule = f"may be stored either way round: say which, roles={{{name!r}: {first!r}}} or {{{name!r}: {second!r}}}"
    return InputError(name, rule, received)


__all__ = ["LAYOUTS", "Role", "of_axes", "of_bare"]
