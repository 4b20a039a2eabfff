"""Retrieval of experts on vectors of one's own: fit on several tasks, predict for rows of one that was never seen."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import torch

from holdfast.data.batches import Batches
from holdfast.errors import InputError
from holdfast.estimator import Estimator, Example, Tags
from holdfast.estimator.labels import encode_labels
from holdfast.language.adapted_encoder import SentenceBase, Vectors, adapted, choice_scores
from holdfast.layers.adapters import BottleneckAdapter
from holdfast.randomness import derived_seed, seeded
from holdfast.systems.expert_lms.method import VOTES, ExpertLearner, route_votes
from holdfast.training import fit
from holdfast.validation import check_array, check_choice, check_integer, check_positive, check_same_length


class RoEClassifier(Estimator):
    """Classes of vectors, by an expert for each task and a vote for the expert.

    A class is the mean direction of its training rows; an expert turns a task's rows towards their classes. Rows to
    predict are taken for one task without labels, whose first rows vote.

    Args:
        rank: width of the adapters.
        steps: of Adam for each expert.
        batch: rows a step.
        lr: learning rate of Adam.
        tau: inverse temperature of the cosines.
        n_stored: rows kept of each task.
        n_queries: the first so many rows vote.
        vote: "majority", "mean_similarity" or "centroid".
        top_k: nearest stored rows that decide a row's vote.
        seed: of initialisation, order and what is stored.

    Attributes:
        tasks_: names of the E tasks, ascending.
        classes_: the labels, ascending.
        prototypes_: (K, d) float32, of length 1.
        stored_: (M, d) float32, of length 1; owner_: (M,), the task of each.
        experts_: names of weights -> (E, ...) float32.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> task = np.repeat(["a", "b"], 40)
        >>> X = rng.normal(size=(80, 8)) + 4 * np.eye(8)[(task == "b").astype(int)]
        >>> y = (X[:, 5] > 0) ^ (task == "b")                       # the sign is turned in task b
        >>> model = RoEClassifier(steps=60).fit(X, y, task)
        >>> str(model.route(X[task == "b"]))
        'b'
    """

    tags = Tags(labels=("y",), outputs=("predict", "decision_function"), predicts_rows=False, tolerance=1e-3)

    def __init__(
        self, rank: int = 16, steps: int = 150, batch: int = 32, lr: float = 3e-3, tau: float = 20.0,
        n_stored: int = 100, n_queries: int = 32, vote: str = "majority", top_k: int = 1, seed: int = 0,
    ) -> None:  # fmt: skip
        self.rank, self.steps, self.batch, self.lr, self.tau = rank, steps, batch, lr, tau
        self.n_stored, self.n_queries, self.vote, self.top_k, self.seed = n_stored, n_queries, vote, top_k, seed

    def fit(self, X: Any, y: Any, task: Any) -> Self:
        """Train an expert on each task.

        Args:
            X: (N, d) vectors.
            y: (N,) labels of any kind; a class may come in several tasks.
            task: (N,) name of each row's task.

        Raises:
            InputError: an argument breaks a rule; a row of zeros; a task of one row.
        """
        for name in ("rank", "steps", "batch", "n_stored", "n_queries", "top_k"):
            check_integer(getattr(self, name), name, low=1)
        check_integer(self.seed, "seed", low=0)
        check_positive(self.lr, "lr")
        check_positive(self.tau, "tau")
        check_choice(self.vote, VOTES, "vote")
        x = _unit(X)
        target, classes = encode_labels(y)
        owner, tasks = encode_labels(task, name="task", at_least=1)
        check_same_length(X=x, y=target, task=owner)
        if (counts := np.bincount(owner)).min() < 2:
            raise InputError("task", "must have at least two rows of each", str(tasks[counts.argmin()]))
        self._forget()
        self.tasks_, self.classes_ = tasks, classes
        means = np.zeros((len(classes), x.shape[1]), np.float64)
        np.add.at(means, target, x)
        self.prototypes_ = (means / np.linalg.norm(means, axis=1, keepdims=True).clip(1e-12)).astype(np.float32)
        rng = np.random.default_rng(derived_seed(self.seed, "stored"))
        kept = [np.sort(rng.permutation(np.flatnonzero(owner == t))[: self.n_stored]) for t in range(len(tasks))]
        self.stored_, self.owner_ = x[np.concatenate(kept)], owner[np.concatenate(kept)]
        states = [self._expert(x[owner == t], target[owner == t]) for t in range(len(tasks))]
        self.experts_ = {name: np.stack([state[name] for state in states]) for name in states[0]}
        return self

    def _expert(self, x: np.ndarray, target: np.ndarray) -> dict[str, np.ndarray]:
        base = SentenceBase(_Width(x.shape[1]), self.tau)
        with seeded(derived_seed(self.seed, "init")):
            adapter = base.attach(lambda layer, width: BottleneckAdapter(width, self.rank))
        given = Vectors(
            torch.from_numpy(x), torch.from_numpy(self.prototypes_), self._place(len(x)), torch.from_numpy(target)
        )
        batches = Batches({"row": torch.arange(len(x))}, min(self.batch, len(x)), derived_seed(self.seed, "batches"))
        fit(ExpertLearner(base, adapter, given, self.lr), batches, steps=self.steps, seed=self.seed)
        return {name: value.numpy().copy() for name, value in adapter.state_dict().items()}

    def _place(self, rows: int) -> torch.Tensor:
        return torch.arange(len(self.classes_)).expand(rows, -1)

    def route(self, X: Any) -> Any:
        """The task whose expert answers for rows X (N, d)."""
        self.check_fitted()
        asked = _unit(X, self.prototypes_.shape[1])[: self.n_queries]
        k = min(self.top_k, len(self.stored_))
        votes = route_votes(asked, self.stored_, self.owner_, len(self.tasks_), vote=self.vote, top_k=k)
        return self.tasks_[int(votes.argmax())]

    def decision_function(self, X: Any, task: Any = None) -> np.ndarray:
        """Scores (N, K) float32 of the classes, for rows of one task.

        Args:
            X: (N, d).
            task: whose expert answers; None = the one that is found.

        Raises:
            InputError: rows of another width, of zeros or none; a task that is not known.
        """
        self.check_fitted()
        x = _unit(X, self.prototypes_.shape[1])
        name = self.route(x) if task is None else check_choice(task, self.tasks_.tolist(), "task")
        adapter = BottleneckAdapter(x.shape[1], self.rank)
        place = int(np.flatnonzero(self.tasks_ == name)[0])
        adapter.load_state_dict({key: torch.from_numpy(value[place]) for key, value in self.experts_.items()})
        with torch.inference_mode():
            z = adapted(torch.from_numpy(x), adapter)
            return choice_scores(z, torch.from_numpy(self.prototypes_), self._place(len(x)), self.tau).numpy()

    def predict(self, X: Any, task: Any = None) -> np.ndarray:
        """Labels (N,) of rows of one task; see `decision_function`."""
        self.check_fitted()
        return np.asarray(self.classes_[self.decision_function(X, task).argmax(1)])

    @classmethod
    def example(cls, rng: np.random.Generator) -> Example:
        X, y, task = rng.normal(size=(24, 6)), np.arange(24) % 3, np.repeat(["a", "b"], 12)
        return Example({"X": X, "y": y, "task": task}, {"X": rng.normal(size=(5, 6))}, {"steps": 2, "rank": 2})


class _Width:
    """Says how wide vectors are that come from elsewhere."""

    name = "vectors"

    def __init__(self, d: int) -> None:
        self._d = d

    def encode(self, texts: Any) -> np.ndarray:
        return np.zeros((len(texts), self._d), np.float32)


def _unit(X: Any, width: int | None = None) -> np.ndarray:
    sizes = {} if width is None else {"d": width}
    x = np.asarray(check_array(X, "N d", name="X", dtype="float32", sizes=sizes))
    length = np.linalg.norm(x, axis=1, keepdims=True)
    if not len(x) or (length == 0).any():
        raise InputError("X", "must have rows, each with a direction", "none" if not len(x) else "a row of zeros")
    return np.asarray(x / length, np.float32)


__all__ = ["RoEClassifier"]
