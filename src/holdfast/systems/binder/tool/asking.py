"""From a question and a table to an answer: sample programs, run each, vote (sections 2 and 3 of the paper)."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from holdfast.errors import HoldfastError, InputError
from holdfast.language.budget import Budget, BudgetExceeded, Limits, Usage
from holdfast.language.loop import wait_for
from holdfast.language.protocol import LanguageModel, ModelError
from holdfast.sql.table import SQLTable
from holdfast.systems.binder.method.execution import Value
from holdfast.systems.binder.method.voting import RULES, BiasedVote, Candidate, Values, Vote, poll
from holdfast.systems.binder.tool.completions import read_program
from holdfast.systems.binder.tool.executor import Executor
from holdfast.systems.binder.tool.exemplars import ProgramExample, load_programs
from holdfast.systems.binder.tool.prompts import ProgramPrompt
from holdfast.systems.binder.tool.repair import repaired
from holdfast.systems.binder.tool.result import Result
from holdfast.systems.binder.tool.shots import retrieve
from holdfast.systems.binder.tool.templates import read_template
from holdfast.validation import check_choice, check_integer, check_number, check_positive

Selection = Callable[[str, Sequence[str], Sequence[ProgramExample], int], list[ProgramExample]]
Progress = Callable[[int, int], None]


class NoAnswer(HoldfastError):
    """Not one program gave an answer: says what each kind of failure was.

    Attributes:
        samples: the programs and their errors.
    """

    def __init__(self, message: str, samples: Sequence[Sample] = ()) -> None:
        super().__init__(message)
        self.samples = tuple(samples)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.samples)


@dataclass(frozen=True)
class Sample:
    """A program and what came of it.

    Attributes:
        program: after small mistakes were mended.
        answer: what it gave; None where it did not run.
        logprob: of the program; None where the model does not tell.
        error: why it did not run.
    """

    program: str
    answer: Values | None = None
    logprob: float | None = None
    error: str = ""


@dataclass(frozen=True)
class Answer:
    """The answer to a question, and how it came about.

    Attributes:
        question: as asked.
        answer: the values.
        program: the program that gave them; of several the first.
        result: of that program, with the generated columns.
        samples: all programs.
        scores: of the answers, best first.
        cost: of everything: programs and calls.
        notes: what the reader should know: failures, limits reached.
        understood: without a language model, what the question was taken to ask.
    """

    question: str
    answer: list[Value]
    program: str
    result: Result
    samples: tuple[Sample, ...] = field(repr=False)
    scores: dict[Values, float] = field(repr=False)
    cost: Usage
    notes: tuple[str, ...] = ()
    understood: str = ""

    def to_json(self) -> dict[str, Any]:
        """Everything as plain values; the table is left out, generated columns are in it."""
        return {
            **self.result.to_json(),
            "question": self.question,
            "understood": self.understood,
            "answer": self.answer,
            "program": self.program,
            "samples": [vars(s) | {"answer": None if s.answer is None else list(s.answer)} for s in self.samples],
            "votes": [{"answer": list(answer), "score": score} for answer, score in self.scores.items()],
            "cost": vars(self.cost),
            "notes": list(self.notes),
        }

    def _repr_html_(self) -> str:
        """For notebooks: question, answer, program, table with its generated columns marked, votes, costs."""
        said = "".join(f"<p>{html.escape(note)}</p>" for note in self.notes)
        taken = f"<p><b>Understood:</b> {html.escape(self.understood)}</p>" if self.understood else ""
        votes = ""
        if len(self.samples) > 1:
            rows = "".join(
                f"<tr><td>{html.escape(', '.join(map(str, answer)))}</td><td>{score:g}</td></tr>"
                for answer, score in self.scores.items()
            )
            votes = f"<table><thead><tr><th>answer</th><th>votes</th></tr></thead><tbody>{rows}</tbody></table>"
        return f"<p><b>Question:</b> {html.escape(self.question)}</p>{taken}{self.result._repr_html_()}{votes}{said}"


class Binder:
    """Answers questions about tables with programs whose calls ask about the meaning of cells.

    With a language model, programs are sampled from it, each is run, and the answers vote. A program that fails costs
    its vote and nothing else. Without one, a question has to fit a template (`templates`); the mapper then answers its
    calls: the packaged sentence encoder, unless another is given to the executor.

    Args:
        lm: the language model that writes programs; None = templates.
        exemplars: "questions" (gives values), "statements" (gives 1 or 0), or examples of your own.
        n_samples: programs that vote.
        temperature: of sampling programs; 0.4 and 20 samples for WikiTableQuestions, 0.6 and 50 for TabFact in
            the paper.
        vote: which answer wins: "simple", "prob" or "biased"; or a `Vote`.
        executor: runs the programs; None = SQLite, calls answered by `lm`, or by the sentence encoder without one.
        prompt: how the prompt is made; None = by the kind of exemplars.
        shots: exemplars in the prompt, those most like the question.
        selection: chooses them.
        max_tokens: of a program.
        limits: of one question, programs and calls together.

    Example:
        >>> from holdfast.systems.binder import Binder, EmbeddingMapper, Executor, Table
        >>> table = Table.from_dict({"item": ["cherry", "lorry", "plum"], "price": [3, 900, 2]})
        >>> mapper = EmbeddingMapper(labels=("fruit", "vehicle"))
        >>> binder = Binder(executor=Executor(mapper=mapper))
        >>> binder.ask("what is the total price of items that are fruit?", table).answer
        [5]
    """

    def __init__(
        self,
        lm: LanguageModel | None = None,
        exemplars: str | Sequence[ProgramExample] = "questions",
        n_samples: int = 20,
        temperature: float = 0.4,
        vote: str | Vote = "simple",
        *,
        executor: Executor | None = None,
        prompt: ProgramPrompt | None = None,
        shots: int = 14,
        selection: Selection = retrieve,
        max_tokens: int = 512,
        limits: Limits | None = None,
    ) -> None:
        self.lm = lm
        self.exemplars = load_programs(exemplars) if isinstance(exemplars, str) else tuple(exemplars)
        self.n_samples = check_integer(n_samples, "n_samples", low=1)
        self.temperature = check_number(temperature, "temperature", low=0)
        self.vote = RULES[check_choice(vote, tuple(RULES), "vote")] if isinstance(vote, str) else vote
        if isinstance(self.vote, BiasedVote):
            check_positive(self.vote.weight, "vote.weight")
        self.prompt = prompt or ProgramPrompt("statement" if exemplars == "statements" else "question")
        self.shots = check_integer(shots, "shots", low=0)
        self.selection = selection
        self.max_tokens = check_integer(max_tokens, "max_tokens", low=1)
        self.limits = limits or Limits()
        self.executor = executor or default_executor(lm, self.limits)

    def ask(
        self, question: str, table: SQLTable, *, column: str | None = None, progress: Progress | None = None
    ) -> Answer:
        """The answer to a question.

        Args:
            question: in plain words; or a statement to be checked.
            table: a language model sees it normalised (`SQLTable.normalized`), templates as it is.
            column: without a language model, the column whose meaning is asked about.
            progress: is told how many programs are done, of how many.

        Raises:
            NoTemplate: there is no language model, and the question needs one.
            NoAnswer: not one program gave an answer.
            ModelError: the model could not be reached for a single program.
            BudgetExceeded: a limit was reached before the first answer.
        """
        if not question.strip():
            raise InputError("question", "must not be empty", question)
        if len(table) == 0:
            raise InputError("table", "must have at least one row", f"{len(table.columns)} columns, 0 rows")
        table = table if self.lm is None else table.normalized()
        with Budget(self.limits) as budget:
            understood, notes = "", list[str]()
            if self.lm is None:
                template = read_template(question, table, column)
                samples, understood = [Sample(template.program)], template.understood
            else:
                samples, notes = self._sampled(self.lm, question, table, budget)
            run = _Runs(self.executor, table, budget)
            done = run.all(samples, progress)
            return replace(self._decided(question, done, run, [*notes, *run.notes]), understood=understood)

    def _sampled(
        self, lm: LanguageModel, question: str, table: SQLTable, budget: Budget
    ) -> tuple[list[Sample], list[str]]:
        """Programs of the model, mended; those that cannot be read keep their error."""
        shots = self.selection(question, table.columns, self.exemplars, self.shots)
        text = self.prompt.build(question, table, shots, self.max_tokens)
        budget.admit(left=f"{self.n_samples} programs to be sampled")
        stop = () if lm.chat else ("\n\n",)
        completions = wait_for(
            lm.complete(text, n=self.n_samples, temperature=self.temperature, max_tokens=self.max_tokens, stop=stop)
        )
        samples = []
        for completion in completions:
            program = read_program(completion.text)
            try:
                program = repaired(program, table)
                error = "" if program else "the completion holds no program"
            except HoldfastError as wrong:
                error = str(wrong)
            samples.append(Sample(program, None, completion.logprob, error))
        missing = self.n_samples - len(samples)
        return samples, [f"{missing} of {self.n_samples} programs could not be sampled"] if missing else []

    def _decided(self, question: str, done: list[Sample], run: _Runs, notes: list[str]) -> Answer:
        outcome = poll([Candidate(sample.answer, sample.logprob) for sample in done], self.vote)
        failed = [sample for sample in done if sample.error]
        if outcome.answer is None or outcome.winner is None:
            if run.stopped is not None:
                raise run.stopped
            if len(done) == 1 and run.failures:
                raise run.failures[0]
            results = [run.results[s.program] for s in done if s.program in run.results]
            if results and not failed:  # every program ran and found nothing: that is an answer
                return Answer(question, [], done[0].program, results[0], tuple(done), {}, run.cost, tuple(notes))
            raise NoAnswer(_why(done), done)
        if failed:
            notes = [*notes, f"{len(failed)} of {len(done)} programs failed; the first: {failed[0].error}"]
        winner = done[outcome.winner]
        result = run.results[winner.program]
        values = list(outcome.answer)
        return Answer(question, values, winner.program, result, tuple(done), outcome.scores, run.cost, tuple(notes))


class _Runs:
    """Runs programs one after the other, equal ones once, until a limit or a dead endpoint says stop."""

    def __init__(self, executor: Executor, table: SQLTable, budget: Budget) -> None:
        self._executor, self._table, self._budget = executor, table, budget
        self.results: dict[str, Result] = {}
        self.failures: list[HoldfastError] = []
        self.stopped: HoldfastError | None = None
        self.notes: list[str] = []

    def all(self, samples: Sequence[Sample], progress: Progress | None) -> list[Sample]:
        """The samples with their answers or errors."""
        errors: dict[str, str] = {}
        done: list[Sample] = []
        for i, sample in enumerate(samples):
            if progress is not None:
                progress(i, len(samples))
            program = sample.program
            if not sample.error and program not in self.results and program not in errors:
                errors |= self._one(program, len(samples) - i)
            error = sample.error or errors.get(program, "")
            answer = None if error else tuple(self.results[program].answer)
            done.append(Sample(program, answer, sample.logprob, error))
        if progress is not None:
            progress(len(samples), len(samples))
        return done

    def _one(self, program: str, left: int) -> dict[str, str]:
        if self.stopped is not None:
            return {program: "not run"}
        try:
            self.results[program] = self._executor.run(program, self._table)
        except HoldfastError as error:
            # A limit or an endpoint that is gone would fail every other program as well, and slowly.
            if isinstance(error, BudgetExceeded) or isinstance(error.__cause__, ModelError):
                self.stopped = error
                self.notes.append(f"stopped with {left} programs left: {error}")
            self.failures.append(error)
            return {program: str(error)}
        return {}

    @property
    def cost(self) -> Usage:
        """What the whole question cost."""
        return self._budget.spent


def default_executor(lm: LanguageModel | None, limits: Limits) -> Executor:
    """SQLite; calls answered by the language model, or by the packaged sentence encoder without one."""
    from holdfast.systems.binder.tool.answering import LanguageModelAnswerer, LanguageModelMapper
    from holdfast.systems.binder.tool.embedding import EmbeddingMapper

    if lm is None:
        return Executor(mapper=EmbeddingMapper(), limits=limits)
    return Executor(mapper=LanguageModelMapper(lm), answerer=LanguageModelAnswerer(lm), limits=limits)


def _why(done: Sequence[Sample]) -> str:
    errors: dict[str, int] = {}
    for sample in done:
        kind = sample.error or "it found nothing"
        errors[kind] = errors.get(kind, 0) + 1
    worst = max(errors, key=lambda kind: errors[kind])
    return f"none of {len(done)} programs gave an answer; {errors[worst]} times: {worst}"


__all__ = ["Answer", "Binder", "NoAnswer", "Sample", "default_executor"]
