"""Sentences as vectors without a network: bags of words and of character n-grams, reduced by an SVD."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from holdfast.validation import check_integer


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


__all__ = ["hashed_ngram_svd", "tfidf_svd"]
