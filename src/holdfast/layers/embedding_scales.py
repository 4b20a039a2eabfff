"""Tables of embeddings whose vectors a model multiplies with a number of its own."""

from __future__ import annotations

from torch import Tensor, nn

TABLES = (nn.Embedding, nn.EmbeddingBag)


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
    return {name: found[id(module)] for name, module in model.named_modules() if id(module) in found}


__all__ = ["TABLES", "embedding_scales"]
