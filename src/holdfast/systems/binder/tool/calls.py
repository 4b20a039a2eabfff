"""The call protocol: f_col(question, columns) -> column and f_val(question, sub-table) -> values (section 2.1).

A `Mapper` answers a question for each of several rows, an `Answerer` gives the values of a whole sub-table. All calls
of a program are answered by one `CallRunner` (`holdfast.systems.binder.tool.callrunner`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from holdfast.errors import HoldfastError

Row = tuple[str, ...]


@runtime_checkable
class Mapper(Protocol):
    """Answers one question for every row.

    `id` names the backend with all that its answers depend on (model, prompt version, labels): answers are cached
    under it. A mapper that may be called from several threads at once says so with an attribute `concurrency` (the
    number of requests that may be in flight, 1 if it has none). What a request cost in tokens and money is told by
    `holdfast.language.budget.spend`.
    """

    @property
    def id(self) -> str: ...

    def map(self, question: str, rows: list[Row], header: Row) -> Sequence[str | None]:
        """One answer per row, in order.

        Args:
            question: in plain words, without "map@".
            rows: different rows, cells as text; each has as many cells as the header. At most `chunk_rows` of them.
            header: column names.

        Returns:
            As many answers as rows. None means: no answer for this row; it is asked again. With another number of
            answers nothing tells which row they belong to, so all the rows are asked again, in smaller parts.
        """
        ...


@runtime_checkable
class Answerer(Protocol):
    """Answers one question about a whole sub-table; `id`, `concurrency` and `spend` as for a `Mapper`."""

    @property
    def id(self) -> str: ...

    def answer(self, question: str, rows: list[Row], header: Row) -> Sequence[str]:
        """The values that answer the question: often one, sometimes several, none if there is no answer.

        Args:
            question: in plain words, without "ans@".
            rows: the sub-table, cells as text.
            header: column names.
        """
        ...


class MapperLengthError(HoldfastError):
    """A mapper did not give one answer per row, not even when it was asked again."""

    def __init__(self, backend: str, question: str, answered: int, rows: int) -> None:
        self.backend, self.question, self.answered, self.rows = backend, question, answered, rows
        super().__init__(
            f"{backend} answered {answered} of {rows} rows of {question!r}, also when asked again; "
            "answers it gave are kept in the cache"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.backend, self.question, self.answered, self.rows)


class NoBackend(HoldfastError):
    """A program asks something and nothing was given to answer it."""

    def __init__(self, kind: str, question: str) -> None:
        self.kind, self.question = kind, question
        role = "mapper" if kind == "map" else "answerer"
        super().__init__(f"{role}: the program asks {kind}@{question!r}, but no {role} was given")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.kind, self.question)


def cell_text(value: Any) -> str:
    """A cell as mappers and prompts see it: whole numbers without a fraction, nothing for NULL.

    Example:
        >>> from holdfast.systems.binder.tool.calls import cell_text
        >>> [cell_text(v) for v in (3.0, 2.5, "Loss 3-2", None)]
        ['3', '2.5', 'Loss 3-2', '']
    """
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)


__all__ = ["Answerer", "Mapper", "MapperLengthError", "NoBackend", "Row", "cell_text"]
