"""Expert language models and the retrieval of experts (RoE).   arXiv 2302.03202

An expert is a set of adapters theta_i on a frozen base, trained on one task by cross-entropy over its answers. Of every
task S texts are stored as unit vectors; a new task's Q unlabelled texts vote for the owner of what is nearest to them.

    s(c | x) = log p(c | x), or tau cos(z + U relu(D z), e(c))   the score of a choice; the largest is the answer
    RoE = argmax_i #{q : owner(argmax_m <q, v_m>) = i}           the expert that is retrieved
    theta = theta_0 + sum_i w_i (theta_i - theta_0)              merged experts, sum w = 1

The scores are those of the base: `language.adapted_model` for language models, `language.adapted_encoder` for sentence
encoders; the adapters are in `layers.adapters`.

Where the paper and its code differ, or are silent: in the released code a vote of the k nearest is overwritten by the
nearest one's owner (`top_k` has no effect); here it counts. Equal similarities keep the first entry (there: the last).
Merging is meant for experts that began at the same weights, and refused otherwise. The score of a choice of a language
model is the sum over its tokens, the end included (`language.rank_classification`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from holdfast.data.choice_rows import ChoiceRow
from holdfast.errors import InputError
from holdfast.retrieval.inner_products import Scan, Search
from holdfast.training import Learner
from holdfast.training.learner import Parts
from holdfast.validation import check_choice, check_integer

State = dict[str, Tensor]
VOTES = ("majority", "mean_similarity", "centroid")
FORMATS = {
    "choices+instance": "Answer Choices: {choices}, Instance: {input}",
    "instance": "{input}",
    "choices": "Answer Choices: {choices}",
}


# ----------------------------------------------------------------------------------------------------------- training
class Loss(Protocol):
    """What a base says of rows that it has prepared."""

    def loss(self, prepared: Any, rows: Tensor) -> Tensor:
        """Mean cross-entropy of the right answers of these rows."""


class ExpertLearner(Learner):
    """Trains the adapters of a frozen base; batches hold "row", places among the prepared rows.

    Args:
        base: computes the loss through `adapters`.
        adapters: the only weights that change.
        prepared: what the base made of the task's rows.
        lr: of Adam.
    """

    def __init__(self, base: Loss, adapters: nn.Module, prepared: Any, lr: float) -> None:
        super().__init__()
        self._given = (base, prepared)
        self.adapters, self.lr = adapters, lr

    def optimizers(self) -> list[torch.optim.Optimizer]:
        return [torch.optim.Adam(self.adapters.parameters(), self.lr)]

    def loss(self, batch: dict[str, Tensor], rng: torch.Generator) -> tuple[Tensor, Parts]:
        base, prepared = self._given
        return base.loss(prepared, batch["row"]), {}


# ------------------------------------------------------------------------------------------------ retrieval of experts
def stored_text(row: ChoiceRow, text_format: str) -> str:
    """What is encoded of an instance."""
    check_choice(text_format, tuple(FORMATS), "text_format")
    return FORMATS[text_format].format(choices=", ".join(row.choices), input=row.input)


def route_votes(
    queries: np.ndarray,
    entries: np.ndarray,
    owner: np.ndarray,
    experts: int,
    *,
    vote: str = "majority",
    top_k: int = 1,
    search: Search | None = None,
) -> np.ndarray:
    """How many queries vote for each expert, (experts,) int64. The first of the largest is retrieved.

    Args:
        queries: (Q, d) unit vectors.
        entries: (M, d) unit vectors of stored instances.
        owner: (M,) int64, the expert whose instance it is; each has at least one where `vote` is not "majority".
        experts: number of experts.
        vote: how one query votes. "majority": for the owner of most of its `top_k` nearest entries; of equals, the one
            whose entries are nearer in sum. "mean_similarity": for the expert whose entries are nearest on average.
            "centroid": for the expert with the nearest mean direction.
        top_k: entries that decide a "majority".
        search: of the entries; None goes through all.

    Raises:
        InputError: another vote; top_k below 1 or above M; no queries.

    Example:
        >>> entries = np.eye(3, dtype=np.float32)
        >>> queries = np.array([[0.9, 0.1, 0.0], [0.6, 0.0, 0.5]], np.float32)
        >>> route_votes(queries, entries, np.array([1, 0, 0]), 2).tolist()
        [0, 2]
    """
    check_choice(vote, VOTES, "vote")
    check_integer(top_k, "top_k", low=1, high=len(entries))
    if not len(queries):
        raise InputError("queries", "must hold at least one", "none")
    if vote == "majority":
        products, rows = (search or Scan(entries)).search(queries, top_k)
        one = np.eye(experts)[owner[rows]]  # (Q, k, E)
        counts, sums = one.sum(1), (one * products[:, :, None]).sum(1)
        best = np.where(counts == counts.max(1, keepdims=True), sums, -np.inf).argmax(1)
        return np.bincount(best, minlength=experts)
    # The mean of inner products is the inner product with the mean.
    means = np.zeros((experts, entries.shape[1]))
    np.add.at(means, owner, np.asarray(entries, np.float64))
    means /= np.bincount(owner, minlength=experts)[:, None]
    if vote == "centroid":
        means /= np.linalg.norm(means, axis=1, keepdims=True)
    return np.bincount((queries @ means.T).argmax(1), minlength=experts)


def merged(start: State, states: Sequence[State], weights: Sequence[float] | None = None) -> State:
    """theta_0 + sum_i w_i (theta_i - theta_0), with weights scaled to sum to 1 (equal ones by default).

    Raises:
        InputError: no state; tensors of other names or shapes; weights that are not as many, negative or all 0.
    """
    if not states:
        raise InputError("names", "must name at least one expert", "none")
    w = np.ones(len(states)) if weights is None else np.asarray(weights, np.float64)
    if w.shape != (len(states),) or not (np.isfinite(w).all() and (w >= 0).all() and w.sum() > 0):
        raise InputError("weights", f"must be {len(states)} numbers from 0, not all 0", w.tolist())
    shapes = {name: tuple(value.shape) for name, value in start.items()}
    for state in states:
        if {name: tuple(value.shape) for name, value in state.items()} != shapes:
            raise InputError("names", "must be experts with adapters of one shape", sorted(state)[:3])
    if len(states) == 1:
        return {name: value.clone() for name, value in states[0].items()}
    w = w / w.sum()
    return {
        name: value + sum(float(share) * (state[name] - value) for share, state in zip(w, states, strict=True))
        for name, value in start.items()
    }


def accuracy(scores: Sequence[np.ndarray], rows: Sequence[ChoiceRow]) -> float:
    """Share of rows whose first best choice is the right one, in %."""
    right = [int(s.argmax()) == row.target for s, row in zip(scores, rows, strict=True)]
    return 100 * float(np.mean(right))


__all__ = [
    "FORMATS",
    "VOTES",
    "ExpertLearner",
    "State",
    "accuracy",
    "merged",
    "route_votes",
    "stored_text",
]
