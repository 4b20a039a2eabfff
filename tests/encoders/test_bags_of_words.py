"""Bags of words and n-grams as vectors."""

from __future__ import annotations

import numpy as np
import pytest

from holdfast.encoders.bags_of_words import hashed_ngram_svd, tfidf_svd
from holdfast.errors import InputError

SENTENCES = [
    "Compute the mean of an array.",
    "Return the average of all elements.",
    "Draw a line between two points.",
    "Plot a line from one point to another.",
    "Read a table from a file.",
    "Load a table that was written to a file.",
    "Compute the variance of an array.",
    "Return the largest element of an array.",
]


@pytest.mark.parametrize("embed", [tfidf_svd, hashed_ngram_svd])
def test_bags_of_words_know_shared_words(embed):
    z = embed(SENTENCES, 5)
    assert z.shape == (8, 5)
    assert z.dtype == np.float32
    assert np.linalg.norm(z, axis=1) == pytest.approx(np.ones(8), abs=1e-5)
    assert z[4] @ z[5] > z[4] @ z[2]
    assert np.array_equal(embed(SENTENCES, 5), z)
    with pytest.raises(InputError, match="dim"):
        embed(SENTENCES, 8)


def test_svd_of_tfidf_keeps_inner_products():
    """With all directions kept, cosines are those of the weighted counts themselves."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    counts = TfidfVectorizer(sublinear_tf=True, min_df=2, token_pattern=r"(?u)\b\w+\b").fit_transform(SENTENCES)
    z = tfidf_svd(SENTENCES, 7)
    assert z @ z.T == pytest.approx((counts @ counts.T).toarray(), abs=0.15)  # 7 of 8 directions
