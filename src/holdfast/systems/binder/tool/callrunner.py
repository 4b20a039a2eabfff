"""Answers calls of any program: merges equal rows, looks into the cache, sends the rest in parts.

The reference code matches answers to rows by position and drops the rows at the end if an answer is short. Here every
row has its answer, or the run ends with an error that says how many have.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from holdfast.errors import HoldfastError, InputError
from holdfast.language.budget import Budget, BudgetExceeded, Usage
from holdfast.language.cache import AnswerCache, key_of
from holdfast.sql.columntypes import sound
from holdfast.systems.binder.tool.calls import Answerer, Mapper, MapperLengthError, NoBackend, Row

Progress = Callable[[int, int], None]
REASKS = 3
LONGEST_ANSWER = 100_000


class CallFailed(HoldfastError):
    """A backend failed. Says what was wrong, how much was answered before, and where that is kept.

    Attributes:
        cause: the backend's error in its own words.
    """

    def __init__(self, cause: str, kept: str) -> None:
        self.cause, self.kept = cause, kept
        super().__init__(f"{cause}; {kept}")

    def __reduce__(self) -> tuple[type[CallFailed], tuple[str, str]]:
        return type(self), (self.cause, self.kept)


@dataclass(frozen=True)
class Mapped:
    """Answers to rows.

    Attributes:
        answers: one for each row, in order.
        cached, asked: how many different rows the cache knew and how many were sent.
    """

    answers: list[str]
    cached: int
    asked: int


class CallRunner:
    """The calls of one run.

    Args:
        mapper, answerer: the backends; None if the program is not expected to ask for them.
        cache: where answers are looked up and kept.
        budget: what may be spent.
        chunk_rows: rows per request.
        progress: is told after each request how many different rows of the call are answered, of how many.
    """

    def __init__(
        self,
        mapper: Mapper | None,
        answerer: Answerer | None,
        cache: AnswerCache,
        budget: Budget,
        chunk_rows: int = 50,
        progress: Progress | None = None,
    ) -> None:
        self.mapper, self.answerer, self.cache, self.budget = mapper, answerer, cache, budget
        self.chunk_rows, self.progress = chunk_rows, progress

    # ---------------------------------------------------------------------------------------------------------- map
    def map(
        self, question: str, rows: Sequence[Row], header: Row, *, before: int = 0, total: int | None = None
    ) -> Mapped:
        """One answer for every row.

        Args:
            question: without "map@".
            rows: cells as text. Equal rows are asked about once.
            header: column names.
            before, total: if these rows are a part of more: rows already answered, and all of them (for messages).

        Raises:
            NoBackend, BudgetExceeded, MapperLengthError, CallFailed: what was answered before is in the cache.
        """
        if self.mapper is None:
            raise NoBackend("map", question)
        mapper = self.mapper
        keys = {row: key_of(mapper.id, "map", question, row) for row in rows}
        known = self.cache.get(keys.values())
        answers = {row: known[key] for row, key in keys.items() if key in known}
        self.budget.add(Usage(cached=len(answers)))
        left = [row for row in keys if row not in answers]
        cached = len(answers)
        whole = len(keys) + before if total is None else total
        parts = [left[low : low + self.chunk_rows] for low in range(0, len(left), self.chunk_rows)]
        try:
            for part in self._in_flight(mapper, question, parts, header):
                answers.update(part)
                if self.progress is not None:
                    self.progress(before + len(answers), whole)
        except (BudgetExceeded, MapperLengthError, CallFailed) as error:
            done = before + len(self.cache.get(keys.values()))
            kept = f"{done} of {whole} different rows of {question!r} are answered and kept in {self.cache.where}"
            if isinstance(error, BudgetExceeded):
                raise BudgetExceeded(error.limit, error.allowed, error.done, f"{kept}; {whole - done} left") from None
            if isinstance(error, MapperLengthError):
                raise MapperLengthError(mapper.id, question, done, whole) from None
            raise CallFailed(error.cause, kept) from error.__cause__
        return Mapped([answers[row] for row in rows], cached, len(left))

    def _in_flight(
        self, mapper: Mapper, question: str, parts: list[list[Row]], header: Row
    ) -> Iterator[dict[Row, str]]:
        """Answers part by part, several requests at a time if the mapper allows it."""
        workers = min(max(1, int(getattr(mapper, "concurrency", 1))), max(1, len(parts)))
        if workers == 1:
            for part in parts:
                yield self._ask(mapper, question, part, header)
            return
        todo = iter(parts)
        pool = ThreadPoolExecutor(workers, thread_name_prefix="binder")
        flying: set[Future[dict[Row, str]]] = set()
        try:
            while True:
                while len(flying) < workers and (part := next(todo, [])):
                    context = contextvars.copy_context()
                    flying.add(pool.submit(context.run, self._ask, mapper, question, part, header))
                if not flying:
                    return
                done, flying = wait(flying, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
        finally:
            # Requests in flight are paid for: their answers are waited for and kept.
            pool.shutdown(wait=True, cancel_futures=True)

    def _ask(self, mapper: Mapper, question: str, rows: list[Row], header: Row, reasks: int = REASKS) -> dict[Row, str]:
        self.budget.admit(len(rows))
        try:
            given = mapper.map(question, list(rows), header)
        except (BudgetExceeded, InputError):
            raise
        except HoldfastError as error:
            raise CallFailed(str(error), "") from error
        fits = len(given) == len(rows)
        answered = (
            {row: _text(a, mapper.id) for row, a in zip(rows, given, strict=True) if a is not None} if fits else {}
        )
        self.cache.put({key_of(mapper.id, "map", question, row): answer for row, answer in answered.items()})
        missing = [row for row in rows if row not in answered]
        if missing and not reasks:
            raise MapperLengthError(mapper.id, question, len(answered), len(rows))
        half = (
            len(missing) if fits else (len(missing) + 1) // 2
        )  # which answer is whose is known for smaller parts only
        for low in range(0, len(missing), max(half, 1)):
            answered |= self._ask(mapper, question, missing[low : low + half], header, reasks - 1)
        return answered

    # ---------------------------------------------------------------------------------------------------------- ans
    def answer(self, question: str, rows: Sequence[Row], header: Row) -> tuple[list[str], bool]:
        """The values that answer a question about a sub-table, and whether the cache knew them.

        Raises:
            NoBackend, BudgetExceeded, CallFailed: as for `map`.
        """
        if self.answerer is None:
            raise NoBackend("ans", question)
        key = key_of(self.answerer.id, "ans", question, [list(header), *map(list, rows)])
        if key in (known := self.cache.get([key])):
            self.budget.add(Usage(cached=len(rows)))
            return list(known[key]), True
        self.budget.admit(len(rows), left=f"{question!r} is not answered")
        try:
            given = self.answerer.answer(question, list(rows), header)
        except (BudgetExceeded, InputError):
            raise
        except HoldfastError as error:
            kept = f"earlier answers are kept in {self.cache.where}"
            raise CallFailed(str(error), f"{question!r} is not answered; {kept}") from error
        if isinstance(given, str):  # a string is a sequence too, of its letters
            raise InputError("answerer", "must return a list of texts", f"the text {given!r}")
        answers = [_text(value, self.answerer.id) for value in given]
        self.cache.put({key: answers})
        return answers, False


def _text(answer: object, backend: str) -> str:
    if not isinstance(answer, str):
        raise InputError(backend, "must answer in texts", f"{type(answer).__name__} {answer!r}")
    if len(answer) > LONGEST_ANSWER:
        raise InputError(backend, f"must answer in at most {LONGEST_ANSWER:,} characters", f"{len(answer)} characters")
    return sound(answer)


__all__ = ["CallFailed", "CallRunner", "Mapped", "Progress"]
