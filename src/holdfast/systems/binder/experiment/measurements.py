"""Arms that are not about item tables: injected errors and their laws, votes, real annotations."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from holdfast.errors import HoldfastError
from holdfast.experiment import Curve, Measurement, PerUnit, Run, Scalar
from holdfast.language import Scripted
from holdfast.sql.tokens import ParseError
from holdfast.systems.binder.experiment.errorlaw import RATES, measured_accuracy
from holdfast.systems.binder.experiment.golddata import GoldColumn, GoldColumns, WrittenPrograms, always_no, recorded
from holdfast.systems.binder.experiment.itemtables import Case, ItemTables
from holdfast.systems.binder.experiment.mockparser import SIZES, CollapsingErrors, SpreadErrors, curve
from holdfast.systems.binder.method.program import BinderProgram
from holdfast.systems.binder.method.voting import Vote
from holdfast.systems.binder.tool.answering import LanguageModelMapper
from holdfast.systems.binder.tool.calls import Row
from holdfast.systems.binder.tool.embedding import EmbeddingMapper, NeedsLanguageModel
from holdfast.systems.binder.tool.executor import Executor
from holdfast.systems.binder.tool.mappers import FunctionAnswerer, FunctionMapper
from holdfast.systems.binder.tool.repair import repaired


# ------------------------------------------------------------------------------------------------------ mapper errors
def _law_cases(run: Run) -> list[Case]:
    tables: ItemTables = run.problem
    return list(tables.cases(run.rng("split"), run.scale.law_cases))


def _by_rate(values: Sequence[float]) -> Iterator[Measurement]:
    """Accuracy in per cent along the rates, and its mean over those above 0."""
    yield Scalar("accuracy", 100 * sum(values[1:]) / (len(values) - 1))
    yield Curve(
        "accuracy by rate of mapper errors", RATES, [100 * v for v in values], "probability that a cell is wrong"
    )


@dataclass(frozen=True)
class Injected:
    """Binder whose mapper knows the truth and errs at a rate: every cell of the column, independently."""

    def measure(self, run: Run) -> Iterator[Measurement]:
        """Through the whole pipeline: template, program, executor, engine."""
        draws: int = run.scale.draws
        yield from _by_rate(measured_accuracy(_law_cases(run), RATES, draws, run.rng("errors")))


@dataclass(frozen=True)
class Law:
    """What a formula says for the same questions.

    Attributes:
        formula: (case, rate) -> probability of a right answer.
    """

    formula: Callable[[Case, float], float]

    def measure(self, run: Run) -> Iterator[Measurement]:
        """The formula's mean over the cases."""
        cases = _law_cases(run)
        yield from _by_rate([sum(self.formula(case, e) for case in cases) / len(cases) for e in RATES])


# -------------------------------------------------------------------------------------------------------------- votes
@dataclass(frozen=True)
class Votes:
    """A vote over the first programs of each question.

    Attributes:
        vote: the rule.
        size: programs.
    """

    vote: Vote
    size: int = 20

    def measure(self, run: Run) -> Iterator[Measurement]:
        """Accuracy at `size`, and along the number of programs where more than one is allowed."""
        problem: SpreadErrors | CollapsingErrors = run.problem
        count: int = run.scale.questions
        questions = problem.questions(count, run.rng("split"), run.rng("programs"))
        yield Scalar("accuracy", 100 * questions.accuracy(self.size, self.vote))
        if self.size > 1:
            values = [100 * v for v in curve(questions, self.vote)]
            yield Curve("accuracy by number of programs", SIZES, values, "programs that vote")


# --------------------------------------------------------------------------------------------------- real annotations
@dataclass(frozen=True)
class Parses:
    """Which of the written programs parse."""

    def measure(self, run: Run) -> Iterator[Measurement]:
        """Share in per cent."""
        problem: WrittenPrograms = run.problem
        yield from _share([_parses(program) for program in problem.programs()])


@dataclass(frozen=True)
class Executes:
    """Which of the programs that come with example rows run on them; calls are answered with "1"."""

    def measure(self, run: Run) -> Iterator[Measurement]:
        """Share in per cent."""
        problem: WrittenPrograms = run.problem
        mapper = FunctionMapper(lambda question, *cells: "1", "constant")
        answerer = FunctionAnswerer(lambda question, rows, header: ["1"], "constant")
        done = []
        with Executor(mapper=mapper, answerer=answerer) as executor:
            for written in problem.prompts():
                try:
                    executor.run(repaired(written.program, written.table), written.table)
                except HoldfastError:
                    done.append(False)
                else:
                    done.append(True)
        yield from _share(done)


def _parses(program: str) -> bool:
    try:
        BinderProgram.parse(program)
    except ParseError:
        return False
    return True


@dataclass(frozen=True)
class Columns:
    """Answers columns filled by hand.

    Attributes:
        answer: column -> one answer per cell.
    """

    answer: Callable[[GoldColumn], Sequence[str]]

    def measure(self, run: Run) -> Iterator[Measurement]:
        """Share of cells answered as by hand, in per cent."""
        problem: GoldColumns = run.problem
        yield from _share([a == b for c in problem.columns() for a, b in zip(self.answer(c), c.answers, strict=True)])


def by_encoder(column: GoldColumn) -> Sequence[str]:
    """The packaged sentence encoder's answers; "no" where the question is not of a form that it understands."""
    rows: list[Row] = [(cell,) for cell in column.cells]
    try:
        return EmbeddingMapper().map(column.question, rows, (column.header,))
    except NeedsLanguageModel:
        return always_no(column)


def by_recording(column: GoldColumn) -> Sequence[str]:
    """A scripted language model that writes the answers given by hand: prompt, completion and reading lose nothing."""
    mapper = LanguageModelMapper(Scripted(lambda prompt: recorded(column)))
    rows: list[Row] = [(cell,) for cell in column.cells]
    return [answer if answer is not None else "" for answer in mapper.map(column.question, rows, (column.header,))]


def _share(right: Sequence[bool]) -> Iterator[Measurement]:
    yield Scalar("accuracy", 100 * sum(right) / len(right))
    yield PerUnit("accuracy", [100.0 * r for r in right], list(range(len(right))))


__all__ = ["Columns", "Executes", "Injected", "Law", "Parses", "Votes", "by_encoder", "by_recording"]
