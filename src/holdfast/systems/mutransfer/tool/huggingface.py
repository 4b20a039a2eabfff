"""What models of the transformers library do to their readouts themselves. Works on their attributes, without them."""

from __future__ import annotations

from typing import Any


def own_readout_scale(model: Any, m: float) -> float:
    """What undoes a width-dependent factor that the model already puts before a tied readout; 1 for most models.

    T5 with tied embeddings multiplies the decoder's output by d_model^-1/2, which is m^-1/2 of the 1/m that is due.
    """
    config = getattr(model, "config", None)
    kind, tied = getattr(config, "model_type", ""), getattr(config, "tie_word_embeddings", False)
    return m**0.5 if kind in ("t5", "mt5") and tied else 1.0


__all__ = ["own_readout_scale"]
