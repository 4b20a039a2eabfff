"""What arms are given, whose weights they answer with, and one trial."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch

from holdfast.data.choice_rows import ChoiceRow
from holdfast.data.synthetic.text_tasks import TaskWorld, TextTask
from holdfast.encoders.remembered import Remembered
from holdfast.encoders.sentences import default_encoder
from holdfast.experiment import Measurement, Run, Scalar, Scale
from holdfast.language.adapted_encoder import SentenceBase
from holdfast.layers.adapters import Bottleneck
from holdfast.systems.expert_lms.method import State, accuracy, stored_text
from holdfast.systems.expert_lms.tool.experts import Expert, Training
from holdfast.systems.expert_lms.tool.library import ExpertLibrary

FORMAT, RANK = "choices+instance", 16
RATES, OF_MANY = (3e-3, 1e-3, 1e-2), (1e-2, 3e-3, 3e-2)  # of experts, of adapters for all tasks


@dataclass(frozen=True)
class Sizes(Scale):
    """How much work.

    Attributes:
        train, test: rows of a task; stored: texts kept of an expert; queries: texts that vote.
        steps: of an expert, with batches of 32.
    """

    train: int = 200
    test: int = 200
    stored: int = 50
    queries: int = 32
    steps: int = 150


# ------------------------------------------------------------------------------------------- what arms are given
def texts_of(world: TaskWorld, train: int, queries: int) -> list[str]:
    """All inputs and options, and the queries."""
    found = set()
    for task in (*world.seen, *world.unseen):
        found |= {text for row in task.rows for text in (row.input, *row.choices)}
        found |= {stored_text(row, FORMAT) for row in task.rows[train : train + queries]}
    return sorted({*found, "holdfast"})


def encoded(problem: Any, seed: int, train: int, test: int, queries: int) -> dict[str, np.ndarray]:
    """Vectors of `texts_of`."""
    world = problem.world(seed, train + test)
    return {"vectors": default_encoder().encode(texts_of(world, train, queries))}


@dataclass(frozen=True, eq=False)
class Given:
    """A world and its encodings.

    Attributes:
        world: tasks; the first `scale.train` rows of each are for training.
        encoder: of its texts.
        init: seed of everything that is trained.
    """

    world: TaskWorld
    encoder: Any
    scale: Sizes
    init: int

    def library(self, rank: int = RANK) -> ExpertLibrary:
        """An empty one."""
        return ExpertLibrary(SentenceBase(self.encoder), Bottleneck(rank), text_format=FORMAT, seed=self.init)

    def train_rows(self, task: TextTask) -> tuple[ChoiceRow, ...]:
        """The first of a task."""
        return task.rows[: self.scale.train]

    def test_rows(self, task: TextTask) -> tuple[ChoiceRow, ...]:
        """The others."""
        return task.rows[self.scale.train :]

    def how(self, lr: float, tasks: int = 1) -> Training:
        """As many steps as so many tasks have alone."""
        return Training(self.scale.steps * tasks, min(32, self.scale.train), lr, self.init)

    def routed(self, library: ExpertLibrary, task: TextTask, vote: str, top_k: int) -> str:
        """Which expert is found for a task by the first test rows."""
        rows = self.test_rows(task)[: self.scale.queries]
        inputs, choices = [row.input for row in rows], [row.choices for row in rows]
        return library.route(inputs, choices, self.scale.queries, top_k, vote).expert


def trained(problem: Any, seed: int, init: int, scale: Sizes, lr: float) -> dict[str, np.ndarray]:
    """The world's experts: "task/name of a weight", and "task/stored"."""
    given = Given(problem.world(seed, scale.train + scale.test), default_encoder(), scale, init)
    library = given.library()
    found: dict[str, np.ndarray] = {}
    for task in given.world.seen:
        expert = library.add_task(task.name, given.train_rows(task), scale.stored, asdict(given.how(lr)))
        found |= {f"{task.name}/{name}": value.numpy() for name, value in expert.state.items()}
        found[f"{task.name}/stored"] = expert.vectors
    return found


def filled(given: Given, found: Mapping[str, np.ndarray]) -> ExpertLibrary:
    """A library of what `trained` gave."""
    library = given.library()
    for task in given.world.seen:
        state = {name: torch.from_numpy(np.asarray(found[f"{task.name}/{name}"])) for name in library.start}
        library.add_expert(task.name, Expert(state, np.asarray(found[f"{task.name}/stored"]), library.start_id))
    return library


