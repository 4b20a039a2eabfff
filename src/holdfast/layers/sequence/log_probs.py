"""What a sequence network predicts of whole sequences: in evaluation mode, bounded memory, from windows if wanted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from holdfast.data.symbols import check_symbols
from holdfast.layers.modes import evaluating
from holdfast.layers.sequence.network import SequenceNet, State, start_first
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
    symbols = checked if is_tensor(checked) else torch.from_numpy(np.require(checked, requirements=["C", "W"]))
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
            logits, state = apply_net(net, piece, state)
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
        last.append(apply_net(net, start_first(block, net.alphabet), None)[0][:, -1])
        if on_step is not None:
            on_step(sum(map(len, last)), len(windows))
    return torch.cat([head, torch.cat(last).unflatten(0, (len(x), -1))], dim=1)


def apply_net(net: SequenceNet, tokens: Tensor, state: State) -> tuple[Tensor, State]:
    """float64 log-probabilities after each token, and the state."""
    device = next(net.parameters()).device
    with torch.no_grad(), evaluating(net):
        logits, state = net(tokens.to(device), state)
    return logits.double().log_softmax(-1), state


__all__ = ["TOKENS", "apply_net", "network_log_probs"]
