"""Shapes of T5: their names, and exact counts of weights."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import Any

from holdfast.errors import InputError
from holdfast.validation import check_integer

BUCKETS = 32  # of the relative bias, held once a stack
VOCABULARY = 32128
SIZES = {
    "tiny": (4, 256, 1024, 64, 4), "mini": (4, 384, 1536, 64, 8), "small": (6, 512, 2048, 64, 8),
    "base": (12, 768, 3072, 64, 12), "large": (24, 1024, 4096, 64, 16), "xl": (24, 1024, 16384, 128, 32),
    "xxl": (24, 1024, 65536, 128, 128),
}  # fmt: skip
# Names that the released files contradict.
CONTRADICTED = {
    "tiny-el12": "its file has 12 decoder blocks, too: write tiny-nl12, or tiny-el12-dl4",
    "xxl-nl4": "its file has kv 64 and nh 32, xxl has 128 and 128: write xxl-nl4-kv128-nh128, or xxl-nl4-kv64-nh32",
}


@dataclass(frozen=True)
class ParamCount:
    """Numbers of weights.

    Attributes:
        total: all of them.
        embedding: words, and the output's own where it is not tied.
        encoder, decoder: the rest.
    """

    total: int
    embedding: int
    encoder: int
    decoder: int


@dataclass(frozen=True)
class T5Shape:
    """An encoder-decoder.

    Attributes:
        el, dl: blocks of encoder and decoder.
        dm: width of the model.
        ff: of the feed-forward net.
        kv: of a head; 0 = dm / nh.
        nh: heads.
        vocab: words.
        gated: two maps before the activation (v1.1).
        tied: output and embedding share their weights.

    Raises:
        InputError: a size below 1; kv left out where nh does not divide dm.

    Example:
        >>> T5Shape.from_name("small").params().total
        60506624
    """

    el: int
    dl: int
    dm: int
    ff: int
    kv: int = 0
    nh: int = 8
    vocab: int = VOCABULARY
    gated: bool = False
    tied: bool = True

    def __post_init__(self) -> None:
        for name in ("el", "dl", "dm", "ff", "nh", "vocab"):
            check_integer(getattr(self, name), name, low=1)
        check_integer(self.kv, "kv", low=0)
        if not self.kv:
            if self.dm % self.nh:
                raise InputError(
                    "kv", f"must be given where {self.nh} heads do not divide a width of {self.dm}", "none"
                )
            object.__setattr__(self, "kv", self.dm // self.nh)

    @property
    def inner(self) -> int:
        """Width of all heads together."""
        return self.nh * self.kv

    @property
    def depth(self) -> int:
        """Blocks of both stacks."""
        return self.el + self.dl

    @classmethod
    def from_name(cls, name: str, **more: Any) -> T5Shape:
        """The shape of a name such as "small-nl24" or "t5-efficient-base-el16-dl4".

        A base and what is changed: nl (both stacks), el, dl, dm, ff, kv, nh. Thousands are binary: ff2000 is 2048.

        Args:
            name: of the shape.
            more: further fields, such as `gated`.

        Raises:
            InputError: no such base, no such change, one twice, or a name that the released files contradict.

        Example:
            >>> T5Shape.from_name("tiny-ff2000-nl8").ff
            2048
        """
        short = name.lower().strip().removeprefix("t5-efficient-").removeprefix("t5-")
        if short in CONTRADICTED:
            raise InputError("name", f"must be unambiguous ({CONTRADICTED[short]})", name)
        base, *changes = short.split("-")
        if base not in SIZES:
            raise InputError("name", f"must begin with one of {', '.join(SIZES)}", name)
        nl, dm, ff, kv, nh = SIZES[base]
        sizes = {"el": nl, "dl": nl, "dm": dm, "ff": ff, "kv": kv, "nh": nh}
        said: set[str] = set()
        for change in changes:
            found = re.fullmatch(r"(nl|el|dl|dm|ff|kv|nh)([1-9][0-9]*)", change)
            keys = {"nl": ("el", "dl")}.get(found[1], (found[1],)) if found else ()
            if not found or said & set(keys):
                raise InputError(
                    "name", "must be a base and changes as nl24, el16, dl4, dm768, ff2000, kv64, nh8", name
                )
            said |= set(keys)
            value = int(found[2])
            binary = found[1] in ("dm", "ff") and value % 1000 == 0
            sizes |= dict.fromkeys(keys, value // 1000 * 1024 if binary else value)
        return cls(**{**sizes, **more})

    def params(self) -> ParamCount:
        """Exact numbers of weights."""
        attention = 4 * self.dm * self.inner
        mlp = (3 if self.gated else 2) * self.dm * self.ff
        once = self.dm + BUCKETS * self.nh
        encoder = self.el * (attention + mlp + 2 * self.dm) + once
        decoder = self.dl * (2 * attention + mlp + 3 * self.dm) + once
        embedding = self.vocab * self.dm * (1 if self.tied else 2)
        return ParamCount(embedding + encoder + decoder, embedding, encoder, decoder)

    def to_hf_config(self) -> Any:
        """The configuration of transformers' T5.

        Raises:
            InputError: an untied output, which transformers 5 cannot express for T5: it ties them all the same.
        """
        from transformers import T5Config

        if not self.tied:
            raise InputError("tied", "must be true: transformers 5 always ties T5's embeddings", self.tied)
        return T5Config(
            vocab_size=self.vocab, d_model=self.dm, d_kv=self.kv, d_ff=self.ff, num_layers=self.el,
            num_decoder_layers=self.dl, num_heads=self.nh, feed_forward_proj="gated-gelu" if self.gated else "relu",
        )  # fmt: skip

    def build(self) -> Any:
        """The model itself, `layers.t5.T5`, with weights drawn from torch's generator."""
        from holdfast.layers.t5 import T5

        return T5(self.el, self.dl, self.dm, self.ff, self.kv, self.nh, self.vocab, self.gated, self.tied)


BASES = {name: T5Shape.from_name(name) for name in SIZES}
FIELDS = tuple(field.name for field in fields(T5Shape))

__all__ = ["BASES", "BUCKETS", "CONTRADICTED", "FIELDS", "ParamCount", "T5Shape"]
