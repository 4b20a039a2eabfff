"""The three rules of voting against explicit loops, and what they promise about order, ties and empty answers."""

from __future__ import annotations

import math
import random
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import InputError
from holdfast.systems.binder.experiment.mockparser import SpreadErrors, plurality_accuracy
from holdfast.systems.binder.method.voting import BiasedVote, Candidate, ProbabilityVote, SimpleVote, poll

ANSWERS = st.sampled_from([None, (), (None,), (0,), (1,), ("x",), ("x", 1), (2.5,)])
CANDIDATES = st.lists(st.builds(Candidate, ANSWERS, st.floats(-30, -0.01)), max_size=12)


def loop(candidates, rule):
    """The reference's counting, written out."""
    votes: dict = {}
    firsts: dict = {}
    for c in candidates:
        answer = c.answer
        if answer is None:
            continue
        if answer == () or answer == (None,):
            if rule != "biased":
                continue
            answer = (0,)
        if answer not in votes:
            votes[answer] = 0.0
            firsts[answer] = c.logprob
        if rule == "prob":
            votes[answer] += math.exp(c.logprob)
        else:
            votes[answer] += 3 if rule == "biased" and answer == (1,) else 1
    best = None
    for answer, score in votes.items():
        if best is None or score > votes[best] or (score == votes[best] and firsts[answer] > firsts[best]):
            best = answer
    return best


@given(CANDIDATES, st.sampled_from(["simple", "biased"]))
def test_counted_rules_equal_the_loop(candidates, rule):
    assert poll(candidates, rule).answer == loop(candidates, rule)


@given(CANDIDATES)
def test_the_probability_rule_equals_the_loop_up_to_rounding(candidates):
    won, expected = poll(candidates, "prob").answer, loop(candidates, "prob")
    total = {a: math.fsum(math.exp(c.logprob) for c in candidates if c.answer == a) for a in (won, expected) if a}
    assert (won is None) == (expected is None)
    assert won is None or total[won] == pytest.approx(total[expected])


@given(CANDIDATES, st.randoms(), st.sampled_from(["simple", "prob", "biased"]))
def test_order_matters_only_for_ties(candidates, rng, rule):
    outcome = poll(candidates, rule)
    shuffled = random.Random(rng.random()).sample(candidates, len(candidates))
    again = poll(shuffled, rule)
    assert again.scores == pytest.approx(outcome.scores)
    scores = sorted(outcome.scores.values())
    if len(scores) < 2 or scores[-1] > scores[-2] * (1 + 1e-9):
        assert again.answer == outcome.answer


def test_ties_go_to_the_first_program_that_is_more_probable():
    candidates = [Candidate((1,), -5.0), Candidate((2,), -1.0), Candidate((2,), -9.0), Candidate((1,), -0.1)]
    assert poll(candidates).answer == (2,)  # the FIRST programs decide, not the most probable ones
    assert poll([Candidate((1,)), Candidate((2,))]).answer == (1,)


def test_answers_are_exact_tuples():
    outcome = poll([Candidate(("a",)), Candidate(("a", "a")), Candidate(("A",)), Candidate(("a",))])
    assert outcome.scores == {("a",): 2, ("a", "a"): 1, ("A",): 1}


def test_nothing_is_an_answer_only_where_a_placeholder_says_so():
    empty = [Candidate(()), Candidate((None,)), Candidate(None)]
    assert poll(empty) == poll([])
    assert (poll(empty).answer, poll(empty).winner) == (None, None)
    assert poll(empty, "biased").scores == {(0,): 2}
    assert poll(empty, SimpleVote(placeholder=("none",))).answer == ("none",)


def test_the_winner_is_a_candidate_that_gave_the_answer():
    candidates = [Candidate(None), Candidate((3,), -2.0), Candidate((4,), -1.0), Candidate((3,), -1.0)]
    outcome = poll(candidates)
    assert outcome.winner == 1
    assert candidates[outcome.winner].answer == outcome.answer


def test_improbable_programs_do_not_vanish():
    candidates = [Candidate((1,), -900.0), Candidate((2,), -901.0), Candidate((2,), -901.0), Candidate((2,), -901.0)]
    assert poll(candidates, "prob").answer == (2,)  # 3 / e > 1, though every exp is 0 in double precision


def test_the_bias_is_a_weight_of_votes():
    candidates = [Candidate((0,))] * 5 + [Candidate((1,))] * 2
    assert poll(candidates, "simple").answer == (0,)
    assert poll(candidates, "biased").scores == {(1,): 6, (0,): 5}
    assert poll(candidates, BiasedVote(weight=2)).answer == (0,)


def test_probabilities_must_be_known():
    with pytest.raises(InputError, match="log-probabilities"):
        poll([Candidate((1,))], ProbabilityVote())


@pytest.mark.parametrize(("p", "size"), [(0.4, 1), (0.4, 5), (0.4, 20), (0.7, 5)])
def test_simulated_votes_have_the_accuracy_of_plurality(p, size):
    rng = np.random.default_rng(3)
    questions = SpreadErrors(p).questions(3000, rng, rng)
    expected = plurality_accuracy(p, 5, size, np.random.default_rng(4))
    assert questions.accuracy(size, SimpleVote()) == pytest.approx(expected, abs=0.035)  # ties go by log-probability


@given(st.lists(st.integers(0, 3), min_size=1, max_size=30))
def test_simple_votes_are_counts(values):
    outcome = poll([Candidate((v,), -1.0) for v in values])
    assert outcome.scores == {(v,): n for v, n in Counter(values).items()}
    assert outcome.scores[outcome.answer] == max(Counter(values).values())
