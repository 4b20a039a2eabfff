"""Texts or numbers of a user, as a classifier takes them, and a classifier for them where the user gives none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from holdfast.errors import InputError
from holdfast.validation import check_array, check_choice, is_tensor

ENCODERS = ("auto", "minilm", "tfidf")
CHUNK = 256  # texts between two calls of `progress`


def as_inputs(X: Any, name: str = "X") -> list[str] | np.ndarray:
    """Texts as a list, numbers as a float64 array (N, F).

    Raises:
        InputError: neither, none, or something that is missing.
    """
    if not is_tensor(X) and X is not None:
        values = np.asarray(X, dtype=object) if isinstance(X, list | tuple) else np.asarray(X)
        if values.ndim == 1 and len(values) and all(isinstance(value, str) for value in values.tolist()):
            return [str(value) for value in values.tolist()]
        if values.ndim == 1 and values.dtype.kind in "OUT" and any(isinstance(v, str) for v in values.tolist()):
            first = next(i for i, value in enumerate(values.tolist()) if not isinstance(value, str))
            raise InputError(name, "must have a text in every row", f"{values.tolist()[first]!r} in row {first}")
    array = check_array(X, "N F", name=name, dtype="float64")
    return np.asarray(array.detach().cpu() if is_tensor(array) else array)


def chosen_encoder(encoder: str) -> str:
    """ "minilm" or "tfidf": with "auto", the first where its package is installed."""
    from holdfast.encoders.sentences import has_packaged_model

    check_choice(encoder, ENCODERS, "encoder")
    return encoder if encoder != "auto" else "minilm" if has_packaged_model() else "tfidf"


def encoded(texts: list[str], progress: Callable[[int, int], None] | None = None) -> np.ndarray:
    """Sentence vectors of texts, (N, D) float64, by all-MiniLM-L6-v2."""
    from holdfast.encoders.sentences import default_encoder

    encoder, different = default_encoder(), list(dict.fromkeys(texts))
    parts = []
    for start in range(0, len(different), CHUNK):
        if progress is not None:
            progress(start, len(different))
        parts.append(encoder.encode(different[start : start + CHUNK]))
    row = {text: i for i, text in enumerate(different)}
    return np.concatenate(parts).astype(np.float64)[[row[text] for text in texts]]


def text_classifier() -> Any:
    """TF-IDF of words and pairs, and class-balanced logistic regression: for texts without an encoder."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline

    words = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), token_pattern=r"(?u)\b\w+\b|[^\w\s]")
    return make_pipeline(words, balanced_logistic())


def number_classifier(rows: int, features: int) -> Any:
    """Standardised numbers, an RBF kernel by Nystroem's map of at most 200 rows, class-balanced logistic regression."""
    from sklearn.kernel_approximation import Nystroem
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    kernel = Nystroem(gamma=1 / features, n_components=max(1, min(200, rows)), random_state=0)
    return make_pipeline(StandardScaler(), kernel, balanced_logistic())


def balanced_logistic(C: float = 3.0) -> Any:
    """Logistic regression in which both classes count the same."""
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=C, class_weight="balanced", max_iter=1000)


__all__ = [
    "ENCODERS",
    "as_inputs",
    "balanced_logistic",
    "chosen_encoder",
    "encoded",
    "number_classifier",
    "text_classifier",
]