# ---------------------------------------------------------------------------------------------------------- the arms
@dataclass(frozen=True)
class Answers:
    """What an arm answers with.

    Attributes:
        library: whose base and adapters answer.
        unseen: task -> weights; None = the base alone.
        seen: the same for training tasks.
        more: further metrics.
    """

    library: ExpertLibrary
    unseen: Mapping[str, State | None]
    seen: Mapping[str, State | None]
    more: Mapping[str, float]


@dataclass(frozen=True)
class Untouched:
    """The base without any expert."""

    def answers(self, given: Given, run: Run) -> Answers:
        nothing: dict[str, State | None] = dict.fromkeys(task.name for task in (*given.world.seen, *given.world.unseen))
        return Answers(given.library(), nothing, nothing, {})


@dataclass(frozen=True)
class WithExperts:
    """Experts of the training tasks; subclasses say which one answers.

    Attributes:
        lr: of the experts.
    """

    lr: float = RATES[0]

    def answers(self, given: Given, run: Run) -> Answers:
        scale = run.scale
        seeds = {"seed": run.seed("split, world"), "init": given.init}
        library = filled(given, run.stage("experts", trained, problem=run.problem, scale=scale, lr=self.lr, **seeds))
        own: dict[str, State | None] = {name: expert.state for name, expert in library.experts.items()}
        return Answers(library, self.chosen(given, library, run), own, self.more(given, library))

    def chosen(self, given: Given, library: ExpertLibrary, run: Run) -> dict[str, State | None]:
        """Weights for every unseen task."""
        raise NotImplementedError

    def more(self, given: Given, library: ExpertLibrary) -> dict[str, float]:
        return {}


@dataclass(frozen=True)
class Retrieved(WithExperts):
    """RoE.

    Attributes:
        vote, top_k: see `method.route_votes`.
        permuted: broken: what is stored is dealt out anew among the experts.
    """

    vote: str = "majority"
    top_k: int = 1
    permuted: bool = False

    def chosen(self, given: Given, library: ExpertLibrary, run: Run) -> dict[str, State | None]:
        asked = self.dealt_out(library, run) if self.permuted else library
        return {
            task.name: library.experts[given.routed(asked, task, self.vote, self.top_k)].state
            for task in given.world.unseen
        }

    def dealt_out(self, library: ExpertLibrary, run: Run) -> ExpertLibrary:
        """The same stored vectors, each with an expert drawn at random."""
        rows = np.concatenate([expert.vectors for expert in library.experts.values()])
        parts = np.split(run.rng("permuted").permutation(rows), len(library.experts))
        for (name, expert), part in zip(list(library.experts.items()), parts, strict=True):
            library.remove_task(name)
            library.add_expert(name, replace(expert, vectors=part))
        return library

    def more(self, given: Given, library: ExpertLibrary) -> dict[str, float]:
        seen, unseen = given.world.seen, given.world.unseen
        own = np.mean([given.routed(library, task, self.vote, self.top_k) == task.name for task in seen])
        family = {task.name: task.family for task in seen}
        right = np.mean([family[given.routed(library, task, self.vote, self.top_k)] == task.family for task in unseen])
        return {"own expert found": 100 * float(own), "family found": 100 * float(right)} | changed(given, library)


def changed(given: Given, library: ExpertLibrary) -> dict[str, float]:
    """How many answers of the other tasks, by known name, change when the last task is added again."""
    *others, last = given.world.seen

    def said() -> list[list[int]]:
        return [[int(s.argmax()) for s in library.scores(given.test_rows(t), t.name)] for t in others]

    expert = library.experts[last.name]
    library.remove_task(last.name)
    before = said()
    library.add_task(last.name, given.train_rows(last), 1, {"steps": 3, "batch": 4})
    after = said()
    library.remove_task(last.name)
    library.add_expert(last.name, expert)
    return {"changed answers": float(np.sum(np.array(before) != np.array(after)))}


@dataclass(frozen=True)
class AtRandom(WithExperts):
    """Any expert, drawn for every task."""

    def chosen(self, given: Given, library: ExpertLibrary, run: Run) -> dict[str, State | None]:
        rng, names = run.rng("random"), list(library.experts)
        return {task.name: library.experts[names[int(rng.integers(len(names)))]].state for task in given.world.unseen}


@dataclass(frozen=True)
class OneForAll(WithExperts):
    """One expert for every unseen task: the one that is best on their mean, by their labels. A bound, too."""

    def chosen(self, given: Given, library: ExpertLibrary, run: Run) -> dict[str, State | None]:
        tasks = [given.test_rows(task) for task in given.world.unseen]

        def everywhere(name: str) -> float:
            return float(np.mean([accuracy(library.scores(rows, name), rows) for rows in tasks]))

        best = library.experts[max(library.experts, key=everywhere)].state
        return dict.fromkeys((task.name for task in given.world.unseen), best)


