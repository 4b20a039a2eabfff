"""What models do about their width themselves, those of the transformers library above all; read off attributes."""

from __future__ import annotations

from typing import Any

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


__all__ = ["known_std", "own_readout_scale"]
