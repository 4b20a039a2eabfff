"""Finding the helpers and ignoring the trolls: who gave a label tells whether to believe it. arXiv 2208.03295.

Ju, Xu, Boureau and Weston (2022). Example i has input x_i, label y_i in {0, 1} and user u_i. In the paper's order:
stage 0 is SafetyMix, a generator of feedback (`data.synthetic.safety_mix`). Stage 1 gives every example a probability
p_i by a classifier that was not trained on it (`hash_folds`, `cross_fit_proba`). Stage 2 cleans the training set by a
rule over y, p and u (`Purr` and others). Stage 3 trains on what is left and cleans the validation set by that model
and the same rule (`clean_validation`). Stage 4 is the user's own training.

Differences from the paper and its code (which holds the generator and the folds, not the rules):

- "alpha = 0 reverts to per-example" (paper, deployment test) contradicts the printed formula; ours is the formula:
  alpha = 1 judges an example by itself alone, alpha = 0 by the user's other examples alone.
- An example whose user has no other has no g_i; ours takes the mean f of all examples.
- Disagreement is f < 1/2: at p = 1/2 nobody is contradicted, whatever the label.
- Folds by hash are taken of numbers as well, by the bytes of a row: equal rows lie in one fold.
- Weighting users (`SoftUserWeight`) and per-user sums for streams (`UserTrust`) are additions.
"""

from __future__ import annotations

import copy
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from holdfast.errors import InputError
from holdfast.estimator.cross_fitting import cross_fit_proba, hash_folds, taken