@dataclass(frozen=True)
class Oracle(WithExperts):
    """For every unseen task the expert that does best on its test rows: a bound, not a method."""

    def chosen(self, given: Given, library: ExpertLibrary, run: Run) -> dict[str, State | None]:
        def best(rows: tuple[ChoiceRow, ...]) -> str:
            return max(library.experts, key=lambda name: accuracy(library.scores(rows, name), rows))

        return {task.name: library.experts[best(given.test_rows(task))].state for task in given.world.unseen}


@dataclass(frozen=True)
class MeanOfAll(WithExperts):
    """All experts merged."""

    def chosen(self, given: Given, library: ExpertLibrary, run: Run) -> dict[str, State | None]:
        return dict.fromkeys((task.name for task in given.world.unseen), library.merge(list(library.experts)))


@dataclass(frozen=True)
class Polarity(WithExperts):
    """The experts of the two polarity tasks that are not turned.

    Attributes:
        merged: their mean answers; else the one that does better on each unseen task's test rows.
    """

    merged: bool = True

    def chosen(self, given: Given, library: ExpertLibrary, run: Run) -> dict[str, State | None]:
        names = [task.name for task in given.world.seen if task.family == "polarity" and not task.turned]
        tasks = [task for task in given.world.unseen if task.family == "polarity"]
        if self.merged:
            return dict.fromkeys((task.name for task in tasks), library.merge(names))
        means = {n: np.mean([accuracy(library.scores(r, n), r) for r in map(given.test_rows, tasks)]) for n in names}
        return dict.fromkeys((task.name for task in tasks), library.experts[max(names, key=means.__getitem__)].state)


@dataclass(frozen=True)
class Multitask:
    """One adapter for all training tasks.

    Attributes:
        lr: of Adam.
        width: times an expert's.
        one_by_one: tasks come one after the other in place of mixed.
    """

    lr: float = OF_MANY[0]
    width: int = 1
    one_by_one: bool = False

    def answers(self, given: Given, run: Run) -> Answers:
        library, tasks, more = given.library(self.width * RANK), given.world.seen, {}
        if self.one_by_one:
            state, at_once = library.start, []
            for task in tasks:
                state = library.train(given.train_rows(task), given.how(self.lr), start=state)
                at_once.append(accuracy(library.scores(given.test_rows(task), state), given.test_rows(task)))
            later = [accuracy(library.scores(given.test_rows(t), state), given.test_rows(t)) for t in tasks]
            more = {"forgetting": float(np.mean(at_once) - np.mean(later))}
        else:
            rows = [row for task in tasks for row in given.train_rows(task)]
            state = library.train(rows, given.how(self.lr, len(tasks)))
        unseen = dict.fromkeys((task.name for task in given.world.unseen), state)
        return Answers(library, unseen, dict.fromkeys((task.name for task in tasks), state), more)


# ------------------------------------------------------------------------------------------------------- one trial
def trial(run: Run[Any, Any, Sizes]) -> Iterator[Measurement]:
    """Accuracy on tasks that nothing was trained on, and on those that something was."""
    scale, seed = run.scale, run.seed("split, world")
    sizes = {"train": scale.train, "test": scale.test, "queries": scale.queries}
    vectors = run.stage("encodings", encoded, problem=run.problem, seed=seed, **sizes)["vectors"]
    world = run.problem.world(seed, scale.train + scale.test)
    texts = texts_of(world, scale.train, scale.queries)
    encoder = Remembered(texts, vectors, "all-MiniLM-L6-v2", default_encoder())
    given = Given(world, encoder, scale, run.seed("init"))
    found = run.arm.answers(given, run)
    for part, tasks, states in (("unseen", world.unseen, found.unseen), ("seen", world.seen, found.seen)):
        each = {
            task: accuracy(found.library.scores(rows, states[task.name]), rows)
            for task in tasks
            if task.name in states and (rows := given.test_rows(task))
        }
        if len(each) == len(tasks):
            yield Scalar(f"{part} accuracy", float(np.mean(list(each.values()))))
        polarity = [value for task, value in each.items() if task.family == "polarity"]
        if part == "unseen" and polarity:
            yield Scalar("polarity accuracy", float(np.mean(polarity)))
    for name, value in found.more.items():
        yield Scalar(name, value)
