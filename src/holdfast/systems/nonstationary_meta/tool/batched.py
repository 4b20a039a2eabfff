"""Predictions for batches of sequences: numpy in, numpy out; tensors in, tensors on their device out.

On CPUs the loops of `kernels` do the work if numba is installed (`pip install 'holdfast[fast]'`), on threads: as many
as torch uses where torch is loaded, else as OMP_NUM_THREADS or the cores allow. Tensors on other devices, and CPUs
without numba, use the vectorised steps of `tensor_steps`. Both give the same numbers to 1e-12.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from holdfast.data.symbols import check_alphabet, check_symbols
from holdfast.systems.nonstationary_meta.method.kt import kt_probs
from holdfast.systems.nonstationary_meta.tool import safety
from holdfast.systems.nonstationary_meta.tool.compiled import compiled
from holdfast.systems.nonstationary_meta.tool.counting import decayed_kt_probs, window_kt_probs
from holdfast.systems.nonstationary_meta.tool.ptw_stream import check_depth, check_horizon
from holdfast.systems.nonstationary_meta.tool.stream import writable
from holdfast.validation import check_fraction, check_integer, check_number, is_tensor

BLOCK = 128  # sequences that a thread takes at a time
SMALL = 1 << 15  # symbols below which threads cost more than they save

Rows = Callable[[np.ndarray, np.ndarray], None]


# --------------------------------------------------------------------------------------------------- the two mixtures
def ptw_log_probs(x: Any, depth: int | str | None = None, *, alphabet: int = 2, return_predictive: bool = False) -> Any:
    """log P(x_t | x_1 .. x_{t-1}) under Partition Tree Weighting, for every t of every sequence.

    Args:
        x: (B, T) whole numbers in 0 .. A - 1: numpy array, tensor or nested list.
        depth: horizon of 2^depth >= T symbols; None = the smallest one; "auto" = doubling as in `PTW`.
        alphabet: number of symbols A.
        return_predictive: the log-probability of every symbol instead of that of x_t alone.

    Returns:
        (B, T), or (B, T, A); float64, natural logarithms. Memory beyond x and this is O(B log T) at most.

    Raises:
        SymbolTypeError: x holds floats or other things that are no whole numbers.
        InputError: not two axes; a symbol outside the alphabet; T > 2^depth (names the depth needed).

    Example:
        >>> import numpy as np
        >>> from holdfast.systems.nonstationary_meta import ptw_log_probs
        >>> np.exp(ptw_log_probs(np.array([[0, 0, 1, 1]]))).round(4).tolist()
        [[0.5, 0.6875, 0.3182, 0.5536]]
    """
    x, alphabet = check_symbols(x, check_alphabet(alphabet)), alphabet
    length = x.shape[1]
    horizon = max(length - 1, 0).bit_length() if depth is None else check_depth(depth)
    check_horizon(horizon, length)
    logs = not safety.tree_is_safe(max(length - 1, 0).bit_length(), alphabet)

    def rows(part: np.ndarray, out: np.ndarray) -> None:
        kernels: Any = compiled()
        out = out if out.ndim == 3 else out[:, :, None]
        if alphabet == 2 and not logs and len(part) > 2:
            kernels.ptw_binary(part, horizon, out)  # many rows at once
        else:
            kernels.ptw_rows(part, horizon, alphabet, logs, out)

    def steps() -> Any:
        from holdfast.systems.nonstationary_meta.tool.tensor_steps import PTWBatch

        return lambda tensor: PTWBatch(tensor, alphabet, horizon)

    return _predict(x, alphabet, return_predictive, rows if compiled() else None, steps)


def lin_log_probs(x: Any, *, prune: float | None = 30.0, alphabet: int = 2, return_predictive: bool = False) -> Any:
    """log P(x_t | x_1 .. x_{t-1}) under LIN, the mixture over all segmentations, for every t of every sequence.

    Args:
        x: (B, T) whole numbers in 0 .. A - 1: numpy array, tensor or nested list.
        prune: starts below e^-prune of the heaviest one are dropped; None = exact, O(T^2) per sequence. See `LIN`.
        alphabet: number of symbols A.
        return_predictive: the log-probability of every symbol instead of that of x_t alone.

    Returns:
        (B, T), or (B, T, A); float64, natural logarithms.

    Raises:
        SymbolTypeError: x holds floats or other things that are no whole numbers.
        InputError: not two axes; a symbol outside the alphabet; prune negative.

    Example:
        >>> import numpy as np
        >>> from holdfast.systems.nonstationary_meta import lin_log_probs
        >>> np.exp(lin_log_probs(np.array([[0, 0, 1, 1]]))).round(4).tolist()
        [[0.5, 0.625, 0.3, 0.5469]]
    """
    x, alphabet = check_symbols(x, check_alphabet(alphabet)), alphabet
    prune = None if prune is None else check_number(prune, "prune", low=0)
    ratio = 0.0 if prune is None else float(np.exp(-prune))

    def rows(part: np.ndarray, out: np.ndarray) -> None:
        kernels: Any = compiled()
        kernels.lin_rows(part, alphabet, ratio, out if out.ndim == 3 else out[:, :, None])

    def steps() -> Any:
        from holdfast.systems.nonstationary_meta.tool.tensor_steps import LINBatch

        return lambda tensor: LINBatch(tensor, alphabet, prune)

    usable = compiled() is not None and safety.starts_are_safe(x.shape[1], alphabet)
    return _predict(x, alphabet, return_predictive, rows if usable else None, steps)


# ------------------------------------------------------------------------------------------------------- the counters
def kt_log_probs(x: Any, *, alphabet: int = 2, return_predictive: bool = False) -> Any:
    """log P(x_t | x_1 .. x_{t-1}) under the KT estimator, for every t of every sequence.

    Args:
        x: (B, T) whole numbers in 0 .. A - 1: numpy array, tensor or nested list.
        alphabet: number of symbols A.
        return_predictive: the log-probability of every symbol instead of that of x_t alone.

    Returns:
        (B, T), or (B, T, A); float64, natural logarithms.

    Raises:
        SymbolTypeError, InputError: as `ptw_log_probs`.

    Example:
        >>> import numpy as np
        >>> from holdfast.systems.nonstationary_meta import kt_log_probs
        >>> np.exp(kt_log_probs(np.array([[0, 0, 1]]))).tolist()
        [[0.5, 0.75, 0.16666666666666669]]
    """

    def probs(part: np.ndarray) -> np.ndarray:
        return kt_probs(part, np.zeros((len(part), alphabet), np.int64))

    return _count(x, alphabet, return_predictive, probs, {})


def decayed_kt_log_probs(x: Any, decay: float = 0.95, *, alphabet: int = 2, return_predictive: bool = False) -> Any:
    """log P(x_t | x_1 .. x_{t-1}) under KT with fading counts (`DecayedKT`); arguments as for `kt_log_probs`."""
    decay = check_fraction(decay, "decay", zero=False)

    def probs(part: np.ndarray) -> np.ndarray:
        return decayed_kt_probs(part, decay, np.zeros((len(part), alphabet)))[0]

    return _count(x, alphabet, return_predictive, probs, {"decay": decay})


def window_kt_log_probs(x: Any, window: int = 32, *, alphabet: int = 2, return_predictive: bool = False) -> Any:
    """log P(x_t | x_1 .. x_{t-1}) under KT on the last `window` symbols; arguments as for `kt_log_probs`."""
    window = check_integer(window, "window", low=1)

    def probs(part: np.ndarray) -> np.ndarray:
        return window_kt_probs(part, window, alphabet)

    return _count(x, alphabet, return_predictive, probs, {"window": window})


def _count(
    x: Any, alphabet: int, full: bool, probs: Callable[[np.ndarray], np.ndarray], settings: dict[str, Any]
) -> Any:
    x = check_symbols(x, check_alphabet(alphabet))

    def rows(part: np.ndarray, out: np.ndarray) -> None:
        step = max(1, (1 << 20) // (part.shape[1] * alphabet))  # sequences at a time, so that counts stay small
        for i in range(0, len(part), step):
            p = probs(part[i : i + step])
            if out.ndim == 2:
                p = np.take_along_axis(p, part[i : i + step, :, None], axis=2)[:, :, 0]
            out[i : i + step] = p

    def steps() -> Any:
        from holdfast.systems.nonstationary_meta.tool.tensor_steps import CountBatch

        return lambda tensor: CountBatch(tensor, alphabet, **settings)

    return _predict(x, alphabet, full, rows, steps)


# ----------------------------------------------------------------------------------------------------------- dispatch
def _predict(x: Any, alphabet: int, full: bool, rows: Rows | None, steps: Callable[[], Any]) -> Any:
    """Run the numpy loops on CPUs if there are any, else the torch steps; the result is of the kind of x."""
    shape = (*x.shape, alphabet) if full else tuple(x.shape)
    tensor = is_tensor(x)
    if rows is not None and not (tensor and x.device.type != "cpu"):
        out = np.empty(shape)
        if out.size:
            _over_rows(rows, writable(x.numpy() if tensor else x), out)
        if not tensor:
            return out
        import torch

        return torch.from_numpy(out)
    import torch

    from holdfast.systems.nonstationary_meta.tool.tensor_steps import log_probs

    given = x if tensor else torch.from_numpy(writable(x))
    result = torch.empty(shape, dtype=torch.float64, device=given.device)
    with torch.no_grad():
        result = log_probs(steps()(given), given, result) if result.numel() else result
    return result if tensor else result.numpy()


def _over_rows(rows: Rows, x: np.ndarray, out: np.ndarray) -> None:
    def run(begin: int) -> None:
        part = out[begin : begin + BLOCK]
        rows(x[begin : begin + BLOCK], part)
        np.log(part, out=part)

    blocks, threads = range(0, len(x), BLOCK), min(_threads(), -(-len(x) // BLOCK))
    if threads == 1 or x.size < SMALL:
        for begin in blocks:
            run(begin)
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(run, blocks))


def _threads() -> int:
    torch = sys.modules.get("torch")
    if torch is not None:
        return int(torch.get_num_threads())
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    return int(wanted) if wanted.isdigit() and int(wanted) > 0 else cores


__all__ = [
    "decayed_kt_log_probs",
    "kt_log_probs",
    "lin_log_probs",
    "ptw_log_probs",
    "window_kt_log_probs",
]