# ------------------------------------------------------------------------------------------------ stage 2: the rules
def trust(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    """f_i = y_i p_i + (1 - y_i)(1 - p_i): the probability that the cross-fitted model gives to the user's label.

    Example:
        >>> trust(np.array([1, 0]), np.array([0.75, 0.75])).tolist()
        [0.75, 0.25]
    """
    return y * p + (1 - y) * (1 - p)


def user_trust(f: np.ndarray, users: np.ndarray, leave_one_out: bool = True) -> np.ndarray:
    """g_i: the mean of f over the examples of i's user, with or without i itself.

    Args:
        f: (N,) trust.
        users: (N,) ids of any kind.
        leave_one_out: whether i itself is left out; a user's only example then gets the mean of all f.

    Returns:
        (N,) float64.

    Example:
        >>> user_trust(np.array([0.5, 1.0, 0.0, 0.3]), np.array(["a", "a", "a", "b"])).tolist()
        [0.5, 0.25, 0.75, 0.45]
    """
    _, user = np.unique(users, return_inverse=True)
    count, total = np.bincount(user)[user], np.bincount(user, weights=f)[user]
    if not leave_one_out:
        return total / count
    others = np.where(count > 1, total - f, np.mean(f) if len(f) else 0.0)
    return others / np.maximum(count - 1, 1)


@dataclass(frozen=True, eq=False)
class Cleaned:
    """What a rule makes of labels.

    Attributes:
        keep: (N,) bool.
        y: (N,) labels, corrected where the rule corrects.
        scores: (N,) what the rule compared with its threshold; a kept example has the higher ones.
        weight: (N,) of the examples in training.
    """

    keep: np.ndarray
    y: np.ndarray
    scores: np.ndarray
    weight: np.ndarray

    @classmethod
    def keeping(cls, keep: np.ndarray, y: np.ndarray, scores: np.ndarray) -> Cleaned:
        """Examples that are kept as they are, with weight 1."""
        return cls(keep, y, scores, np.ones(len(y)))


class Rule(Protocol):
    """How labels (N,), probabilities (N,) and users (N,) become cleaned labels."""

    def __call__(self, y: np.ndarray, p: np.ndarray, users: np.ndarray) -> Cleaned: ...


@dataclass(frozen=True)
class KeepAll:
    """Standard training: every label is believed."""

    def __call__(self, y: np.ndarray, p: np.ndarray, users: np.ndarray) -> Cleaned:
        return Cleaned.keeping(np.ones(len(y), bool), y, trust(y, p))


@dataclass(frozen=True)
class ExampleRemoval:
    """Drop i where f_i < tau; at 1/2, where the model disagrees."""

    tau: float = 0.5

    def __call__(self, y: np.ndarray, p: np.ndarray, users: np.ndarray) -> Cleaned:
        f = trust(y, p)
        return Cleaned.keeping(f >= self.tau, y, f)


@dataclass(frozen=True)
class Flip:
    """Turn the label of i where f_i < tau, and keep all."""

    tau: float = 0.5

    def __call__(self, y: np.ndarray, p: np.ndarray, users: np.ndarray) -> Cleaned:
        f = trust(y, p)
        return Cleaned.keeping(np.ones(len(y), bool), np.where(f < self.tau, 1 - y, y), f)


@dataclass(frozen=True)
class UserRemoval:
    """Drop all of user u where e_u, the share of the user's examples that the model disagrees with, exceeds theta."""

    theta: float = 0.4

    def __call__(self, y: np.ndarray, p: np.ndarray, users: np.ndarray) -> Cleaned:
        e = disagreement(y, p, users)
        return Cleaned.keeping(e <= self.theta, y, 1 - e)


@dataclass(frozen=True)
class UserExampleRemoval:
    """Drop users as `UserRemoval`, and of those that stay the examples that the model disagrees with."""

    theta: float = 0.4

    def __call__(self, y: np.ndarray, p: np.ndarray, users: np.ndarray) -> Cleaned:
        f, e = trust(y, p), disagreement(y, p, users)
        return Cleaned.keeping((e <= self.theta) & (f >= 0.5), y, np.minimum(f, 1 - e))


@dataclass(frozen=True)
class Purr:
    """Soft per-user robust removal: drop i where s_i = alpha f_i + (1 - alpha) g_i < tau, g_i without i itself."""

    alpha: float = 0.0
    tau: float = 0.5

    def __call__(self, y: np.ndarray, p: np.ndarray, users: np.ndarray) -> Cleaned:
        f = trust(y, p)
        s = self.alpha * f + (1 - self.alpha) * user_trust(f, users)
        return Cleaned.keeping(s >= self.tau, y, s)


@dataclass(frozen=True)
class SoftUserWeight:
    """Weight the examples of user u by max(0, 1 - 2 e_u), and drop those of weight 0."""

    def __call__(self, y: np.ndarray, p: np.ndarray, users: np.ndarray) -> Cleaned:
        e = disagreement(y, p, users)
        weight = np.maximum(0.0, 1 - 2 * e)
        return Cleaned(weight > 0, y, 1 - e, weight)


def disagreement(y: np.ndarray, p: np.ndarray, users: np.ndarray) -> np.ndarray:
    """e_u of each example's user: the share of the user's examples with f < 1/2, (N,)."""
    return user_trust((trust(y, p) < 0.5).astype(float), users, leave_one_out=False)


# --------------------------------------------------------------------------------------- stage 3: the validation set
def clean_validation(
    estimator: Any, X: Any, cleaned: Cleaned, X_val: Any, y_val: np.ndarray, users_val: np.ndarray, rule: Rule
) -> Cleaned:
    """The validation set cleaned by a model of the cleaned training set, by the same rule.

    Args:
        estimator: as in `cross_fit_proba`.
        X, cleaned: the training set, and what the rule made of it.
        X_val, y_val, users_val: the validation set, as noisy as the training set.
        rule: of stage 2.

    Raises:
        InputError: the cleaned training set has one label only.
    """
    y = cleaned.y[cleaned.keep]
    if len(np.unique(y)) < 2:
        raise InputError("y", "must have both labels left after cleaning", f"only {np.unique(y).tolist()}")
    model = copy.deepcopy(estimator).fit(taken(X, cleaned.keep), y)
    return rule(y_val, model.predict_proba(X_val)[:, 1], users_val)


# ------------------------------------------------------------------------------------------------ streams of feedback
@dataclass
class UserTrust:
    """Trust of users whose feedback goes on: a sum of f and a count each, which add up over batches and machines.

    Example:
        >>> monday, tuesday = UserTrust(), UserTrust()
        >>> monday.add(["ann", "bob"], [0.9, 0.2])
        >>> tuesday.add(["ann"], [0.7])
        >>> monday.merge(tuesday)
        >>> round(monday.mean("ann"), 6), monday.count("bob"), monday.mean("carl") == monday.overall
        (0.8, 1, True)
    """

    totals: dict[Hashable, tuple[float, int]] = field(default_factory=dict)

    def add(self, users: Iterable[Hashable], f: Iterable[float]) -> None:
        """Count examples with trust f in: all, or none where there are not as many users as f."""
        for user, value in list(zip(users, f, strict=True)):
            total, count = self.totals.get(user, (0.0, 0))
            self.totals[user] = (total + float(value), count + 1)

    def merge(self, other: UserTrust) -> None:
        """Count in what another one has counted."""
        for user, (more, added) in other.totals.items():
            total, count = self.totals.get(user, (0.0, 0))
            self.totals[user] = (total + more, count + added)

    @property
    def overall(self) -> float:
        """Mean f of all examples; NaN before the first."""
        count = sum(n for _, n in self.totals.values())
        return sum(total for total, _ in self.totals.values()) / count if count else float("nan")

    def count(self, user: Hashable) -> int:
        """How many examples of a user have been counted."""
        return self.totals.get(user, (0.0, 0))[1]

    def mean(self, user: Hashable) -> float:
        """Mean f of a user; of all examples for a user nobody has seen."""
        total, count = self.totals.get(user, (0.0, 0))
        return total / count if count else self.overall

    def others(self, users: Sequence[Hashable], f: Sequence[float]) -> np.ndarray:
        """g of examples that are counted already, each without itself: `user_trust(f, users)` of all at once, (n,)."""
        g = np.full(len(users), self.overall)
        for i, (user, value) in enumerate(zip(users, f, strict=True)):
            total, count = self.totals[user]
            if count > 1:
                g[i] = (total - value) / (count - 1)
        return g


# --------------------------------------------------------------------------------------------------------- measures
def troll_precision_recall(keep: np.ndarray, mislabelled: np.ndarray) -> tuple[float, float]:
    """Precision and recall, in [0, 1], of what was dropped as a finder of wrong labels; NaN where undefined.

    Example:
        >>> troll_precision_recall(np.array([False, False, True, True]), np.array([True, False, True, False]))
        (0.5, 0.5)
    """
    dropped, wrong = ~np.asarray(keep, bool), np.asarray(mislabelled, bool)
    both = int((dropped & wrong).sum())
    found = both / int(dropped.sum()) if dropped.any() else float("nan")
    return found, both / int(wrong.sum()) if wrong.any() else float("nan")


def balanced_error(y: np.ndarray, predicted: np.ndarray) -> float:
    """1 - the mean of the recalls of classes 0 and 1, in [0, 1].

    Example:
        >>> balanced_error(np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1])) == 1 / 6
        True
    """
    wrong = np.asarray(y) != np.asarray(predicted)
    return float(np.mean([wrong[np.asarray(y) == label].mean() for label in (0, 1)]))


__all__ = [
    "Cleaned",
    "ExampleRemoval",
    "Flip",
    "KeepAll",
    "Purr",
    "Rule",
    "SoftUserWeight",
    "UserExampleRemoval",
    "UserRemoval",
    "UserTrust",
    "balanced_error",
    "clean_validation",
    "cross_fit_proba",
    "disagreement",
    "hash_folds",
    "taken",
    "troll_precision_recall",
    "trust",
    "user_trust",
]
