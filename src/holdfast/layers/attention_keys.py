"""Finding attention: which module makes the keys, and how wide its heads are.

Under muP logits are q.k/d, not q.k/sqrt(d), where the width d of a head grows (definition 4.1). A model divides by
sqrt(d) somewhere inside its source, or by a constant, or not at all (T5); multiplying its keys gives the rest of d0/d,
d0 the base model's. Where keys are normalised after their projection, what the norm gives is multiplied.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from torch import nn

from holdfast.errors import InputError

HEAD_WIDTHS = ("head_dim", "attention_head_size", "key_value_proj_dim", "d_head", "head_size", "dim_head", "d_kv")
SCALES = ("scaling", "softmax_scale")  # what a module multiplies q.k with, where it says so
NORMS = ("k_norm", "k_layernorm", "key_layernorm", "norm_k")
SHARED_NORMS = ("qk_norm",)  # one norm for queries and keys: no factor fits
UNDIVIDED = ("t5", "mt5", "umt5", "longt5", "switch_transformers", "pop2piano", "udop", "gpt_neo")
HEADS = ("num_heads", "n_heads", "n_head", "num_attention_heads", "heads", "nhead", "nheads")


@dataclass(frozen=True)
class Keys:
    """A module that makes keys.

    Attributes:
        head_width: of the keys of one head.
        scale: what the model multiplies q.k with.
        part: where the keys lie in the module's output, as shares of its last axis.
    """

    name: str
    head_width: int
    scale: float
    part: tuple[float, float] = (0.0, 1.0)


@dataclass(frozen=True)
class Attention:
    """How attention is recognised in a model that divides its logits by sqrt(width of a head).

    Args:
        keys: last parts of the names of layers that make keys.
        fused: last parts of the names of layers that make queries, keys and values, in this order, in one go.
        heads: number of heads, where the module that holds the layer does not tell (by attributes such as `num_heads`
            or `head_dim`).
        divides: False for a model that multiplies q.k with the same number at every width; such models of the
            transformers library, and modules with a `scaling`, are known.
    """

    keys: tuple[str, ...] = ("k", "key", "keys", "k_proj", "key_proj", "to_k", "wk", "w_k", "W_k", "Wk", "k_lin")
    fused: tuple[str, ...] = ("qkv", "c_attn", "in_proj", "query_key_value", "to_qkv", "Wqkv", "qkv_proj")
    heads: int | None = None
    divides: bool = True

    def __post_init__(self) -> None:
        if self.heads is not None and (not isinstance(self.heads, int) or self.heads < 1):
            raise InputError("heads", "must be a whole number of at least 1", self.heads)

    def find(self, model: nn.Module) -> Iterator[Keys | str]:
        """The modules that make keys; for one whose heads' width cannot be told, its name alone."""
        modules = dict(model.named_modules())
        for name, module in modules.items():
            parent, _, last = name.rpartition(".")
            if isinstance(module, nn.MultiheadAttention):
                yield Keys(name, module.head_dim, module.head_dim**-0.5)
                continue
            size = getattr(module, "out_features", getattr(module, "nf", None))
            if size is None or (last not in self.keys and last not in self.fused):
                continue
            fused = last in self.fused
            if fused and size % 3:
                yield name
                continue
            holder = modules[parent]
            width = self._head_width(holder, size // 3 if fused else size)
            if width is None or any(isinstance(getattr(holder, norm, None), nn.Module) for norm in SHARED_NORMS):
                yield name
                continue
            norms = [n for n in NORMS if type(getattr(holder, n, None)) not in (type(None), nn.Identity)]
            where = f"{parent}.{norms[0]}".lstrip(".") if norms else name
            whole = bool(norms) or not fused
            yield Keys(where, width, self._scale(model, holder, width), (0.0, 1.0) if whole else (1 / 3, 2 / 3))

    def _scale(self, model: nn.Module, holder: nn.Module, width: int) -> float:
        said = next((s for name in SCALES if isinstance(s := getattr(holder, name, None), float) and s > 0), None)
        if said is not None:
            return said
        family = getattr(getattr(model, "config", None), "model_type", "")
        return width**-0.5 if self.divides and family not in UNDIVIDED else 1.0

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
