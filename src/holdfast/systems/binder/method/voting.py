"""Which answer wins when several programs were sampled: the three rules of the reference code.

A candidate takes part if its program ran. Answers are compared as exact tuples: ("Paris",) and ("paris",) differ, and
so do (1,) and (1, 1); 1 and 1.0 are equal. Candidates that answer nothing ([] or [None]) are dropped, or, where
a placeholder is given (checking statements: 0), count as that. Scores:

- simple: the number of programs that gave the answer.
- prob: the sum of exp(logprob) of these programs.
- biased: the number of programs, times a weight for one answer. On TabFact the weight is 3 and the answer 1, as
  a program that is wrong tends to give 0.

Of answers with the same score the one wins whose first program has the higher log-probability, and of those the one
that was given first. The order of samples matters in nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from holdfast.errors import InputError
from holdfast.systems.binder.method.execution import Value

Values = tuple[Value, ...]


@dataclass(frozen=True)
class Candidate:
    """What one sampled program gave.

    Attributes:
        answer: its values; None if it did not run.
        logprob: natural logarithm of the program's probability; None where the model does not tell.
    """

    answer: Values | None
    logprob: float | None = None


class Vote(Protocol):
    """Scores answers. `placeholder` stands for an answer without a value; None = such answers are dropped."""

    @property
    def placeholder(self) -> Values | None: ...

    def scores(self, given: Mapping[Values, Sequence[Candidate]]) -> dict[Values, float]:
        """A score per answer, from the candidates that gave it, in order."""
        ...


@dataclass(frozen=True)
class SimpleVote:
    """One program, one vote."""

    placeholder: Values | None = None

    def scores(self, given: Mapping[Values, Sequence[Candidate]]) -> dict[Values, float]:
        """Number of programs."""
        return {answer: float(len(candidates)) for answer, candidates in given.items()}


@dataclass(frozen=True)
class ProbabilityVote:
    """Programs vote with their probability.

    Example:
        >>> given = {(1,): [Candidate((1,), -1.0)], (2,): [Candidate((2,), -2.0), Candidate((2,), -2.0)]}
        >>> {answer: round(score, 3) for answer, score in ProbabilityVote().scores(given).items()}
        {(1,): 1.0, (2,): 0.736}
    """

    placeholder: Values | None = None

    def scores(self, given: Mapping[Values, Sequence[Candidate]]) -> dict[Values, float]:
        """Sum of exp(logprob), divided by that of the most probable program: long programs would all come to 0.

        Raises:
            InputError: a log-probability is missing.
        """
        known = [c.logprob for candidates in given.values() for c in candidates]
        if any(logprob is None for logprob in known):
            raise InputError("vote", "'prob' needs log-probabilities, which this model does not give; use 'simple'")
        highest = max((logprob for logprob in known if logprob is not None), default=0.0)
        return {
            answer: math.fsum(math.exp((c.logprob or 0.0) - highest) for c in candidates)
            for answer, candidates in given.items()
        }


@dataclass(frozen=True)
class BiasedVote:
    """One program, one vote; those for one answer count more.

    Attributes:
        answer: the favoured one.
        weight: of its votes.
    """

    answer: Values = (1,)
    weight: float = 3.0
    placeholder: Values | None = (0,)

    def scores(self, given: Mapping[Values, Sequence[Candidate]]) -> dict[Values, float]:
        """Number of programs, times the weight for the favoured answer."""
        return {a: len(c) * (self.weight if a == self.answer else 1.0) for a, c in given.items()}


RULES: dict[str, Vote] = {"simple": SimpleVote(), "prob": ProbabilityVote(), "biased": BiasedVote()}


@dataclass(frozen=True)
class Poll:
    """The outcome.

    Attributes:
        answer: the winner; None if no candidate took part.
        winner: index of the first candidate that gave it; None likewise.
        scores: of all answers, best first.
    """

    answer: Values | None
    winner: int | None
    scores: dict[Values, float]


def poll(candidates: Sequence[Candidate], rule: str | Vote = "simple") -> Poll:
    """Count the votes.

    Args:
        candidates: in the order in which they were sampled.
        rule: "simple", "prob" or "biased", or another `Vote`.

    Example:
        >>> poll([Candidate((3,), -1.0), Candidate(None), Candidate((2,), -0.5), Candidate((3,), -9.0)]).answer
        (3,)
        >>> poll([Candidate((0,)), Candidate((0,)), Candidate((1,))], "biased").answer
        (1,)
    """
    vote = RULES[rule] if isinstance(rule, str) else rule
    given: dict[Values, list[Candidate]] = {}
    first: dict[Values, int] = {}
    for i, candidate in enumerate(candidates):
        answer = candidate.answer
        if answer is None:
            continue
        if answer in ((), (None,)):
            if vote.placeholder is None:
                continue
            answer = vote.placeholder
        given.setdefault(answer, []).append(candidate)
        first.setdefault(answer, i)
    scores = vote.scores(given)

    def rank(answer: Values) -> tuple[float, float, int]:
        logprob = given[answer][0].logprob
        return -scores[answer], -logprob if logprob is not None else math.inf, first[answer]

    ranked = sorted(given, key=rank)
    if not ranked:
        return Poll(None, None, {})
    return Poll(ranked[0], first[ranked[0]], {answer: scores[answer] for answer in ranked})


__all__ = [
    "RULES",
    "BiasedVote",
    "Candidate",
    "Poll",
    "ProbabilityVote",
    "SimpleVote",
    "Values",
    "Vote",
    "poll",
]
