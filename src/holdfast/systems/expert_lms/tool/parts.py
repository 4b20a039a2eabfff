"""The shared parts that experts are made of, under this system's name."""

from holdfast.language.adapted_encoder import SentenceBase as SentenceBase
from holdfast.language.adapted_model import AdaptedModel as AdaptedModel
from holdfast.language.rank_classification import rank_classify as rank_classify
from holdfast.layers.adapters import Bottleneck as Bottleneck
from holdfast.layers.adapters import BottleneckAdapter as BottleneckAdapter
from holdfast.layers.adapters import LoRA as LoRA
from holdfast.layers.adapters import LowRank as LowRank
from holdfast.layers.adapters import attach as attach
