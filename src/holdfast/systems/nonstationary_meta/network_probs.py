"""What a trained network predicts, in the form that the exact predictors use: batched and as a stream."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from holdfast.errors import InputError
from holdfast.layers.modes import evaluating
from holdfast.layers.sequence import SequenceNet, start_first
from holdfast.layers.sequence.network import State
from holdfast.systems.nonstationary_meta.stream import Steps, Stream, writable
from holdfast.systems.nonstationary_meta.symbols import check_symbols
from holdfast.validation import check_integer, is_tensor

TOKENS = 65_536  # read at a time, so that memory does not grow with the number or length of sequences


def network_log_probs(
    net: SequenceNet,
    x: Any,
    *,
    context: int | None = None,
    tokens: int = TOKENS,
    on_step: Callable[[int, int], None] | None = None,
) -> Any:
    """log P(x_t = s | x_<t) by a network, in evaluation mode and without gradients.

    Args:
        net: the network; x is read on its device.
        x: whole numbers `(B, T)` in [0, A), numpy array or tensor.
        context: predict each symbol from a start token and the `context - 1` symbols before it at most, as if the
            sequence had begun there: for networks that fail beyond the length they were trained on. None = from all
            symbols before it.
        tokens: read at a time.
        on_step: called with (sequences or windows done, of how many).

    Returns:
        float64 `(B, T, A)`, natural logarithms; of the kind of x, on its device.

    Raises:
        SymbolTypeError, InputError: x holds no whole numbers, or symbols outside the alphabet.

    Example:
        >>> import numpy as np
        >>> from holdfast.layers.sequence import Recurrent
        >>> p = np.exp(network_log_probs(Recurrent("gru", hidden=8).build(), np.array([[0, 1, 1]])))
        >>> p.shape, bool(np.allclose(p.sum(-1), 1))
        ((1, 3, 2), True)
    """
    checked = check_symbols(x, net.alphabet)
    symbols = checked if is_tensor(checked) else torch.from_numpy(writable(checked))
    rows, length = symbols.shape
    if rows == 0 or length == 0:
        result = torch.zeros(rows, length, net.alphabet, dtype=torch.float64)
    elif context is None or length <= check_integer(context, "context", low=1):
        result = _whole(net, symbols, tokens, on_step)
    else:
        result = _windows(net, symbols, context, tokens, on_step)
    return result.to(x.device) if is_tensor(x) else result.cpu().numpy()


def _whole(net: SequenceNet, x: Tensor, tokens: int, on_step: Callable[[int, int], None] | None) -> Tensor:
    """Every sequence in one piece: many rows at a time, and long ones in stretches of time with the state carried."""
    done, (rows, length) = 0, x.shape
    at_once = max(1, tokens // length)
    parts = []
    for block in x.split(at_once):
        read, state, stretch = start_first(block, net.alphabet), None, []
        for piece in read.split(max(1, tokens // at_once), dim=1):
            logits, state = _apply(net, piece, state)
            stretch.append(logits)
        parts.append(torch.cat(stretch, dim=1))
        done += len(block)
        if on_step is not None:
            on_step(done, rows)
    return torch.cat(parts)


def _windows(
    net: SequenceNet, x: Tensor, context: int, tokens: int, on_step: Callable[[int, int], None] | None
) -> Tensor:
    """The first `context` symbols of every sequence in one piece, each later one from a window of its own."""
    head = _whole(net, x[:, :context], tokens, None)
    # Reading the start token and a window but for its last symbol predicts that symbol, at the last place.
    windows = x[:, 1:].unfold(1, context, 1).flatten(0, 1)
    last = []
    for block in windows.split(max(1, tokens // context)):
        last.append(_apply(net, start_first(block, net.alphabet), None)[0][:, -1])
        if on_step is not None:
            on_step(sum(map(len, last)), len(windows))
    return torch.cat([head, torch.cat(last).unflatten(0, (len(x), -1))], dim=1)


def _apply(net: SequenceNet, tokens: Tensor, state: State) -> tuple[Tensor, State]:
    """float64 log-probabilities after each token, and the state."""
    device = next(net.parameters()).device
    with torch.no_grad(), evaluating(net):
        logits, state = net(tokens.to(device), state)
    return logits.double().log_softmax(-1), state


class NetworkStream(Stream):
    """A network that takes symbols as they come. It keeps the network's state, and shares the network.

    Args:
        net: the network. It is not copied; do not train it while the stream is in use.

    Example:
        >>> from holdfast.layers.sequence import Recurrent
        >>> stream = NetworkStream(Recurrent("gru", hidden=8).build())
        >>> stream.update(1)
        >>> stream.t, stream.log_prob().shape
        (1, (2,))
    """

    def __init__(self, net: SequenceNet) -> None:
        super().__init__(net.alphabet)
        self._net = net
        self._next, self._state = self._read(torch.full((1, 1), net.alphabet), None)

    def _read(self, tokens: Tensor, state: State) -> tuple[np.ndarray, State]:
        """Log-probabilities `(n, A)` after each of the tokens `(1, n)`, and the state; the last row is what is next."""
        log_probs, state = _apply(self._net, tokens, state)
        return log_probs[0].cpu().numpy(), state

    def log_prob(self) -> np.ndarray:
        return self._next[-1].copy()

    def prob(self) -> np.ndarray:
        return np.exp(self.log_prob())

    def _take(self, symbol: int) -> float:
        before = float(np.exp(self._next[-1, symbol]))
        self._next, self._state = self._read(torch.tensor([[symbol]]), self._state)
        return before

    def _run(self, x: np.ndarray) -> Steps:
        pieces = [self._next[-1:]]
        for piece in torch.from_numpy(x)[None].split(TOKENS, dim=1):
            self._next, self._state = self._read(piece, self._state)
            pieces.append(self._next)
        self._next = self._next[-1:]
        return Steps(np.concatenate(pieces)[:-1], np.full(len(x), np.nan))

    def copy(self) -> Self:
        twin = type(self)(self._net)
        twin.load_state_dict(self.state_dict())
        return twin

    def _arrays(self) -> dict[str, np.ndarray]:
        parts = {f"state.{i}": part.cpu().numpy().copy() for i, part in enumerate(_leaves(self._state))}
        return {"next": self._next[-1:].copy(), **parts}

    def _load(self, arrays: Mapping[str, np.ndarray], t: int) -> None:
        mine = self._arrays()
        for name, value in arrays.items():
            if value.dtype != mine[name].dtype or value.ndim != mine[name].ndim:
                wanted = f"{mine[name].dtype} with {mine[name].ndim} axes"
                raise InputError(f"state[{name!r}]", f"must be {wanted}", f"{value.dtype} {value.shape}")
        device = next(self._net.parameters()).device
        given = (torch.from_numpy(arrays[f"state.{i}"].copy()).to(device) for i in range(len(mine) - 1))
        self._state = _filled(self._state, given)
        self._next = arrays["next"].copy()


def _leaves(state: State) -> list[Tensor]:
    if isinstance(state, Tensor):
        return [state]
    return [leaf for part in state for leaf in _leaves(part)]


def _filled(state: State, leaves: Iterator[Tensor]) -> State:
    """Tensors in the structure of a state."""
    return next(leaves) if isinstance(state, Tensor) else tuple(_filled(part, leaves) for part in state)


__all__ = ["NetworkStream", "network_log_probs"]
