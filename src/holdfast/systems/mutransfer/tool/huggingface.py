"""What models do about their width themselves, those of the transformers library above all; read off attributes."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from holdfast.systems.mutransfer.method.dimensions import TABLES, plain

LIKE_T5 = ("t5", "mt5", "umt5", "longt5", "switch_transformers", "pop2piano", "udop")


def own_readout_scale(model: Any, m: float) -> float:
    """What undoes a width-dependent factor that the model already puts before a tied readout; 1 for most models.

    T5 with tied embeddings multiplies the decoder's output by d_model^-1/2, which is m^-1/2 of the 1/m that is due.
    """
    config = getattr(model, "config", None)
    kind, tied = getattr(config, "model_type", ""), getattr(config, "tie_word_embeddings", False)
    return m**0.5 if kind in LIKE_T5 and getattr(config, "scale_decoder_outputs", tied) else 1.0


def known_std(model: Any, name: str, m: float) -> float | None:
    """A parameter's std over that of a base model m times as narrow, where its law is known; else None.

    T5 draws its relative attention bias with a std of d_model^-1/2: 32 numbers for each head, too few to measure.
    """
    kind = getattr(getattr(model, "config", None), "model_type", "")
    return m**-0.5 if kind in LIKE_T5 and name.endswith("relative_attention_bias.weight") else None


def embedding_scales(model: nn.Module) -> dict[str, float]:
    """Table of embeddings -> the number that the model multiplies its vectors with, sqrt(width) in most that do.

    It is read from `embed_scale`, of the table (Gemma, BART) or of the module that holds it (Pegasus). For a model of
    your own that multiplies embeddings by sqrt(width), set the table's `embed_scale` where it is built.

    Example:
        >>> table = nn.Embedding(9, 64)
        >>> table.embed_scale = 64**0.5
        >>> embedding_scales(nn.Sequential(table))
        {'0': 8.0}
    """
    found: dict[int, float] = {}
    for module in model.modules():
        scale = getattr(module, "scalar_embed_scale", getattr(module, "embed_scale", None))
        table = module if isinstance(module, TABLES) else getattr(module, "embed_tokens", None)
        if isinstance(scale, Tensor):
            scale = float(scale) if scale.numel() == 1 and not scale.is_meta else None
        if isinstance(scale, (int, float)) and scale > 0 and isinstance(table, TABLES):
            found.setdefault(id(table), float(scale))
    return {plain(f"{name}.")[:-1]: found[id(module)] for name, module in model.named_modules() if id(module) in found}


__all__ = ["embedding_scales", "known_std", "own_readout_scale"]
