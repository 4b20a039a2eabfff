"""Encoder-decoders of transformers from a folder: nothing is fetched, and no code of the folder is run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from holdfast.errors import InputError, MissingExtra


def load_seq2seq(folder: Path, name: str = "model", what: str = "an encoder-decoder") -> tuple[Any, Any]:
    """The tokenizer and the model of a folder in Hugging Face's layout.

    Attention is computed explicitly: fused kernels give no weights, and torch counts no FLOPs of theirs.

    Args:
        folder: with config.json, safetensors and a tokenizer.
        name: of the argument, for messages.
        what: is meant to be there, for messages.

    Raises:
        MissingExtra: transformers is not installed.
        InputError: no such model, or one that cannot be read.
    """
    try:
        from transformers import AutoModelForSeq2SeqLM, AutoTokenizer
        from transformers.utils import logging
    except ImportError as error:
        raise MissingExtra("transformers", "text") from error
    if not (folder / "config.json").is_file():
        raise InputError(name, f"must hold {what}: config.json, safetensors and a tokenizer", str(folder))
    logging.disable_progress_bar()
    local: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    weights: dict[str, Any] = {"use_safetensors": True, "attn_implementation": "eager"}
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, **local)
        model = AutoModelForSeq2SeqLM.from_pretrained(folder, **weights, **local)
    except (OSError, ValueError, KeyError) as error:
        raise InputError(name, "must hold an encoder-decoder that can be read", f"{folder}: {error}") from error
    return tokenizer, model


__all__ = ["load_seq2seq"]
