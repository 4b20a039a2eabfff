"""SafetyMix on digits, and on the texts of the paper: problems, and readers of the published formats."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from holdfast.baselines.own_classifiers import balanced_logistic
from holdfast.data.location import data_folder
from holdfast.data.synthetic.safety_mix import FIRST, SOURCES, Mix, Pool, safety_mix
from holdfast.errors import InputError
from holdfast.estimator.cross_fitting import cross_fit_proba
from holdfast.experiment import DataSource, Problem

OK, NOT_OK = "__ok__", "__notok__"


# ---------------------------------------------------------------------------------------------- the problems of trials
@dataclass(frozen=True, eq=False)
class Task:
    """One replicate: features and feedback to train and to validate on, and cleanly labelled examples.

    Attributes:
        X, X_val, X_dev, X_test: (n, F) float64.
        train, val: the feedback.
        y_dev: (n_dev,) right labels of examples that nobody gave feedback on: for tuning on pilots alone.
        y_test, test_id: (n_test,) right labels and ids of the test examples.
    """

    X: np.ndarray
    train: Mix
    X_val: np.ndarray
    val: Mix
    X_dev: np.ndarray
    y_dev: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray
    test_id: list[int]


@dataclass(frozen=True)
class DigitsMix(Problem):
    """Is the digit odd? 900 of scikit-learn's digits are the pool of users' feedback, 897 others the test.

    Adversarial inputs are the third of the pool that a model of the pool's other half is least sure of. A replicate
    draws users, their examples, and whose label is turned.

    Attributes:
        troll, noise, ratio, helper_noise, n: of `safety_mix`.
        n_val: examples of feedback to validate on.
        components, gamma: of the Nystroem map of an RBF kernel, fitted on the training inputs.
    """

    troll: str = "troll"
    noise: float = 0.8
    ratio: float = 0.5
    helper_noise: float = 0.0
    n: int = 200
    n_val: int = 60
    components: int = 200
    gamma: float = 0.2

    source: ClassVar[DataSource] = "package"
    fixed_test: ClassVar[bool] = True

    def draw(self, rng: np.random.Generator) -> Task:
        """The data of a replicate."""
        pixels, y, rest, tested, pool = _digits(self.gamma)
        seeds = rng.integers(2**31, size=2)
        options: dict[str, Any] = {"troll": self.troll, "noise": self.noise, "ratio": self.ratio}
        options |= {"helper_noise": self.helper_noise, "salt": f"{seeds[0]} "}
        train = safety_mix(pool, n=self.n, seed=int(seeds[0]), **options)
        val = safety_mix(pool, n=self.n_val, seed=int(seeds[1]), **options)
        seen = np.array(sorted({*train.items, *val.items}))
        dev = np.setdiff1d(rest, seen)
        phi = rbf_map(pixels[train.items], self.components, self.gamma)
        X, X_val, X_dev, X_test = (phi(pixels[rows]) for rows in (train.items, val.items, dev, tested))
        return Task(X, train, X_val, val, X_dev, y[dev], X_test, y[tested], tested.tolist())

    def describe(self) -> str:
        some = f", {self.helper_noise:.0%} of helpers' labels wrong" if self.helper_noise else ""
        return f"digits, odd or even: {self.n} labels, {self.ratio:.0%} by {self.troll}s (N = {self.noise:g}){some}"


def rbf_map(X: np.ndarray, components: int, gamma: float) -> Any:
    """The Nystroem map of an RBF kernel, from at most `components` of the rows X; a function of rows."""
    from sklearn.kernel_approximation import Nystroem

    fitted = Nystroem(gamma=gamma, n_components=min(components, len(X)), random_state=0).fit(X)
    return fitted.transform


@functools.cache
def _digits(gamma: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, Pool]:
    """Pixels (1797, 64), odd or even, rows of the pool, rows of the test, and the pool."""
    from holdfast.data.digits import uci_digits
    from holdfast.data.splits import fixed_test

    images, digits = uci_digits()
    pixels, y = images.numpy().reshape(len(images), -1).astype(np.float64), (digits.numpy() % 2).astype(np.int64)
    _, tested, others = (part.numpy() for part in fixed_test(digits, 897))
    half = np.arange(len(others)) % 2
    phi = rbf_map(pixels[others], 200, gamma)(pixels[others])
    margin = np.abs(cross_fit_proba(balanced_logistic(3.0), phi, y[others], half) - 0.5)
    hard = margin <= np.quantile(margin, 1 / 3)
    return pixels, y, others, tested, Pool(_by_label(others, y), _by_label(others[hard], y))


def _by_label(rows: np.ndarray, y: np.ndarray) -> tuple[Sequence[int], Sequence[int]]:
    """Rows of either label, equally many."""
    zero, one = (rows[y[rows] == label].tolist() for label in (0, 1))
    count = min(len(zero), len(one))
    return zero[:count], one[:count]


# ----------------------------------------------------------------------------------------------- the paper's own texts
FILE = "safety_mix/single_turn_safety.json"


def read_single_turn_safety(path: str | Path, part: Literal["train", "valid", "test"], level: str = "1") -> Pool:
    """A pool of single_turn_safety.json (Dinan et al. 2019, as SafetyMix uses it).

    Args:
        path: {"standard" | "adversarial": {part: {level: {"good": [example], "bad": [example]}}}}, where an example is
            {"text": str, "labels": ["__ok__" | "__notok__"]}.
        part: of the data.
        level: of difficulty, "1" to "3".

    Raises:
        InputError: not such a file; names what is missing.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        parts = {
            source: [
                [str(example["text"]) for example in content[source][part][level][side]] for side in ("good", "bad")
            ]
            for source in SOURCES
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        rule = f"must be single_turn_safety.json, with {part} and level {level}"
        raise InputError(str(path), rule, f"{type(error).__name__}: {error}") from error
    return Pool((parts["standard"][0], parts["standard"][1]), (parts["adversarial"][0], parts["adversarial"][1]))


def read_safety_mix(path: str | Path) -> Mix:
    """Feedback from a jsonl file as SafetyMix writes it: text, labels, gold_labels, user_id, user_type, source.

    Raises:
        InputError: no such file; a line that is no such row (says which).
    """
    rows: list[Mapping[str, Any]] = []
    number = 0
    try:
        for number, line in enumerate(Path(path).read_text(encoding="utf-8").splitlines(), start=1):  # noqa: B007  said in the error
            if line.strip():
                row = json.loads(line)
                one, other = ((OK, NOT_OK).index(row[name][0]) for name in ("labels", "gold_labels"))
                rows.append({**row, "said": one, "right": other, "user": int(row["user_id"]), "text": str(row["text"])})
        if not rows:
            raise ValueError("no rows")
        text, said, right, user, kind, source = (
            [row[name] for row in rows] for name in ("text", "said", "right", "user", "user_type", "source")
        )
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        rule = "must be rows of SafetyMix: text, labels, gold_labels, user_id, user_type, source"
        raise InputError(f"{path}, line {number}", rule, f"{type(error).__name__}: {error}") from error
    return Mix(text, np.array(said), np.array(right), np.array(user), np.array(kind), np.array(source))


@dataclass(frozen=True)
class TextMix(Problem):
    """The paper's setting: SafetyMix of single_turn_safety.json, texts as sentence vectors; 1,000 clean test texts.

    Attributes: as in `DigitsMix`.
    """

    troll: str = "troll"
    noise: float = 0.8
    ratio: float = 0.5
    n: int = 200
    n_val: int = 24

    source: ClassVar[DataSource] = "file"
    fixed_test: ClassVar[bool] = True
    how_to_get: ClassVar[str] = (
        "single_turn_safety.json (http://parl.ai/downloads/dialogue_safety/single_turn_safety.json, of ParlAI's task "
        f"safety_mix) as {FILE} under HOLDFAST_DATA"
    )

    def available(self) -> bool:
        return data_folder(FILE).is_file()

    def draw(self, rng: np.random.Generator) -> Task:
        """The data of a replicate."""
        from holdfast.encoders.sentences import default_encoder

        pool, valid, test = (read_single_turn_safety(data_folder(FILE), part) for part in ("train", "valid", "test"))
        seeds = rng.integers(2**31, size=2)
        options: dict[str, Any] = {"troll": self.troll, "noise": self.noise, "ratio": self.ratio}
        train = safety_mix(pool, n=self.n, seed=int(seeds[0]), salt=f"{seeds[0]} ", **options)
        val = safety_mix(valid, n=self.n_val, seed=int(seeds[1]), salt=f"{seeds[0]} ", **options)
        safe, unsafe = test.standard[0][:900], test.standard[1][:100]
        seen = {*train.items}
        spare = [[text for text in side[:FIRST] if text not in seen][:200] for side in pool.standard]
        encode = default_encoder().encode
        X, X_val, X_dev, X_test = (
            encode(list(texts)).astype(np.float64)
            for texts in (train.items, val.items, [*spare[0], *spare[1]], [*safe, *unsafe])
        )
        y_dev = np.repeat([0, 1], [len(side) for side in spare])
        y_test = np.repeat([0, 1], [len(safe), len(unsafe)])
        return Task(X, train, X_val, val, X_dev, y_dev, X_test, y_test, list(range(len(y_test))))

    def describe(self) -> str:
        return f"single_turn_safety texts: {self.n} labels, {self.ratio:.0%} by {self.troll}s (N = {self.noise:g})"


__all__ = [
    "DigitsMix",
    "Mix",
    "Pool",
    "Task",
    "TextMix",
    "rbf_map",
    "read_safety_mix",
    "read_single_turn_safety",
    "safety_mix",
]
