"""Where sentences come from."""

from __future__ import annotations

import numpy as np
import pytest

from holdfast.data.sentences import read_sentences, summaries, whole_sentences
from holdfast.errors import InputError


def test_summaries_are_first_paragraphs_of_functions_and_classes():
    source = b'''
"""Modules do not count at all here."""
def f():
    """Add one to
    every number.

    More about it.
    """
class C:
    """Too short."""
    def g(self):
        "A method that says something of itself."
    def h(self):
        return "A string that is no documentation"
'''
    assert list(summaries(source)) == ["Add one to every number.", "A method that says something of itself."]


def test_whole_sentences_are_no_ends_of_others():
    whole = ["a bleak and slow film , but never dull .", "wit and charm carry it to the end ."]
    parts = ["but never dull .", "never dull .", "charm carry it to the end .", "a bleak and slow film"]
    assert sorted(whole_sentences([*parts, *whole], words=5)) == sorted(whole)
    assert whole_sentences([*parts, *whole], words=10) == [whole[0]]


def test_whole_sentences_against_brute_force():
    rng = np.random.default_rng(0)
    texts = list({" ".join(rng.choice(["a", "b", "c"], rng.integers(1, 6))) + " ." for _ in range(80)})
    expected = {t for t in texts if not any(o != t and o.endswith(t) for o in texts)}
    assert set(whole_sentences(texts, words=1)) == expected


def test_tables_without_sentences_are_refused(tmp_path):
    (tmp_path / "x.tsv").write_text("text\tlabel\nhello\t1\n")
    with pytest.raises(InputError, match="sentence"):
        read_sentences(tmp_path / "x.tsv")
    with pytest.raises(InputError, match="readable"):
        read_sentences(tmp_path / "no.tsv")
