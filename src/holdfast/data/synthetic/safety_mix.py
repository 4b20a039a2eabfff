"""SafetyMix: feedback of helpers and of one kind of troll about the examples of a pool.

Ju et al., "Finding the helpers and ignoring the trolls", arXiv 2208.03295. The generator draws in the order of the
reference code (ParlAI, parlai/tasks/safety_mix/build.py, MIT), so that seed 42 gives its rows. Differences:
`lazy_rate`, which the reference computes and ignores (1 is what it does); every example is a copy of its own (in the
reference, repeats that one user draws are one object, and an even number of them turns a label back); with an odd n no
row is lost; a user has at least one example.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from holdfast.errors import InputError
from holdfast.validation import check_choice, check_fraction, check_integer, check_number

TROLLS = ("troll", "master_troll", "lazy_troll", "safe_troll", "unsafe_troll", "gaslight_troll")
FIRST = 800  # of each label of the pool, which makes it balanced
SOURCES = ("standard", "adversarial")


@dataclass(frozen=True, eq=False)
class Pool:
    """What examples are drawn from.

    Attributes:
        standard, adversarial: (items with label 0, items with label 1); items are texts, or numbers of rows.
    """

    standard: tuple[Sequence[Any], Sequence[Any]]
    adversarial: tuple[Sequence[Any], Sequence[Any]] = ((), ())


@dataclass(frozen=True, eq=False)
class Mix:
    """Labelled examples of users, one after the other.

    Attributes:
        items: N texts, or numbers of rows, as the pool has them.
        label, gold: (N,) int64 0 or 1: what the user says, and what is right.
        user_id: (N,) int64 from 0.
        user_type: (N,) str, "helper" or a kind of troll.
        source: (N,) str, "standard" or "adversarial".
    """

    items: list[Any]
    label: np.ndarray
    gold: np.ndarray
    user_id: np.ndarray
    user_type: np.ndarray
    source: np.ndarray

    def __len__(self) -> int:
        return len(self.items)

    @property
    def mislabelled(self) -> np.ndarray:
        """(N,) bool, where the user is wrong."""
        return self.label != self.gold


def hash_flips(keys: Iterable[str], rate: float) -> np.ndarray:
    """Whose label a troll turns: md5(key)[0] < 256 rate. Repeats of one text are all turned or none.

    Example:
        >>> hash_flips(["sample utterance number 0", "sample utterance number 5"], 0.8).tolist()
        [True, False]
    """
    return np.array([hashlib.md5(key.encode()).digest()[0] < 256 * rate for key in keys], bool)


def safety_mix(
    pool: Pool,
    troll: str = "troll",
    noise: float = 0.8,
    n: int = 200,
    ratio: float = 0.5,
    utterances_per_user: tuple[float, float] = (10, 2),
    seed: int = 42,
    *,
    helper_noise: float = 0.0,
    lazy_rate: float = 1.0,
    salt: str = "",
) -> Mix:
    """Feedback of helpers and of one kind of troll (section 3 of the paper).

    Args:
        pool: of examples; drawn with replacement.
        troll: "troll" (turns labels), "master_troll" (turns labels of adversarial inputs), "lazy_troll" (labels at
            random), "safe_troll" (always 0), "unsafe_troll" (always 1), "gaslight_troll" (adversarial inputs of label
            1, called 0).
        noise: share of texts whose label a troll or master troll turns: those with md5(salt + text)[0] < 256 noise.
        n: examples.
        ratio: share of examples by trolls, in [0, 1].
        utterances_per_user: mean and standard deviation of a normal distribution.
        seed: of all draws.
        helper_noise: share of texts that helpers get wrong.
        lazy_rate: share of texts that a lazy troll labels at random, the others rightly.
        salt: put before texts where they are hashed: another one turns other labels.

    Raises:
        InputError: an unknown kind of troll, shares outside [0, 1], a pool without the inputs it needs.

    Example:
        >>> pool = Pool(([f"fine {i}" for i in range(50)], [f"rude {i}" for i in range(50)]))
        >>> mix = safety_mix(pool, n=40)
        >>> len(mix), sorted(set(mix.user_type.tolist())), bool(mix.mislabelled[mix.user_type == "helper"].any())
        (40, ['helper', 'troll'], False)
    """
    check_choice(troll, TROLLS, "troll")
    for name, share in (("noise", noise), ("ratio", ratio), ("helper_noise", helper_noise), ("lazy_rate", lazy_rate)):
        check_fraction(share, name)
    check_integer(n, "n", low=1)
    check_number(utterances_per_user[0], "utterances_per_user", low=1)
    draw = _Draws(pool, utterances_per_user, seed)
    trolls = int(n * ratio)
    user, items, gold, source = draw.feedback(n - trolls, "standard")
    types = ["helper"] * len(items)
    wrong = list(hash_flips((f"{salt}helper {item}" for item in items), helper_noise))
    label = [1 - g if w else g for g, w in zip(gold, wrong, strict=True)]
    by_trolls = draw.of(troll, trolls)
    label += draw.labels(troll, by_trolls, noise, lazy_rate, salt)
    user, items, gold, source = user + by_trolls[0], items + by_trolls[1], gold + by_trolls[2], source + by_trolls[3]
    types += [troll] * trolls
    said, right, who = (np.array(values, np.int64) for values in (label, gold, user))
    return Mix(items, said, right, who, np.array(types), np.array(source))


Feedback = tuple[list[int], list[Any], list[int], list[str]]  # user, item, right label, source, of each example


class _Draws:
    """The random stream of the reference: one generator for users and examples, another for the numbers per user."""

    def __init__(self, pool: Pool, per_user: tuple[float, float], seed: int) -> None:
        self.rng = random.Random(seed)
        mean, spread = per_user
        self.sizes = np.maximum(np.round(np.random.RandomState(seed).normal(mean, spread, 100_000)), 1)
        self.labelled: dict[str, list[list[tuple[Any, int]]]] = {
            name: [[(item, label) for item in items[:FIRST]] for label, items in enumerate(getattr(pool, name))]
            for name in SOURCES
        }
        self.pools = {
            name: self.rng.sample(parts[0] + parts[1], len(parts[0] + parts[1]))
            for name, parts in self.labelled.items()
        }
        self.next_user = 0

    def of(self, troll: str, count: int) -> Feedback:
        """Examples of trolls, with right labels."""
        if troll == "troll":
            return self.feedback(count, "standard")
        if troll == "master_troll":
            return self.feedback(count, "adversarial")
        if troll in ("gaslight_troll", "lazy_troll"):  # the reference shuffles for kinds that are not drawn, too
            self.rng.sample(self.labelled["standard"][0], len(self.labelled["standard"][0]))
            unsafe = self.labelled["adversarial"][1]
            self.pools["unsafe"] = self.rng.sample(unsafe, len(unsafe))
        if troll == "gaslight_troll":
            return self.feedback(count, "unsafe")
        return self.feedback(count, "both")

    def feedback(self, count: int, pool: str) -> Feedback:
        """Users with examples of a pool, until there are `count`."""
        users: list[int] = []
        drawn: list[tuple[Any, int]] = []
        sources: list[str] = []
        while len(drawn) < count:
            size = min(int(self.rng.choice(self.sizes)), count - len(drawn))
            if pool == "both":
                for _ in range(size):
                    sources.append(SOURCES[0] if self.rng.random() > 0.5 else SOURCES[1])
                    drawn.append(self.rng.choice(self._filled(sources[-1])))
            else:
                sources += ["standard" if pool == "standard" else "adversarial"] * size
                drawn += self.rng.choices(self._filled(pool), k=size)
            users += [self.next_user] * size
            self.next_user += 1
        return users, [item for item, _ in drawn], [label for _, label in drawn], sources

    def _filled(self, name: str) -> list[tuple[Any, int]]:
        if not self.pools[name]:
            raise InputError("pool", "must have adversarial inputs for this kind of troll", f"no {name} ones")
        return self.pools[name]

    def labels(self, troll: str, feedback: Feedback, noise: float, lazy_rate: float, salt: str) -> list[int]:
        """What trolls say."""
        _, items, gold, _ = feedback
        if troll in ("safe_troll", "gaslight_troll"):
            return [0] * len(gold)
        if troll == "unsafe_troll":
            return [1] * len(gold)
        rate = lazy_rate if troll == "lazy_troll" else noise
        hit = hash_flips((f"{salt}{item}" for item in items), rate)
        said = [0 if self.rng.random() > 0.5 else 1 for _ in gold] if troll == "lazy_troll" else [1 - g for g in gold]
        return [s if h else g for s, h, g in zip(said, hit, gold, strict=True)]


__all__ = ["FIRST", "SOURCES", "TROLLS", "Mix", "Pool", "hash_flips", "safety_mix"]
