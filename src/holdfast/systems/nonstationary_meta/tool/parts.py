"""Shared parts that belong to the public names of this system: networks that can be meta-trained, errors."""

from holdfast.data.symbols import SymbolTypeError as SymbolTypeError
from holdfast.layers.positions import ALiBi as ALiBi
from holdfast.layers.positions import Relative as Relative
from holdfast.layers.positions import SinCos as SinCos
from holdfast.layers.sequence import NETWORKS as NETWORKS
from holdfast.layers.sequence import Chunks as Chunks
from holdfast.layers.sequence import Everything as Everything
from holdfast.layers.sequence import Recurrent as Recurrent
from holdfast.layers.sequence import SlidingWindow as SlidingWindow
from holdfast.layers.sequence import StackRNN as StackRNN
from holdfast.layers.sequence import Transformer as Transformer
from holdfast.layers.sequence import WindowMLP as WindowMLP
from holdfast.layers.sequence.log_probs import network_log_probs as network_log_probs
