"""When scaled weights may be kept as plain floating-point numbers, and what pruning LIN costs at most.

A posterior weight that falls below the smallest number a float can hold is lost for good. That is harmless if it could
never have become relevant again. How far a weight can recover is limited, because whatever it competes with contains
"a new segment starts here", and a new segment is never much worse than an old one: KT on m symbols of an alphabet of
size A loses at most (A-1)/2 log m + log A against the best constant distribution (Shtarkov, Tjalkens, Willems 1993).
"""

from __future__ import annotations

import functools
import math

from holdfast.data.symbols import check_alphabet
from holdfast.validation import check_integer, check_number

RECOVERY = 300.0  # nats; with weights down to e^-667 the relative error stays below e^-300


def tree_recovery(depth: int, alphabet: int) -> float:
    """Upper bound in nats on how much a node's weight can gain on its cut, or lose to it, in a tree of this depth.

    From any position the rest of a tree is covered by one fresh node of each size 2^0 ... 2^depth. Each costs its
    redundancy, and log 4 of prior: to be reached, and to be kept whole.
    """
    redundancy = (alphabet - 1) / 2 * math.log(2) * depth * (depth + 1) / 2
    return redundancy + (depth + 1) * (math.log(alphabet) + math.log(4))


@functools.cache
def tree_is_safe(depth: int, alphabet: int) -> bool:
    """Whether PTW's weights may be plain floats; else their logarithms have to be kept.

    Example:
        >>> tree_is_safe(20, 2), tree_is_safe(62, 2), tree_is_safe(20, 256)
        (True, False, False)
    """
    return tree_recovery(depth, alphabet) < RECOVERY


def start_recovery(length: int, alphabet: int) -> float:
    """Upper bound in nats on how much the weight of a start can gain on the total in a LIN mixture of this length.

    The total contains "ends here" (at least 1 / (2T)) followed by a fresh segment. On m symbols that segment loses at
    most A m^((A-1)/2) by its estimates and 2 sqrt(m) by its hazards: in all 4 A T^(A/2 + 1).
    """
    return math.log(4 * alphabet) + (alphabet / 2 + 1) * math.log(max(length, 1))


def starts_are_safe(length: int, alphabet: int) -> bool:
    """Whether LIN's weights may be plain floats.

    Example:
        >>> starts_are_safe(10**6, 2), starts_are_safe(10**6, 256)
        (True, False)
    """
    return start_recovery(length, alphabet) < RECOVERY


def lin_pruning_bound(length: int, prune: float, alphabet: int = 2) -> float:
    """By how many nats pruning can lengthen LIN's code of any sequence, at most.

    At most T starts are dropped, each with a weight of at most e^-prune of the total, which could have grown by
    `start_recovery`: the lost share is at most 4 A T^(A/2 + 2) e^-prune (8 T^3 e^-prune for bits). In the other
    direction, the code can become shorter by no more than -T log(1 - e^-prune), as weights are scaled up after pruning.

    Args:
        length: T, symbols in all.
        prune: as for `LIN`, in nats.
        alphabet: number of symbols A.

    Returns:
        The bound in nats; inf where it says nothing. What is lost in practice is far less.

    Example:
        >>> from holdfast.systems.nonstationary_meta import lin_pruning_bound
        >>> round(lin_pruning_bound(256, prune=30), 6)
        1.3e-05
    """
    length, prune = check_integer(length, "length", low=0), check_number(prune, "prune", low=0)
    log_share = start_recovery(length, check_alphabet(alphabet)) + math.log(max(length, 1)) - prune
    return -math.log1p(-math.exp(log_share)) if log_share < 0 else math.inf


__all__ = ["lin_pruning_bound", "start_recovery", "starts_are_safe", "tree_is_safe", "tree_recovery"]
