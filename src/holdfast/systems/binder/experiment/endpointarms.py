"""Arms that answer benchmark questions: Binder, SQL alone and end-to-end by a model, and a lookup without one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from holdfast.errors import HoldfastError
from holdfast.experiment import Cost, Measurement, PerUnit, Run, Scalar
from holdfast.language import LanguageModel, OpenAICompatible
from holdfast.language.budget import Limits
from holdfast.systems.binder.experiment.benchmarktables import ENDPOINT, KEY, MODEL, Benchmark, Task, endpoint_settings
from holdfast.systems.binder.method.voting import BiasedVote, SimpleVote
from holdfast.systems.binder.tool.answering import LanguageModelAnswerer
from holdfast.systems.binder.tool.asking import Binder
from holdfast.systems.binder.tool.calls import cell_text
from holdfast.systems.binder.tool.exemplars import load_programs
from holdfast.systems.binder.tool.shots import words

Answers = Callable[[Task, bool], list[str]]


def right(task: Task, given: list[str], statements: bool) -> bool:
    """Whether an answer is right: by WikiTableQuestions' official evaluation, or as 1 or 0 for a statement."""
    from holdfast.systems.binder.tool.wtq import WTQEvaluator

    if statements:
        return [str(value) for value in given[:1]] == list(task.target)
    return bool(WTQEvaluator().match(list(task.target), given, None if task.canon is None else list(task.canon)))


def measured(run: Run, answers: Answers) -> Iterator[Measurement]:
    """Share of tasks answered right; a task that fails is wrong."""
    problem: Benchmark = run.problem
    tasks = list(problem.tasks())
    done = []
    for task in run.progress(tasks):
        try:
            given = answers(task, problem.statements)
        except HoldfastError:
            given = []
        done.append(100.0 * right(task, given, problem.statements))
    yield Scalar("accuracy", sum(done) / len(done))
    yield PerUnit("accuracy", done, [task.id for task in tasks])


def environment_model() -> LanguageModel:
    """The endpoint that the environment names."""
    found = endpoint_settings()
    return OpenAICompatible(found[ENDPOINT], found[MODEL], found[KEY] or None)


@dataclass(frozen=True)
class ModelPrograms:
    """Programs of a model, voting: with calls (Binder) or from examples without any (SQL alone).

    Attributes:
        calls: whether programs may have calls.
        samples, temperature: of programs, 20 and 0.4 in the paper for questions.
    """

    calls: bool = True
    samples: int = 20
    temperature: float = 0.4

    def measure(self, run: Run) -> Iterator[Measurement]:
        """Accuracy and what it cost."""
        lm = environment_model()
        yield from measured(run, lambda task, statements: self._answer(lm, task, statements))
        yield Cost("requests", lm.spending.requests)
        yield Cost("tokens", lm.spending.tokens)

    def _answer(self, lm: LanguageModel, task: Task, statements: bool) -> list[str]:
        shots = load_programs("statements" if statements else "questions")
        if not self.calls:
            shots = tuple(example for example in shots if not example.calls)
        binder = Binder(
            lm,
            "statements" if statements else "questions",
            self.samples,
            self.temperature,
            BiasedVote() if statements else SimpleVote(),
            limits=Limits(timeout_s=600),
        )
        binder.exemplars = shots
        with binder.executor:
            return [cell_text(value) for value in binder.ask(task.text, task.table).answer]


@dataclass(frozen=True)
class EndToEnd:
    """The model reads the table and answers."""

    def measure(self, run: Run) -> Iterator[Measurement]:
        """Accuracy and what it cost."""
        lm = environment_model()
        yield from measured(run, lambda task, statements: self._answer(lm, task, statements))
        yield Cost("requests", lm.spending.requests)
        yield Cost("tokens", lm.spending.tokens)

    def _answer(self, lm: LanguageModel, task: Task, statements: bool) -> list[str]:
        table = task.table.normalized()
        rows = [tuple(cell_text(cell) for cell in row) for row in table.rows()]
        asked = f"is it true that {task.text}? (1 = yes, 0 = no)" if statements else task.text
        return LanguageModelAnswerer(lm).answer(asked, rows, table.columns)


@dataclass(frozen=True)
class Lookup:
    """Without a model: the cell at the row and column that share most words with the question; statements are true."""

    def measure(self, run: Run) -> Iterator[Measurement]:
        """Accuracy."""
        yield from measured(run, self._answer)

    def _answer(self, task: Task, statements: bool) -> list[str]:
        if statements:
            return ["1"]
        asked = set(words(task.text))
        rows = [[cell_text(cell) for cell in row] for row in task.table.rows()]
        best_row = max(range(len(rows)), key=lambda i: (len(asked & set(words(" ".join(rows[i])))), -i))
        columns = range(len(task.table.columns))
        free = [k for k in columns if not set(words(rows[best_row][k])) & asked] or list(columns)
        best = max(free, key=lambda k: (len(asked & set(words(task.table.columns[k]))), -k))
        return [rows[best_row][best]]


__all__ = ["EndToEnd", "Lookup", "ModelPrograms", "environment_model", "measured", "right"]
