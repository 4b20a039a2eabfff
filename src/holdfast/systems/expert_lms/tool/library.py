"""A library of experts on one frozen base: add a task, find the expert for new texts, answer, merge, keep on disk."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from holdfast.data.batches import Batches
from holdfast.data.choice_rows import ChoiceRow
from holdfast.errors import InputError
from holdfast.language.adapted_encoder import Base, TextEncoder
from holdfast.layers.adapters import Bottleneck, Build
from holdfast.randomness import derived_seed, seeded
from holdfast.retrieval.inner_products import Scan, Search
from holdfast.systems.expert_lms.method import (
    FORMATS,
    VOTES,
    ExpertLearner,
    State,
    merged,
    route_votes,
    stored_text,
)
from holdfast.systems.expert_lms.tool.experts import Expert, Route, Training
from holdfast.training import fit
from holdfast.validation import check_choice, check_integer, check_number

Progress = Callable[[int, int], None]


class ExpertLibrary:
    """Experts on one frozen base, and an index to find them by.

    Args:
        base: what experts adapt.
        adapter_factory: makes the adapters.
        encoder: of stored instances and queries.
        text_format: what is encoded of an instance: "choices+instance", "instance" or "choices".
        search: makes a search from (M, d) entries.
        seed: of the weights that all experts begin with.
        min_margin, min_likeness: below these a route abstains.

    Attributes:
        experts: name -> expert, in the order in which they came.
        multitask: weights of one model trained on several tasks, if there is one, to fall back on.

    Raises:
        InputError: an argument breaks a rule.
    """

    def __init__(
        self,
        base: Base,
        adapter_factory: Build | None = None,
        encoder: TextEncoder | None = None,
        text_format: str = "choices+instance",
        *,
        search: Callable[[np.ndarray], Search] = Scan,
        seed: int = 0,
        min_margin: float = 0.1,
        min_likeness: float = 0.3,
    ) -> None:
        self.base, self.adapter_factory = base, adapter_factory or Bottleneck()
        self.encoder: TextEncoder = encoder or _encoder_of(base)
        self.text_format = check_choice(text_format, tuple(FORMATS), "text_format")
        self.search, self.seed = search, check_integer(seed, "seed", low=0)
        self.min_margin = check_number(min_margin, "min_margin", low=0, high=1)
        self.min_likeness = check_number(min_likeness, "min_likeness", low=-1, high=1)
        self.experts: dict[str, Expert] = {}
        self.multitask: State | None = None
        self.reset()
        self._index: tuple[np.ndarray, np.ndarray, Search] | None = None

    def reset(self) -> None:
        """Put new adapters, the same for every expert, on the base."""
        with seeded(self.seed):
            self.adapters = self.base.attach(self.adapter_factory)
        self.start = _copied(self.adapters.state_dict())
        self.start_id = _hash(self.start)

    # ------------------------------------------------------------------------------------------------------ training
    def train(self, rows: Sequence[ChoiceRow], how: Training | None = None, *, progress: Progress | None = None,
              start: State | None = None) -> State:  # fmt: skip
        """Weights of adapters trained on labelled rows; nothing is kept.

        Args:
            rows: at least two, with targets.
            how: settings.
            progress: called with (steps done, steps).
            start: where to begin; None = where every expert begins.

        Raises:
            InputError: fewer than two rows, or one without a target.
        """
        how = how or Training()
        if len(rows) < 2:
            raise InputError("train_data", "must have at least two rows", len(rows))
        for number, row in enumerate(rows):
            if row.target is None:
                raise InputError("train_data", "must have a target in every row", f"none in row {number + 1}")
        self.adapters.load_state_dict(start or self.start)
        learner = ExpertLearner(self.base, self.adapters, self.base.prepare(rows), how.lr)
        batches = Batches({"row": torch.arange(len(rows))}, min(how.batch, len(rows)), how.seed)
        fit(learner, batches, steps=how.steps, seed=how.seed, on_step=progress, log_every=how.steps)
        return _copied(self.adapters.state_dict())

    def add_task(
        self,
        name: str,
        train_data: Sequence[ChoiceRow],
        n_stored: int = 100,
        train_kwargs: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        *,
        progress: Progress | None = None,
    ) -> Expert:
        """Train an expert on a task and store some of its texts. No other expert changes.

        Args:
            name: new in this library.
            train_data: labelled rows.
            n_stored: at most so many texts, drawn at random, are stored.
            train_kwargs: fields of `Training`.
            metadata: whatever is to be remembered.
            progress: called with (steps done, steps).

        Raises:
            InputError: a name that is taken or empty; rows that are too few or have no target; unknown settings.
        """
        self._check_new(name)
        check_integer(n_stored, "n_stored", low=1)
        try:
            how = Training(**(train_kwargs or {}))
        except TypeError as error:
            raise InputError("train_kwargs", "must be fields of Training", str(error)) from None
        state = self.train(train_data, how, progress=progress)
        rng = np.random.default_rng(derived_seed(self.seed, "stored", name))
        chosen = np.sort(rng.permutation(len(train_data))[:n_stored])
        return self.add_expert(name, Expert(state, self._vectors([train_data[i] for i in chosen]), self.start_id,
                                            dict(metadata or {})))  # fmt: skip

    def add_expert(self, name: str, expert: Expert) -> Expert:
        """Take in an expert that was trained elsewhere on the same base.

        Raises:
            InputError: the name is taken; adapters of other shapes; vectors of another encoder's width.
        """
        self._check_new(name)
        shapes = {key: tuple(value.shape) for key, value in self.start.items()}
        if {key: tuple(value.shape) for key, value in expert.state.items()} != shapes:
            raise InputError("expert", "must have adapters as this library has", sorted(expert.state)[:3])
        if self.experts and expert.vectors.shape[1:] != next(iter(self.experts.values())).vectors.shape[1:]:
            raise InputError("expert", "must have vectors as wide as the library's", expert.vectors.shape)
        self.experts[name], self._index = expert, None
        return expert

    def remove_task(self, name: str) -> None:
        """Forget an expert.

        Raises:
            InputError: there is none of this name.
        """
        self._expert(name)
        del self.experts[name]
        self._index = None

    def merge(self, names: Sequence[str], weights: Sequence[float] | None = None) -> State:
        """Weights of the experts' mean; weights are scaled to sum to 1.

        Raises:
            InputError: unknown names; experts that did not begin at the same weights; see `method.merged`.
        """
        experts = [self._expert(name) for name in names]
        starts = {expert.start for expert in experts}
        if starts - {self.start_id}:
            raise InputError("names", "must be experts that began at this library's weights", list(names))
        return merged(self.start, [expert.state for expert in experts], weights)

    # -------------------------------------------------------------------------------------------- routing and answers
    def route(
        self,
        inputs: Sequence[str],
        choices: Sequence[Sequence[str]] | None = None,
        n_queries: int = 32,
        top_k: int = 1,
        vote: str = "majority",
    ) -> Route:
        """The expert for texts of one kind.

        Args:
            inputs: texts; the first `n_queries` vote.
            choices: of each text; needed where the library's format has them.
            n_queries, top_k, vote: see `method.route_votes`.

        Raises:
            InputError: no experts, no texts, no choices where they are needed.
        """
        check_choice(vote, VOTES, "vote")
        check_integer(n_queries, "n_queries", low=1)
        entries, owner, search = self._indexed()
        if not len(inputs):
            raise InputError("inputs", "must hold at least one text", "none")
        asked = self.encoder.encode(self._texts(inputs[:n_queries], choices))
        names = [name for name, expert in self.experts.items() if len(expert.vectors)]
        k = min(top_k, len(entries)) if vote == "majority" else 1
        votes = route_votes(asked, entries, owner, len(names), vote=vote, top_k=k, search=search)
        best, second = int(votes.argmax()), int(np.sort(votes)[-2]) if len(votes) > 1 else 0
        margin = (int(votes[best]) - second) / len(asked)
        likeness = float(search.search(asked, 1)[0].mean())
        found = dict(zip(names, votes.tolist(), strict=True))
        return Route(names[best], found, margin, likeness, self._doubt(margin, likeness))

    def _doubt(self, margin: float, likeness: float) -> str:
        if likeness < self.min_likeness:
            return f"nothing stored is like these texts: mean cosine {likeness:.2f}, below {self.min_likeness:g}"
        if margin < self.min_margin:
            return f"the vote is split: a lead of {margin:.2f}, below {self.min_margin:g}"
        return ""

    def scores(self, rows: Sequence[ChoiceRow], expert: str | Route | State | None = None) -> list[np.ndarray]:
        """Scores of every row's choices by an expert (a name, a route, weights), or by the base alone (None).

        Raises:
            InputError: no rows; an expert that is not known.
        """
        if not len(rows):
            raise InputError("inputs", "must hold at least one text", "none")
        prepared = self.base.prepare(rows)
        if expert is None:
            with self.base.without():
                return self.base.scores(prepared)
        name = expert.expert if isinstance(expert, Route) else expert
        self.adapters.load_state_dict(self._expert(name).state if isinstance(name, str) else name)
        return self.base.scores(prepared)

    def predict(
        self,
        inputs: Sequence[str],
        choices: Sequence[Sequence[str]],
        route: str | Route | None = None,
        fallback: str = "base",
    ) -> list[str]:
        """The answers.

        Args:
            inputs: texts of one kind.
            choices: of each text.
            route: an expert's name, or what `route` gave; None asks `route`.
            fallback: who answers where the route abstains: "base", "mt" (the multitask model) or "expert".

        Raises:
            InputError: no texts, no choices, an unknown expert or fallback; "mt" without such a model.
        """
        check_choice(fallback, ("base", "mt", "expert"), "fallback")
        if fallback == "mt" and self.multitask is None:
            raise InputError("fallback", "needs a multitask model: set library.multitask", fallback)
        rows = checked_rows(inputs, choices)
        found = route if route is not None else self.route(inputs, choices)
        use: Any = found
        if isinstance(found, Route) and found.abstain and fallback != "expert":
            use = None if fallback == "base" else self.multitask
        return [row.choices[int(s.argmax())] for row, s in zip(rows, self.scores(rows, use), strict=True)]

    # -------------------------------------------------------------------------------------------------------- on disk
    def save(self, folder: str | Path) -> Path:
        """Write the library; see `tool.store.save`."""
        from holdfast.systems.expert_lms.tool import store

        return store.save(self, folder)

    @classmethod
    def load(cls, folder: str | Path, **given: Any) -> ExpertLibrary:
        """Read a library; what may be given is said at `tool.store.load`."""
        from holdfast.systems.expert_lms.tool import store

        return store.load(folder, **given)

    # ------------------------------------------------------------------------------------------------------ internals
    def _indexed(self) -> tuple[np.ndarray, np.ndarray, Search]:
        if self._index is None:
            vectors = [expert.vectors for expert in self.experts.values() if len(expert.vectors)]
            if not vectors:
                raise InputError("library", "must hold an expert; add a task first", "none")
            owner = np.repeat(np.arange(len(vectors)), [len(v) for v in vectors])
            entries = np.concatenate(vectors).astype(np.float32)
            self._index = entries, owner, self.search(entries)
        return self._index

    def _texts(self, inputs: Sequence[str], choices: Sequence[Sequence[str]] | None) -> list[str]:
        if self.text_format == "instance":
            return list(inputs)
        if choices is None:
            raise InputError("choices", f"must be given: texts are compared as {self.text_format!r}", "none")
        return [stored_text(row, self.text_format) for row in checked_rows(inputs, choices[: len(inputs)])]

    def _vectors(self, rows: Sequence[ChoiceRow]) -> np.ndarray:
        return self.encoder.encode([stored_text(row, self.text_format) for row in rows]).astype(np.float16)

    def _expert(self, name: str) -> Expert:
        if name not in self.experts:
            known = ", ".join(self.experts) or "the experts, and there is none"
            raise InputError("name", f"must be one of {known}", name)
        return self.experts[name]

    def _check_new(self, name: str) -> None:
        if not name.strip() or name in self.experts:
            raise InputError("name", "must be new in this library, and not empty", name)


def checked_rows(inputs: Sequence[str], choices: Sequence[Sequence[str]]) -> list[ChoiceRow]:
    """Rows without targets.

    Raises:
        InputError: not as many lists of choices as texts; what `ChoiceRow` refuses.
    """
    if choices is None or len(inputs) != len(choices):
        raise InputError("choices", f"must be there for each of {len(inputs)} texts", choices and len(choices))
    return [ChoiceRow(text, tuple(some)) for text, some in zip(inputs, choices, strict=True)]


def _encoder_of(base: Base) -> TextEncoder:
    encoder = getattr(base, "encoder", None)
    if encoder is None:
        from holdfast.encoders.sentences import default_encoder

        encoder = default_encoder()
    return encoder


def _copied(state: Mapping[str, Any]) -> State:
    return {name: value.detach().clone() for name, value in state.items()}


def _hash(state: State) -> str:
    parts = hashlib.sha256()
    for name in sorted(state):
        parts.update(name.encode() + state[name].cpu().contiguous().numpy().tobytes())
    return parts.hexdigest()[:16]


__all__ = ["ExpertLibrary", "checked_rows"]
