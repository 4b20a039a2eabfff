"""Feed-forward layers of Hugging Face models: where their neurons are, and hooks that read or change them.

A neuron is an entry of what enters the layer's last projection: act(W1 h + b1), or act(gate) * up in gated layers. That
tensor is after the activation whatever the architecture calls its modules, so hooks stand before the projection.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from holdfast.errors import InputError

# Architecture -> path of the projection that neurons enter, {} the number of the layer.
PROJECTIONS = {
    "BERT, RoBERTa, ELECTRA, DeBERTa": r"(?<!attention\.)output\.dense",
    "DistilBERT": r"ffn\.lin2",
    "ALBERT": r"ffn_output",
    "GPT-2, GPT-Neo, GPT-J": r"mlp\.(c_proj|fc_out)",
    "GPT-NeoX, Bloom, Falcon": r"mlp\.dense_4h_to_h",
    "LLaMA, Mistral, Qwen, Gemma (gated)": r"mlp\.down_proj",
    "OPT": r"(?<!\w)fc2",
    "Phi": r"mlp\.fc2",
    "T5": r"DenseReluDense\.wo",
}
LAYER = re.compile(r"(?:^|\.)\d+\.")


@dataclass(frozen=True, eq=False)
class FeedForward:
    """One layer's neurons.

    Attributes:
        path: of the projection in the model.
        projection: the module; a Linear keeps a neuron's value vector as a column, GPT-2's Conv1D as a row.
    """

    path: str
    projection: nn.Module

    @property
    def transposed(self) -> bool:
        """Whether the weight is (neurons, width), as Conv1D has it."""
        return not isinstance(self.projection, nn.Linear)

    @property
    def values(self) -> Tensor:
        """(neurons, width): a view of the weight, row i the value vector of neuron i."""
        weight: Any = self.projection.weight
        return weight if self.transposed else weight.T

    def __len__(self) -> int:
        return int(self.values.shape[0])


def feed_forwards(model: nn.Module, paths: str | Sequence[str] = "auto") -> list[FeedForward]:
    """The feed-forward layers of a model, first to last.

    Args:
        model: of transformers, or any module when paths are given.
        paths: of the last projections of the layers; "auto" knows the architectures of `PROJECTIONS`.

    Raises:
        InputError: no layer is known in this model, or a path leads nowhere (candidates are listed); a projection whose
            weights are quantised or fused, so that they are no matrix of floating-point numbers.

    Example:
        >>> from transformers import BertConfig, BertForMaskedLM
        >>> sizes = dict(vocab_size=9, hidden_size=4, num_attention_heads=1, intermediate_size=6, num_hidden_layers=2)
        >>> [(layer.path, len(layer)) for layer in feed_forwards(BertForMaskedLM(BertConfig(**sizes)))]
        [('bert.encoder.layer.0.output.dense', 6), ('bert.encoder.layer.1.output.dense', 6)]
    """
    modules = dict(model.named_modules())
    if isinstance(paths, str):
        if paths != "auto":
            raise InputError("ffn", "must be 'auto' or a list of module paths", paths)
        known = re.compile("|".join(f"(?:{pattern})$" for pattern in PROJECTIONS.values()))
        paths = [path for path in modules if LAYER.search(path) and known.search(path)]
    missing = [path for path in paths if path not in modules]
    if missing or not paths:
        wide = [p for p, m in modules.items() if LAYER.search(p) and getattr(m, "weight", None) is not None]
        shown = ", ".join([path for path in wide if getattr(modules[path].weight, "ndim", 0) == 2][:12]) or "none"
        asked = ", ".join(missing) or "no feed-forward layer that is known"
        raise InputError("ffn", f"must name the projections that neurons enter; candidates: {shown}", asked)
    found = [FeedForward(path, modules[path]) for path in paths]
    for layer in found:
        weight: Any = getattr(layer.projection, "weight", None)
        if not isinstance(weight, Tensor) or weight.ndim != 2 or not weight.is_floating_point():
            raise InputError("ffn", "must have weights that are a floating-point matrix (not quantised)", layer.path)
    if len({len(layer) for layer in found}) > 1:
        raise InputError("ffn", "must be layers of one width", ", ".join(f"{x.path}: {len(x)}" for x in found)[:150])
    return found


@contextmanager
def hooked(layers: Sequence[FeedForward], change: Callable[[int, Tensor], Tensor | None]) -> Iterator[None]:
    """Inside it, `change(place, neurons)` sees what enters each projection and may give another tensor.

    Args:
        layers: those of a model.
        change: place in `layers` and neurons (B, T, d) to neurons of the same shape; None leaves them. It must not
            write into what it gets.

    Raises:
        InputError: a layer was never reached, as with fused kernels that skip the module.

    Example:
        >>> from torch import nn
        >>> net = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1, bias=False))
        >>> with hooked([FeedForward("2", net[2])], lambda place, a: 0 * a):
        ...     net(torch.ones(1, 2)).item()
        0.0
    """
    reached = set()

    def hook_of(place: int) -> Callable[[nn.Module, tuple[Any, ...]], tuple[Any, ...] | None]:
        def hook(module: nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...] | None:
            reached.add(place)
            changed = change(place, given[0])
            return None if changed is None else (changed, *given[1:])

        return hook

    with ExitStack() as stack:
        for place, layer in enumerate(layers):
            stack.callback(layer.projection.register_forward_pre_hook(hook_of(place)).remove)
        yield
    if reached and len(reached) < len(layers):
        skipped = next(layer.path for place, layer in enumerate(layers) if place not in reached)
        raise InputError("ffn", "must be called as a module (fused layers hide their neurons)", skipped)


__all__ = ["PROJECTIONS", "FeedForward", "feed_forwards", "hooked"]
