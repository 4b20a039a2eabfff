"""Networks that read symbols one after the other, as settings (`Network`) that build them.

One interface, `SequenceNet`: tokens and a state in, logits and the state after them out. What training and prediction
need is that interface alone; a new network is a new pair of a `Network` and a `SequenceNet`.
"""

from holdfast.layers.positions import ALiBi, Positions, Relative, SinCos
from holdfast.layers.sequence.context import Chunks, Context, Everything, SlidingWindow
from holdfast.layers.sequence.network import Network, SequenceNet, detached, start_first
from holdfast.layers.sequence.recurrent import Recurrent
from holdfast.layers.sequence.stack_rnn import StackRNN, stack_update
from holdfast.layers.sequence.transformer import Transformer
from holdfast.layers.sequence.window import WindowMLP

NETWORKS: dict[str, Network] = {
    "lstm": Recurrent("lstm"),
    "gru": Recurrent("gru"),
    "rnn": Recurrent("rnn"),
    "stack_rnn": StackRNN(),
    "transformer": Transformer(),
    "window_mlp": WindowMLP(),
}

__all__ = [
    "NETWORKS",
    "ALiBi",
    "Chunks",
    "Context",
    "Everything",
    "Network",
    "Positions",
    "Recurrent",
    "Relative",
    "SequenceNet",
    "SinCos",
    "SlidingWindow",
    "StackRNN",
    "Transformer",
    "WindowMLP",
    "detached",
    "stack_update",
    "start_first",
]
