"""Sampled programs without a language model: right with a probability, else wrong in one of several ways."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from holdfast.experiment import Problem
from holdfast.systems.binder.method.voting import Candidate, Values, Vote, poll

SIZES = (1, 2, 3, 5, 10, 20, 50)
MOST = max(SIZES)


@dataclass(frozen=True)
class Questions:
    """Answers of sampled programs.

    Attributes:
        truth: (Q,) the right answer.
        answers: (Q, N) of each sampled program; -1 = it gave nothing.
        logprobs: (Q, N) of the programs; they say nothing about which is right.
    """

    truth: np.ndarray
    answers: np.ndarray
    logprobs: np.ndarray

    def accuracy(self, size: int, vote: Vote) -> float:
        """Share of questions whose vote over the first programs gives the right answer."""
        right = 0
        for truth, answers, logprobs in zip(self.truth, self.answers, self.logprobs, strict=True):
            candidates = [
                Candidate(_values(a), p) for a, p in zip(answers[:size].tolist(), logprobs.tolist(), strict=False)
            ]
            right += poll(candidates, vote).answer == (int(truth),)
        return right / len(self.truth)


def _values(answer: int) -> Values:
    return () if answer < 0 else (answer,)


@dataclass(frozen=True)
class SpreadErrors(Problem):
    """A wrong program gives one of several wrong answers, each as likely: errors do not agree with each other.

    Attributes:
        p: probability that a program is right.
        wrong: number of wrong answers.
    """

    p: float = 0.4
    wrong: int = 5
    source: ClassVar[Literal["generated"]] = "generated"

    def questions(self, count: int, rng: np.random.Generator, programs: np.random.Generator) -> Questions:
        """Questions with 50 programs each; the right answer is 0 (which one it is does not matter)."""
        right = programs.random((count, MOST)) < self.p
        answers = np.where(right, 0, programs.integers(1, self.wrong + 1, (count, MOST)))
        return Questions(np.zeros(count, int), answers, programs.normal(-10, 2, (count, MOST)))

    def describe(self) -> str:
        return f"sampled programs, right with probability {self.p:g}, else one of {self.wrong} wrong answers"


@dataclass(frozen=True)
class CollapsingErrors(Problem):
    """Statements, true or false as often; a wrong program mostly says false, whatever is true: errors agree.

    Attributes:
        p: probability that a program is right.
        collapse: probability that a wrong program gives 0; else 1 or nothing, equally likely.
        true_share: of the statements.
    """

    p: float = 0.4
    collapse: float = 0.7
    true_share: float = 0.5
    source: ClassVar[Literal["generated"]] = "generated"

    def questions(self, count: int, rng: np.random.Generator, programs: np.random.Generator) -> Questions:
        """Statements with 50 programs each."""
        truth = (rng.random(count) < self.true_share).astype(int)
        right = programs.random((count, MOST)) < self.p
        zero = programs.random((count, MOST)) < self.collapse
        other = np.where(programs.random((count, MOST)) < 0.5, 1, -1)
        answers = np.where(right, truth[:, None], np.where(zero, 0, other))
        return Questions(truth, answers, programs.normal(-10, 2, (count, MOST)))

    def describe(self) -> str:
        return (
            f"statements ({self.true_share:.0%} true) with sampled programs, right with probability {self.p:g}; "
            f"a wrong one gives 0 with probability {self.collapse:g}"
        )


def plurality_accuracy(p: float, wrong: int, size: int, rng: np.random.Generator, draws: int = 20_000) -> float:
    """Monte Carlo of plurality voting with random ties, without any of the code above: an oracle for tests.

    Example:
        >>> round(plurality_accuracy(0.7, 5, 5, np.random.default_rng(0)), 2)
        0.93
    """
    probabilities = [p, *[(1 - p) / wrong] * wrong]
    counts = rng.multinomial(size, probabilities, draws)
    best = counts == counts.max(1, keepdims=True)
    return float((best[:, 0] / best.sum(1)).mean())


def curve(questions: Questions, vote: Vote, sizes: Sequence[int] = SIZES) -> list[float]:
    """Accuracy by number of programs."""
    return [questions.accuracy(size, vote) for size in sizes]


__all__ = ["MOST", "SIZES", "CollapsingErrors", "Questions", "SpreadErrors", "curve", "plurality_accuracy"]
