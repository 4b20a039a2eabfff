"""A vanilla RNN with differentiable stacks (Joulin and Mikolov 2015, as used in arXiv 2302.03067).

Differences from the published code: each stack has its own softmax over push, pop and no-op, so that its actions sum
to 1; there one softmax runs over the actions of all stacks together, which is the same for one stack only.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from holdfast.layers.sequence.network import Head, Network, SequenceNet, State
from holdfast.validation import check_integer

ACTIONS = 3  # push, no-op, pop


def stack_update(stack: Tensor, actions: Tensor, pushed: Tensor) -> Tensor:
    """The stack after a mixture of actions: a_push * pushed + a_noop * as it was + a_pop * popped.

    Args:
        stack: `(B, n, D, W)`, n stacks of D cells of W numbers; cell 0 is the top.
        actions: `(B, n, 3)`, weights of push, no-op and pop.
        pushed: `(B, n, W)`, what a push puts on top. The cell at the bottom is lost then; a pop fills it with zeros.

    Returns:
        `(B, n, D, W)`.
    """
    bottom = torch.zeros_like(pushed)
    longer = torch.cat([pushed.unsqueeze(2), stack, bottom.unsqueeze(2)], dim=2)
    push, keep, pop = actions[..., None, None].unbind(2)
    # Cell i becomes a mixture of the one above it, itself and the one below: three neighbours in the longer stack.
    return push * longer[:, :, :-2] + keep * longer[:, :, 1:-1] + pop * longer[:, :, 2:]


@dataclass(frozen=True)
class StackRNN(Network):
    """Settings of a Stack-RNN.

    Attributes:
        hidden: units of the inner RNN.
        stacks, depth, width: number of stacks, cells of each, numbers in a cell.
        embedding: width of the embedding of a token.
        after: widths of ReLU layers before the logits.
    """

    hidden: int = 64
    stacks: int = 1
    depth: int = 16
    width: int = 8
    embedding: int = 16
    after: tuple[int, ...] = ()

    def build(self, alphabet: int = 2) -> StackRNNNet:
        for name in ("hidden", "stacks", "depth", "width", "embedding"):
            check_integer(getattr(self, name), name, low=1)
        return StackRNNNet(self, check_integer(alphabet, "alphabet", low=2))

    def sized(self, width: int, layers: int) -> StackRNN:
        return dataclasses.replace(self, hidden=width)


class StackRNNNet(SequenceNet):
    """The network of `StackRNN`.

    At each step h = tanh(W [x, h', tops of the stacks] + b); actions are a softmax per stack of a linear map of h, and
    the pushed values another linear map of h. The state is (h, stacks), zeros at the start.
    """

    def __init__(self, settings: StackRNN, alphabet: int) -> None:
        super().__init__(alphabet)
        self.settings = settings
        tops = settings.stacks * settings.width
        self.embed = nn.Embedding(alphabet + 1, settings.embedding)
        self.inputs = nn.Linear(settings.embedding, settings.hidden)
        self.recurrent = nn.Linear(settings.hidden + tops, settings.hidden, bias=False)
        self.controls = nn.Linear(settings.hidden, settings.stacks * ACTIONS + tops)
        self.head = Head(settings.hidden, alphabet, settings.after)

    def forward(self, tokens: Tensor, state: State = None) -> tuple[Tensor, State]:
        from_inputs = self.inputs(self.embed(tokens))  # all positions at once; only what depends on h is in the loop
        h, stack = self._start(from_inputs) if state is None else state
        features = []
        for driven in from_inputs.unbind(1):
            h = torch.tanh(driven + self.recurrent(torch.cat([h, stack[:, :, 0].flatten(1)], dim=1)))
            actions, pushed = self._controls(h)
            stack = stack_update(stack, actions, pushed)
            features.append(h)
        return self.head(torch.stack(features, dim=1)), (h, stack)

    def _controls(self, h: Tensor) -> tuple[Tensor, Tensor]:
        """Weights of the actions `(B, n, 3)` and pushed values `(B, n, W)`."""
        n, width = self.settings.stacks, self.settings.width
        scores, pushed = self.controls(h).split([n * ACTIONS, n * width], dim=1)
        return scores.unflatten(1, (n, ACTIONS)).softmax(-1), pushed.unflatten(1, (n, width))

    def _start(self, like: Tensor) -> tuple[Tensor, Tensor]:
        s = self.settings
        rows = len(like)
        return like.new_zeros(rows, s.hidden), like.new_zeros(rows, s.stacks, s.depth, s.width)


__all__ = ["StackRNN", "StackRNNNet", "stack_update"]
