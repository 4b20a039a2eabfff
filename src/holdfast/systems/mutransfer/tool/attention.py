"""Finding attention: which module makes the keys, and how wide its heads are.

Under muP logits are q.k/d, not q.k/sqrt(d), where the width d of a head grows (definition 4.1). A model divides by
sqrt(d) somewhere inside its source; multiplying its keys by sqrt(d0/d), d0 the base model's, gives the rest.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from torch import nn

from holdfast.errors import InputError

HEAD_WIDTHS = ("head_dim", "attention_head_size", "key_value_proj_dim", "d_head", "head_size", "dim_head", "d_kv")
HEADS = ("num_heads", "n_heads", "n_head", "num_attention_heads", "heads", "nhead", "nheads")


@dataclass(frozen=True)
class Keys:
    """A module that makes keys. `part` is where they lie in its output, as shares of its last axis."""

    name: str
    head_width: int
    part: tuple[float, float] = (0.0, 1.0)


@dataclass(frozen=True)
class Attention:
    """How attention is recognised in a model that divides its logits by sqrt(width of a head).

    Args:
        keys: last parts of the names of layers that make keys.
        fused: last parts of the names of layers that make queries, keys and values, in this order, in one go.
        heads: number of heads, where the module that holds the layer does not tell (by attributes such as `num_heads`
            or `head_dim`).
    """

    keys: tuple[str, ...] = ("k", "key", "keys", "k_proj", "key_proj", "to_k", "wk", "w_k", "W_k", "Wk", "k_lin")
    fused: tuple[str, ...] = ("qkv", "c_attn", "in_proj", "query_key_value", "to_qkv", "Wqkv", "qkv_proj")
    heads: int | None = None

    def __post_init__(self) -> None:
        if self.heads is not None and (not isinstance(self.heads, int) or self.heads < 1):
            raise InputError("heads", "must be a whole number of at least 1", self.heads)

    def find(self, model: nn.Module) -> Iterator[Keys | str]:
        """The modules that make keys; for one whose heads' width cannot be told, its name alone."""
        modules = dict(model.named_modules())
        for name, module in modules.items():
            parent, _, last = name.rpartition(".")
            if isinstance(module, nn.MultiheadAttention):
                yield Keys(name, module.head_dim)
                continue
            size = getattr(module, "out_features", getattr(module, "nf", None))
            if size is None or (last not in self.keys and last not in self.fused):
                continue
            fused = last in self.fused
            if fused and size % 3:
                yield name
                continue
            width = self._head_width(modules[parent], size // 3 if fused else size)
            yield name if width is None else Keys(name, width, (1 / 3, 2 / 3) if fused else (0.0, 1.0))

    def _head_width(self, holder: nn.Module, size: int) -> int | None:
        if self.heads is not None:
            return size // self.heads
        for attribute in HEAD_WIDTHS:
            if isinstance(width := getattr(holder, attribute, None), int) and width > 0:
                return width
        for attribute in HEADS:
            if isinstance(heads := getattr(holder, attribute, None), int) and heads > 0:
                return size // heads
        return None


def found_in(model: nn.Module, attention: Attention | None) -> tuple[list[Keys], list[str]]:
    """What makes keys in a model, and the names of what seems to but whose heads' width cannot be told."""
    found = [] if attention is None else list(attention.find(model))
    return [k for k in found if isinstance(k, Keys)], [k for k in found if isinstance(k, str)]


__all__ = ["Attention", "Keys", "found_in"]
