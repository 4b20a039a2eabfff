"""BLEU against its definition and known values; stems against Porter's examples; which examples are chosen."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.language.stemming import stem
from holdfast.systems.binder.tool.exemplars import load_calls, load_programs
from holdfast.systems.binder.tool.shots import WEIGHTS, bleu, retrieve, similarity, words

# From the examples in the paper's rules.
PORTER = """caresses caress|ponies poni|ties ti|caress caress|cats cat|feed feed|agreed agre|
plastered plaster|bled bled|motoring motor|sing sing|conflated conflat|troubled troubl|
sized size|hopping hop|tanned tan|falling fall|hissing hiss|fizzed fizz|failing fail|
filing file|happy happi|sky sky|relational relat|conditional condit|rational ration|
valenci valenc|hesitanci hesit|digitizer digit|conformabli conform|radicalli radic|
differentli differ|vileli vile|analogousli analog|vietnamization vietnam|predication predic|
operator oper|feudalism feudal|decisiveness decis|hopefulness hope|callousness callous|
formaliti formal|sensitiviti sensit|sensibiliti sensibl|triplicate triplic|formative form|
formalize formal|electriciti electr|electrical electr|hopeful hope|goodness good|revival reviv|
allowance allow|inference infer|airliner airlin|gyroscopic gyroscop|adjustable adjust|
defensible defens|irritant irrit|replacement replac|adjustment adjust|dependent depend|
adoption adopt|homologou homolog|communism commun|activate activ|angulariti angular|
homologous homolog|effective effect|bowdlerize bowdler|probate probat|rate rate|cease ceas|
controll control|roll roll"""


@pytest.mark.parametrize("pair", [p.strip() for p in PORTER.replace("\n", "").split("|")])
def test_stems_are_porters(pair):
    word, expected = pair.split()
    assert stem(word) == expected


@given(st.text("abcdefghijklmnopqrstuvwxyz", max_size=15))
def test_any_word_has_a_stem_that_is_not_longer_by_more_than_an_e(word):
    assert len(stem(word)) <= len(word) + 1


def definition(hypothesis, reference):
    """BLEU with explicit loops."""
    product = 1.0
    for n, weight in enumerate(WEIGHTS, 1):
        given_grams = [tuple(hypothesis[i : i + n]) for i in range(len(hypothesis) - n + 1)]
        wanted = Counter(tuple(reference[i : i + n]) for i in range(len(reference) - n + 1))
        matches = 0
        for gram in set(given_grams):
            matches += min(given_grams.count(gram), wanted[gram])
        if n == 1 and not matches:
            return 0.0
        product *= ((matches or 0.1) / max(1, len(given_grams))) ** weight
    short = len(hypothesis) < len(reference)
    return product * (math.exp(1 - len(reference) / len(hypothesis)) if short else 1.0)


SENTENCES = st.lists(st.sampled_from("abcd"), min_size=1, max_size=12)


@given(SENTENCES, SENTENCES)
def test_bleu_is_its_definition(hypothesis, reference):
    assert bleu(hypothesis, reference) == pytest.approx(definition(hypothesis, reference))
    assert 0 <= bleu(hypothesis, reference) <= 1 + 1e-12


@given(st.lists(st.sampled_from("abcd"), min_size=4, max_size=12))
def test_a_sentence_is_most_like_itself(sentence):
    assert bleu(sentence, sentence) == pytest.approx(1.0)


def test_bleu_of_a_short_sentence_by_hand():
    # 1-grams 2/2, 2-grams 1/1, no 3- and 4-grams: 0.1 / 1 each; as long as the reference.
    assert bleu(["a", "b"], ["a", "b"]) == pytest.approx(0.1**0.3 * 0.1**0.15)
    assert bleu([], ["a"]) == 0.0


@dataclass(frozen=True)
class Example:
    question: str
    header: tuple[str, ...]


def test_the_header_counts_a_fifth():
    example = Example("is it a win?", ("result",))
    asked = bleu(words("is it a win?"), words("is it a win?"))
    same = similarity("is it a win?", ["result"], example)
    assert same == pytest.approx(asked + 0.2 * bleu(["result"], ["result"]))
    assert similarity("is it a win?", ["x"], example) == pytest.approx(asked)


def test_the_most_similar_examples_come_last():
    pool = [Example("what year?", ("a",)), Example("is it a loss?", ("score",)), Example("is it a win?", ("result",))]
    chosen = retrieve("is it a big win?", ("result",), pool, 2)
    assert [e.question for e in chosen] == ["is it a loss?", "is it a win?"]
    assert retrieve("?", (), pool, 0) == []
    assert retrieve("nothing alike", (), pool, 5) == pool[::-1]  # ties: the pool's order, the first last


def test_packaged_calls_find_their_like():
    best = retrieve("what is the height in feet?", ("height",), load_calls("map"), 1)[0]
    assert best.question == "what is the height in ft?"
    assert len(load_calls("map")) >= 30
    assert len(load_calls("ans")) >= 6
    assert len(load_programs("questions")) >= 14
    assert len(load_programs("statements")) >= 18
