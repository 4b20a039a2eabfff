"""Networks that read symbols one after the other, as settings (`Network`) that build them.

One interface, `SequenceNet`: tokens and a state in, logits and the state after them out. What training, prediction and
the experiment need is that interface alone; a new network is a new pair of a `Network` and a `SequenceNet`.
"""

from holdfast.systems.nonstationary_meta.networks.context import Chunks, Context, Everything, SlidingWindow
from holdfast.systems.nonstationary_meta.networks.positions import ALiBi, Positions, Relative, SinCos
from holdfast.systems.nonstationary_meta.networks.recurrent import Recurrent
from holdfast.systems.nonstationary_meta.networks.sequence import Network, SequenceNet, detached, start_first
from holdfast.systems.nonstationary_meta.networks.stack_rnn import StackRNN, stack_update
from holdfast.systems.nonstationary_meta.networks.transformer import Transformer
from holdfast.systems.nonstationary_meta.networks.window import WindowMLP

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
