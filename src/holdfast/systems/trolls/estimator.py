"""The filter: feedback of users in, what to believe of it out."""

from __future__ import annotations

import copy
import itertools
import warnings
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from holdfast.baselines.own_classifiers import (
    as_inputs,
    balanced_logistic,
    chosen_encoder,
    encoded,
    number_classifier,
    text_classifier,
)
from holdfast.errors import InputError
from holdfast.estimator import Estimator, Example, Tags
from holdfast.estimator.labels import encode_labels
from holdfast.systems.trolls.method import (
    Cleaned,
    ExampleRemoval,
    Flip,
    Purr,
    Rule,
    UserExampleRemoval,
    UserRemoval,
    clean_validation,
    cross_fit_proba,
    disagreement,
    hash_folds,
    taken,
    trust,
    user_trust,
)
from holdfast.validation import check_choice, check_fraction, check_integer, check_same_length, is_tensor

if TYPE_CHECKING:
    import pandas as pd

METHODS = ("purr", "example", "flip", "user", "user+example")
Progress = Callable[[str, int, int], None]


class TrollFilter(Estimator):
    """Which labels to believe, by who gave them (SafetyMix, arXiv 2208.03295).

    No trusted label is needed. A set of which more than half of the labels are turned looks like one whose labels are
    right: that cannot be seen. Two labels; several labels of one input are not needed.

    Args:
        method: "purr" (drops an example whose user, or which itself, is not believed), "example" (drops what the model
            disagrees with), "flip" (corrects that), "user" (drops users the model disagrees with too often) or
            "user+example" (both).
        alpha: of "purr", how much an example is judged by itself, in [0, 1]; 0 = by the user's other examples alone.
        tau: of "purr", "example" and "flip": lowest score that is believed, in [0, 1].
        theta: of "user" and "user+example": largest share of disagreement that is believed, in [0, 1].
        k: folds that probabilities are cross-fitted by, at least 2.
        encoder: of texts: "minilm" (sentence vectors), "tfidf" (words), "auto" (the first where it is installed).
        estimator: classifier as scikit-learn's, with predict_proba. None = class-balanced logistic regression, of
            sentence vectors, words, or an RBF kernel of standardised numbers.

    Attributes:
        classes_: (2,) the labels; the second is "positive".
        keep_: (N,) bool, what is believed.
        y_: (N,) labels, those of "flip" corrected.
        trust_: (N,) f, the probability that a model which has not seen the example gives to its label.
        scores_: (N,) what the rule compares with its threshold.
        users_: (N,) ids, as texts; "missing 1" and so on where there is none.
        encoder_: what texts were read by, "minilm" or "tfidf"; "" for numbers and with a classifier of your own.
        disagreement_: (N,) share of the examples of its user that the model disagrees with.
        keep_val_, y_val_: the same of validation data, if there are any.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> gold = rng.integers(0, 2, 120)
        >>> X = gold[:, None] * 4 + rng.normal(size=(120, 2))
        >>> users = np.repeat(["ann", "bob", "eve"], 40)
        >>> y = np.where((users == "eve") & (rng.random(120) < 0.8), 1 - gold, gold)
        >>> found = TrollFilter().fit(X, y, users)
        >>> sorted(set(users[found.keep_].tolist()))
        ['ann', 'bob']
        >>> found.user_report_[["user", "examples", "dropped"]].values.tolist()
        [['eve', 40, True], ['bob', 40, False], ['ann', 40, False]]
    """

    tags = Tags(
        labels=("y",),
        outputs=("user_trust",),
        needs_seed=False,
        deterministic=True,
        predicts_rows=False,
        tolerance=1e-4,
    )

    def __init__(
        self,
        method: str = "purr",
        alpha: float = 0.0,
        tau: float = 0.5,
        theta: float = 0.4,
        k: int = 5,
        encoder: str = "auto",
        estimator: Any = None,
    ) -> None:
        self.method, self.alpha, self.tau, self.theta, self.k = method, alpha, tau, theta, k
        self.encoder, self.estimator = encoder, estimator

    def fit(
        self,
        X: Any,
        y: Any,
        users: Any = None,
        X_val: Any = None,
        y_val: Any = None,
        users_val: Any = None,
        *,
        positive: Any = None,
        progress: Progress | None = None,
    ) -> Self:
        """Find what to believe.

        Args:
            X: N texts, or numbers (N, F).
            y: (N,) labels of two values.
            users: (N,) ids of any kind; a missing one, and None for all, is a user of its own (a warning says so).
            X_val, y_val, users_val: a validation set from the same source: cleaned by a model of the cleaned X.
            positive: which label is called positive; None = the second in order.
            progress: called with (what, done, of how many): texts that are read, models that are fitted.

        Raises:
            InputError: wrong shapes or settings, labels of other than two values, a fold whose model would see one
                label only, a threshold that removes everything.
        """
        rule = self._rule()
        check_integer(self.k, "k", low=2)
        inputs = as_inputs(X)
        labels, classes = _two_labels(y, positive)
        check_same_length(X=inputs, y=labels)
        ids = _ids(users, len(labels), "users")
        folds = hash_folds(inputs, self.k)
        features, estimator = self._prepared(inputs, folds, progress)
        p = cross_fit_proba(estimator, features, labels, folds, progress and partial(progress, "Fitting models"))
        cleaned = rule(labels, p, ids)
        self._check(cleaned)
        val = None
        if X_val is not None:
            held = as_inputs(X_val, "X_val")
            if isinstance(held, list) != isinstance(inputs, list):
                kinds = ("texts", "numbers") if isinstance(held, list) else ("numbers", "texts")
                raise InputError("X_val", f"must hold {kinds[1]}, as X does", kinds[0])
            val = self._validated(rule, estimator, features, cleaned, classes, (held, y_val, users_val), progress)
        self._forget()
        self.classes_, self.users_ = classes, ids
        own = self.estimator is not None or not isinstance(inputs, list)
        self.encoder_ = "" if own else chosen_encoder(self.encoder)
        self.keep_, self.y_ = cleaned.keep, classes[cleaned.y]
        self.trust_, self.scores_ = trust(labels, p), cleaned.scores
        self.disagreement_ = disagreement(labels, p, ids)
        if val is not None:
            self.keep_val_, self.y_val_ = val.keep, classes[val.y]
        self._warn(cleaned, ids)
        return self

    def transform(self, X: Any) -> tuple[Any, np.ndarray]:
        """(the inputs that are kept, their labels), of the X that `fit` was given."""
        self.check_fitted()
        check_same_length(keep_=self.keep_, X=X)
        rows = X if isinstance(X, list) else np.asarray(X)
        return taken(rows, self.keep_), self.y_[self.keep_]

    def user_trust(self, users: Any) -> np.ndarray:
        """Mean f of each of these users, (n,); of all examples for a user nobody has seen."""
        self.check_fitted()
        known = dict(zip(self.users_.tolist(), user_trust(self.trust_, self.users_, leave_one_out=False), strict=True))
        overall = float(self.trust_.mean())
        if np.asarray(users, dtype=object).ndim != 1:
            raise InputError("users", "must be a list of users", users)
        return np.array([known.get(str(user), overall) for user in users])

    @property
    def user_report_(self) -> pd.DataFrame:
        """A row a user, the least trusted first: user, examples, kept, mean_trust, disagreement, dropped."""
        import pandas as pd

        self.check_fitted()
        rows = pd.DataFrame(
            {"user": self.users_, "kept": self.keep_, "f": self.trust_, "disagreement": self.disagreement_}
        )
        grouped = rows.groupby("user", sort=False)
        report = pd.DataFrame(
            {
                "examples": grouped.size(),
                "kept": grouped["kept"].sum(),
                "mean_trust": grouped["f"].mean(),
                "disagreement": grouped["disagreement"].first(),
            }
        )
        report["dropped"] = report["kept"] == 0
        return report.sort_values("mean_trust", kind="stable").reset_index()

    # --------------------------------------------------------------------------------------------------------- parts
    def _rule(self) -> Rule:
        check_choice(self.method, METHODS, "method")
        for name in ("alpha", "tau", "theta"):
            check_fraction(getattr(self, name), name)
        rules: dict[str, Rule] = {
            "purr": Purr(self.alpha, self.tau),
            "example": ExampleRemoval(self.tau),
            "flip": Flip(self.tau),
            "user": UserRemoval(self.theta),
            "user+example": UserExampleRemoval(self.theta),
        }
        return rules[self.method]

    def _prepared(self, inputs: Any, folds: np.ndarray, progress: Progress | None) -> tuple[Any, Any]:
        """What the classifier is given, and the classifier."""
        if self.estimator is not None:
            if not (hasattr(self.estimator, "fit") and hasattr(self.estimator, "predict_proba")):
                raise InputError("estimator", "must have fit and predict_proba", type(self.estimator).__name__)
            return inputs, self.estimator
        if isinstance(inputs, list):
            if chosen_encoder(self.encoder) == "minilm":
                return encoded(inputs, progress and partial(progress, "Reading texts")), balanced_logistic()
            return inputs, text_classifier()
        fewest = len(folds) - int(np.bincount(folds).max())
        return inputs, number_classifier(fewest, inputs.shape[1])

    def _validated(
        self,
        rule: Rule,
        estimator: Any,
        features: Any,
        cleaned: Cleaned,
        classes: np.ndarray,
        given: tuple[Any, Any, Any],
        progress: Progress | None,
    ) -> Cleaned:
        inputs, y_val, users_val = given
        labels, _ = encode_labels(y_val, name="y_val", classes=np.sort(classes))
        labels = labels if classes[0] < classes[1] else 1 - labels
        check_same_length(X_val=inputs, y_val=labels)
        ids = _ids(users_val, len(labels), "users_val")
        if isinstance(inputs, list) and isinstance(features, np.ndarray):
            inputs = encoded(inputs, progress and partial(progress, "Reading texts to validate"))
        if (
            isinstance(inputs, np.ndarray)
            and isinstance(features, np.ndarray)
            and inputs.shape[1:] != features.shape[1:]
        ):
            raise InputError("X_val", f"must have as many columns as X ({features.shape[1]})", f"shape {inputs.shape}")
        kept = int(cleaned.keep.sum())
        if self.estimator is None and isinstance(features, np.ndarray) and hasattr(estimator, "steps"):
            estimator = number_classifier(kept, features.shape[1])
        return clean_validation(copy.deepcopy(estimator), features, cleaned, inputs, labels, ids, rule)

    def _check(self, cleaned: Cleaned) -> None:
        if cleaned.keep.any():
            return
        name = "theta" if self.method.startswith("user") else "tau"
        best = f"{float(cleaned.scores.max()):.3g}"
        if name == "theta":
            rule = "removes everything; it must be higher"
            raise InputError(name, rule, f"{self.theta:g}, least disagreement {1 - float(cleaned.scores.max()):.3g}")
        raise InputError(name, "removes everything; it must be lower", f"{self.tau:g}, highest score {best}")

    def _warn(self, cleaned: Cleaned, ids: np.ndarray) -> None:
        if self.trust_.mean() < 0.5:
            warnings.warn(
                f"mean trust is {self.trust_.mean():.3g}, less than chance: the labels contradict each other, or the "
                "inputs say nothing about them; nothing here can tell which are right",
                stacklevel=3,
            )
        _, examples = np.unique(ids, return_counts=True)
        alone = self.method == "purr" and examples.max() == 1
        if alone or (self.method not in ("example", "flip") and len(examples) == 1):
            which = "no user has a second example" if alone else "all examples are of one user"
            warnings.warn(f"{which}: {self.method} judges by users, and can tell none apart", stacklevel=3)
        left = np.unique(cleaned.y[cleaned.keep])
        if len(left) < 2:
            warnings.warn(f"only labels {self.classes_[left][0]!r} are left: nothing can be learned", stacklevel=3)

    @classmethod
    def example(cls, rng: np.random.Generator) -> Example:
        gold = np.arange(60) % 2
        users = np.arange(60) // 10
        y = np.where(users >= 4, 1 - gold, gold)
        data = {"X": gold[:, None] * 3 + rng.normal(size=(60, 3)), "y": y, "users": users}
        return Example(data, {"users": [0, 1, 5, 99]}, {"k": 3})


