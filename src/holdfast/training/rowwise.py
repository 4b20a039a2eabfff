"""Running a module over many rows: in pieces on a CPU, with overlapped pinned transfers on a GPU."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

# Rows whose hidden layers stay in a CPU's cache, more or less: 2,048 rows of 2,048 numbers are 16 MB.
CPU_ROWS = 2048


def writable(x: np.ndarray) -> np.ndarray:
    """x, or a copy where it may not be written to: torch would warn of arrays that others own."""
    x = np.ascontiguousarray(x)
    return x if x.flags.writeable else x.copy()


def over_rows(
    function: Callable[..., Tensor],
    inputs: Sequence[np.ndarray],
    out: np.ndarray,
    *,
    batch_size: int,
    device: torch.device,
    on_rows: Callable[[int], None] | None = None,
) -> np.ndarray:
    """Fill `out` with function(*rows of the inputs), without gradients.

    On a GPU rows go through pinned memory on streams of their own, two pieces at a time, so that copying in, computing
    and copying out overlap.

    Args:
        function: from tensors (n, D_i) on the device to a tensor (n, ...).
        inputs: arrays (N, D_i) of numbers; turned to float32 piece by piece.
        out: array (N, ...), float32, of the result's shape.
        batch_size: rows at a time (on a CPU at most 2,048).
        device: where the function's weights are.
        on_rows: called with the number of rows of each piece.

    Example:
        >>> out = np.empty((2, 2), np.float32)
        >>> over_rows(lambda x: 2 * x, [np.eye(2)], out, batch_size=1, device=torch.device("cpu"))
        array([[2., 0.],
               [0., 2.]], dtype=float32)
    """
    rows = len(inputs[0])
    size = min(batch_size, CPU_ROWS) if device.type == "cpu" else batch_size
    pieces = [slice(start, min(start + size, rows)) for start in range(0, rows, size)]
    with torch.inference_mode():
        if device.type == "cuda":
            _overlapped(function, inputs, out, pieces, device, on_rows)
            return out
        for piece in pieces:
            given = [torch.from_numpy(writable(np.asarray(x[piece], np.float32))).to(device) for x in inputs]
            out[piece] = function(*given).cpu().numpy()
            if on_rows is not None:
                on_rows(piece.stop - piece.start)
    return out


def _overlapped(
    function: Callable[..., Tensor],
    inputs: Sequence[np.ndarray],
    out: np.ndarray,
    pieces: Sequence[slice],
    device: torch.device,
    on_rows: Callable[[int], None] | None,
) -> None:
    """Two lanes, each a stream with pinned buffers of its own: while one computes, the other copies."""
    size = pieces[0].stop
    lanes = [_Lane(inputs, out, size, device) for _ in range(min(2, len(pieces)))]
    for number, piece in enumerate(pieces):
        lane = lanes[number % len(lanes)]
        done = lane.collect(out)
        if done and on_rows is not None:
            on_rows(done)
        lane.start(function, inputs, piece)
    for number in range(len(pieces), len(pieces) + len(lanes)):
        done = lanes[number % len(lanes)].collect(out)
        if done and on_rows is not None:
            on_rows(done)


class _Lane:
    """One piece on its way through the device."""

    def __init__(self, inputs: Sequence[np.ndarray], out: np.ndarray, size: int, device: torch.device) -> None:
        self.stream = torch.cuda.Stream(device)
        self.device = device
        self.given = [torch.empty((size, *x.shape[1:]), dtype=torch.float32, pin_memory=True) for x in inputs]
        self.result = torch.empty((size, *out.shape[1:]), dtype=torch.float32, pin_memory=True)
        self.piece: slice | None = None

    def start(self, function: Callable[..., Tensor], inputs: Sequence[np.ndarray], piece: slice) -> None:
        count = piece.stop - piece.start
        for buffer, x in zip(self.given, inputs, strict=True):
            np.copyto(buffer[:count].numpy(), x[piece], casting="same_kind")
        self.stream.wait_stream(torch.cuda.default_stream(self.device))  # where the weights were put on the device
        with torch.cuda.stream(self.stream):
            there = [buffer[:count].to(self.device, non_blocking=True) for buffer in self.given]
            self.result[:count].copy_(function(*there), non_blocking=True)
        self.piece = piece

    def collect(self, out: np.ndarray) -> int:
        """Wait for the piece and write it to `out`; how many rows it had."""
        if self.piece is None:
            return 0
        self.stream.synchronize()
        piece, self.piece = self.piece, None
        out[piece] = self.result[: piece.stop - piece.start].numpy()
        return piece.stop - piece.start


__all__ = ["over_rows", "writable"]
