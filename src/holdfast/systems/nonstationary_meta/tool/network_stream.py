"""A trained network as a stream, in the form that the exact predictors have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Self

import numpy as np
import torch
from torch import Tensor

from holdfast.errors import InputError
from holdfast.layers.sequence.log_probs import TOKENS, apply_net
from holdfast.layers.sequence.network import SequenceNet, State
from holdfast.systems.nonstationary_meta.tool.stream import Steps, Stream


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
        log_probs, state = apply_net(self._net, tokens, state)
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


__all__ = ["NetworkStream"]
