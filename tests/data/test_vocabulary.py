"""Words as numbers."""

from __future__ import annotations

from collections import Counter

import pytest

from holdfast.data.vocabulary import NO_WORD, UNKNOWN, Vocabulary, words_of
from holdfast.errors import InputError

TEXTS = ["The cat, the dog.", "the cat", "a Bird"]


def test_the_most_frequent_words_come_first_and_ties_by_the_alphabet():
    counts = Counter(word for text in TEXTS for word in words_of(text))
    vocabulary = Vocabulary.of(TEXTS, size=6)
    assert vocabulary.words == ("the", "cat", ",", ".")
    assert len(vocabulary) == 6
    assert [counts[word] for word in vocabulary.words] == [3, 2, 1, 1]
    assert Vocabulary.of(TEXTS, size=100).words[-1] == "dog"


def test_ids_are_padded_cut_and_unknown():
    vocabulary = Vocabulary.of(TEXTS, size=4)
    ids = vocabulary.ids(["the whale cat", "", "CAT"])
    assert ids.tolist() == [[2, UNKNOWN, 3], [NO_WORD] * 3, [3, NO_WORD, NO_WORD]]
    assert vocabulary.ids(["the the the cat"], length=2).tolist() == [[2, 2]]
    assert vocabulary.ids(["", ""]).tolist() == [[NO_WORD], [NO_WORD]]


def test_what_is_refused():
    with pytest.raises(InputError, match="index 1"):
        Vocabulary(()).ids(["a", None])
    with pytest.raises(InputError, match="size"):
        Vocabulary.of(TEXTS, size=1)
