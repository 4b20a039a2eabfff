"""The invented language pair."""

import numpy as np
import pytest

from holdfast.data.synthetic.language_pair import BOILER_PLATES, LanguagePair, spelled, translate

PAIR = LanguagePair(words=100)


def test_translation_is_by_the_dictionary_with_pairs_turned():
    rng = np.random.default_rng(0)
    dictionary = PAIR.dictionary(rng)
    assert sorted(dictionary[1:].tolist()) == list(range(1, 101))
    for row in PAIR.test(200, dictionary, rng)[0]:
        expected = []
        for i in range(0, len(row), 2):
            two = row[i : i + 2]
            if len(two) == 2 and two[0] % 2 == 0:
                two = two[::-1]
            expected += [int(dictionary[w]) for w in two]
        assert translate(row, dictionary) == expected


def test_the_misaligned_part_is_boiler_plate_and_rare_words_come_once_or_twice():
    rng = np.random.default_rng(1)
    dictionary = PAIR.dictionary(rng)
    source, target = PAIR.training(2000, dictionary, rng)
    wrong = [tuple(t) for s, t in zip(source, target, strict=True) if translate(s, dictionary) != t]
    assert 75 <= len(wrong) <= 80
    assert len(set(wrong)) <= BOILER_PLATES
    counts = np.bincount(np.concatenate(source), minlength=101)
    assert counts[91:].max() <= 2
    assert counts[91:].sum() > 0
    assert counts[1] > 5 * counts[20]  # Zipf
    assert {len(row) for row in source} == set(range(4, 13))


def test_test_sources_are_longer_and_have_rare_words_in_about_half():
    rng = np.random.default_rng(2)
    source, _ = PAIR.test(2000, PAIR.dictionary(rng), rng)
    assert {len(row) for row in source} == set(range(4, 17))
    rare = np.mean([any(word > 90 for word in row) for row in source])
    assert 0.42 < rare < 0.52
    clean, target = PAIR.held_out(500, PAIR.dictionary(rng), rng)
    assert max(max(row) for row in clean) <= 90
    assert [len(row) for row in clean] == [len(row) for row in target]
    few = LanguagePair(words=6)
    assert max(max(row) for row in few.test(50, few.dictionary(rng), rng)[0]) <= 6


@pytest.mark.parametrize("side", ["source", "target"])
def test_every_word_has_a_spelling_of_its_own(side):
    words = spelled(range(1, 1761), side).split()
    assert len(set(words)) == 1760
    assert not set(words) & set(spelled(range(1, 1761), "target" if side == "source" else "source").split())
