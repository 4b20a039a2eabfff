"""What a run may spend, and what it has spent: requests, rows, tokens, money, seconds.

Backends say what a request cost with `spend`; it reaches the budget of the run they work for, wherever that was opened
(`with Budget(limits):`), also from the threads that the call runner starts. So `Mapper.map` can return answers alone.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextvars import ContextVar, Token
from dataclasses import dataclass, fields
from typing import Any

from holdfast.errors import HoldfastError
from holdfast.validation import check_integer, check_positive


@dataclass(frozen=True)
class Usage:
    """What was used. Adding two adds every field.

    Attributes:
        calls: requests to a mapper or answerer, and samples of programs.
        rows: rows sent in these requests.
        cached: rows answered from the cache instead.
        prompt_tokens, completion_tokens: as the endpoint counts them.
        cost: money, in the currency of the prices that the backend was given.
        seconds: wall-clock time of the run.

    Example:
        >>> from holdfast.language.budget import Usage
        >>> (Usage(calls=1, prompt_tokens=700) + Usage(calls=2, cost=0.5)).calls
        3
    """

    calls: int = 0
    rows: int = 0
    cached: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0
    seconds: float = 0.0

    @property
    def tokens(self) -> int:
        """Prompt and completion tokens together."""
        return self.prompt_tokens + self.completion_tokens

    def __str__(self) -> str:
        """In one line.

        Example:
            >>> print(Usage(calls=1, rows=12, cached=3, seconds=0.5))
            1 request, 12 cells asked, 3 from the cache, 0 tokens, 0.5 s
        """
        money = f", {self.cost:.4g} in money" if self.cost else ""
        requests = f"{self.calls:,} request{'' if self.calls == 1 else 's'}"
        asked = f"{self.rows:,} cells asked, {self.cached:,} from the cache"
        return f"{requests}, {asked}, {self.tokens:,} tokens{money}, {self.seconds:.1f} s"

    def __add__(self, other: Usage) -> Usage:
        return Usage(**{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)})


@dataclass(frozen=True)
class Limits:
    """Where a run has to stop. None means no limit.

    Attributes:
        max_calls: requests to language models and mappers.
        max_rows: rows sent to mappers and answerers, after identical ones were merged and cached ones left out.
        max_tokens: prompt and completion tokens.
        max_cost: money, in the currency of the backend's prices.
        timeout_s: seconds for the whole run. A query still at work by then is killed.
        query_s: seconds for each query of a program.
        memory_mb: megabytes that a query may take beyond the table itself.
        result_rows: rows that a query may return.

    Example:
        >>> from holdfast.language.budget import Limits
        >>> Limits(max_calls=0)
        Traceback (most recent call last):
        holdfast.errors.InputError: max_calls: must be a whole number of at least 1; received 0
    """

    max_calls: int | None = None
    max_rows: int | None = None
    max_tokens: int | None = None
    max_cost: float | None = None
    timeout_s: float | None = None
    query_s: float = 60.0
    memory_mb: int = 1024
    result_rows: int = 100_000

    def __post_init__(self) -> None:
        for name in ("max_calls", "max_rows", "max_tokens", "memory_mb", "result_rows"):
            if getattr(self, name) is not None:
                check_integer(getattr(self, name), name, low=1)
        for name in ("max_cost", "timeout_s", "query_s"):
            if getattr(self, name) is not None:
                check_positive(getattr(self, name), name)


class BudgetExceeded(HoldfastError):
    """A limit was reached before the work was done.

    Attributes:
        limit: name of the limit in `Limits`.
        done: what had been spent.
        left: what was still to do, in words.
    """

    def __init__(self, limit: str, allowed: float, done: Usage, left: str = "") -> None:
        self.limit, self.allowed, self.done, self.left = limit, allowed, done, left
        requests = f"{done.calls} request{'' if done.calls == 1 else 's'}"
        spent = f"{requests}, {done.rows} rows, {done.tokens} tokens done in {done.seconds:.1f} s"
        super().__init__(f"{limit}: the limit of {allowed:g} is reached; {spent}" + (f"; {left}" if left else ""))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.limit, self.allowed, self.done, self.left)


class Budget:
    """Limits and what was spent of them; safe to use from several threads.

    Requests are checked before they start, so an answer that was paid for is never thrown away: tokens and money may
    pass their limit by the requests in flight.

    Example:
        >>> from holdfast.language.budget import Budget, Limits, Usage, spend
        >>> with Budget(Limits(max_tokens=1000)) as budget:
        ...     spend(Usage(prompt_tokens=900, completion_tokens=150))
        >>> budget.spent.tokens
        1050
        >>> budget.admit(rows=50)
        Traceback (most recent call last):
        holdfast.language.budget.BudgetExceeded: max_tokens: the limit of 1000 is reached; 0 requests, ...
    """

    def __init__(self, limits: Limits | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.limits = limits or Limits()
        self._clock, self._start, self._lock = clock, clock(), threading.Lock()
        self._spent = Usage()
        self._token: Token[Budget | None] | None = None

    def __enter__(self) -> Budget:
        self._token = _current.set(self)
        return self

    def __exit__(self, *_: object) -> None:
        if self._token is not None:
            _current.reset(self._token)
            self._token = None

    @property
    def spent(self) -> Usage:
        """What was spent so far, with the seconds since the budget was made."""
        with self._lock:
            return self._spent + Usage(seconds=self._clock() - self._start)

    @property
    def remaining_s(self) -> float | None:
        """Seconds until `timeout_s`, at least 0; None without a limit."""
        limit = self.limits.timeout_s
        return None if limit is None else max(0.0, limit - (self._clock() - self._start))

    @property
    def query_s(self) -> float:
        """Seconds that a query of a program may take now."""
        left = self.remaining_s
        return self.limits.query_s if left is None else min(left, self.limits.query_s)

    def add(self, usage: Usage) -> None:
        """Book what was spent."""
        with self._lock:
            self._spent = self._spent + usage

    def admit(self, rows: int = 0, left: str = "") -> None:
        """Book one request with so many rows, if the limits allow it to start.

        Raises:
            BudgetExceeded: with what was done and `left`; nothing is booked.
        """
        with self._lock:
            done = self._spent + Usage(seconds=self._clock() - self._start)
            limits = self.limits
            spent: dict[
                str, tuple[float | None, float, bool]
            ] = {  # limit, what would be spent, whether it must be less
                "max_calls": (limits.max_calls, done.calls + 1, False),
                "max_rows": (limits.max_rows, done.rows + rows, False),
                "max_tokens": (limits.max_tokens, done.tokens, True),
                "max_cost": (limits.max_cost, done.cost, True),
                "timeout_s": (limits.timeout_s, done.seconds, True),
            }
            for name, (allowed, would_be, strictly) in spent.items():
                if allowed is not None and (would_be >= allowed if strictly else would_be > allowed):
                    raise BudgetExceeded(name, allowed, done, left)
            self._spent = self._spent + Usage(calls=1, rows=rows)


_current: ContextVar[Budget | None] = ContextVar("budget", default=None)


def current_budget() -> Budget | None:
    """The budget of the run that the calling code works for, if it works for one."""
    return _current.get()


def spend(usage: Usage) -> None:
    """Book what a request cost on the budget of the run that the calling code works for; without one, do nothing."""
    if (budget := _current.get()) is not None:
        budget.add(usage)


__all__ = ["Budget", "BudgetExceeded", "Limits", "Usage", "current_budget", "spend"]