def _two_labels(y: Any, positive: Any) -> tuple[np.ndarray, np.ndarray]:
    """Labels as 0 and 1, and what these are called."""
    labels, classes = encode_labels(y)
    if len(classes) != 2:
        raise InputError("y", "must have two different labels", f"{len(classes)}: {classes[:10].tolist()}")
    if positive is None or positive == classes[1]:
        return labels, classes
    if positive != classes[0]:
        raise InputError("positive", f"must be one of the labels {classes.tolist()}", positive)
    return 1 - labels, classes[::-1].copy()


def _ids(users: Any, count: int, name: str) -> np.ndarray:
    """Ids as texts; a missing one becomes a user of its own."""
    if users is None:
        warnings.warn(f"{name}: none given, every example counts as a user of its own", stacklevel=4)
        return np.array([f"missing {i}" for i in range(1, count + 1)])
    given = users.detach().cpu().numpy() if is_tensor(users) else np.asarray(users, dtype=object)
    if given.ndim != 1:
        raise InputError(name, "must have shape (N)", f"shape {given.shape}")
    check_same_length(X=range(count), **{name: given})
    values = given.tolist()
    missing = [value is None or value != value or type(value).__name__ in ("NAType", "NaTType") for value in values]
    if any(missing):
        of = f"{name}: {sum(missing)} of {count} rows have no user"
        text = f"{of}; each of these counts as a user of its own, called missing 1, missing 2, ..."
        warnings.warn(text, stacklevel=4)
    named = {str(value) for value, gone in zip(values, missing, strict=True) if not gone}
    others = (name for name in (f"missing {i}" for i in itertools.count(1)) if name not in named)
    return np.array([next(others) if gone else str(value) for value, gone in zip(values, missing, strict=True)])


__all__ = ["METHODS", "TrollFilter"]
