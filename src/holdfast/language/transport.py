"""Posting JSON to an HTTP endpoint that is slow, busy, broken or gone: limits, repeats, and one line that says why."""

from __future__ import annotations

import asyncio
import email.utils
import functools
import json
import random
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from holdfast.errors import MissingExtra
from holdfast.language.protocol import ModelError, Spending
from holdfast.validation import check_integer, check_positive

if TYPE_CHECKING:
    import httpx2

AGAIN = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})  # temporary by their definition
ENCODINGS = ("identity", "gzip")  # at most a thousandfold; others, and several at once, can be any bomb
SHOWN = 160  # characters of an answer quoted in an error


@dataclass(frozen=True)
class Patience:
    """How long and how often to try.

    Attributes:
        timeout_s: for one whole request, from connecting to the last byte: a server that sends a byte now and then
            does not extend it.
        retries: repeats of a request that failed for a reason that may pass.
        first_wait_s: before the first repeat; doubled with every further one, and varied by a random factor of 0.5 to
            1.5 so that clients do not come back all at once.
        longest_wait_s: upper limit of a wait; a server that asks for a longer one (Retry-After) is given up.
        max_bytes: longest answer read.
    """

    timeout_s: float = 120.0
    retries: int = 5
    first_wait_s: float = 0.5
    longest_wait_s: float = 60.0
    max_bytes: int = 16 * 2**20

    def __post_init__(self) -> None:
        check_positive(self.timeout_s, "timeout_s")
        check_integer(self.retries, "retries", low=0)
        check_positive(self.first_wait_s, "first_wait_s")
        check_positive(self.longest_wait_s, "longest_wait_s")
        check_integer(self.max_bytes, "max_bytes", low=1)


class Refused(ModelError):
    """The endpoint answered, and will answer the same again: status and text say why."""

    def __init__(self, status: int, text: str, message: str) -> None:
        super().__init__(message)
        self.status, self.text = status, text

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.status, self.text, str(self))


class _Passing(Exception):
    """A failure that may pass; `wait_s` is what the server asked for."""

    def __init__(self, why: str, wait_s: float | None = None) -> None:
        super().__init__(why)
        self.wait_s = wait_s


class Pace:
    """Lets requests start no faster than a rate, and none while the server asked for a pause.

    Args:
        per_minute: requests; None = as fast as they come.
        at_once: requests under way at the same time.
    """

    def __init__(self, per_minute: float | None, at_once: int) -> None:
        self._apart = 60.0 / check_positive(per_minute, "requests_per_minute") if per_minute is not None else 0.0
        self._free = asyncio.Semaphore(check_integer(at_once, "at_once", low=1))
        self._next = 0.0

    async def __aenter__(self) -> None:
        await self._free.acquire()
        try:
            now = time.monotonic()
            start = max(now, self._next)
            self._next = start + self._apart
            await asyncio.sleep(start - now)
        except BaseException:
            self._free.release()
            raise

    async def __aexit__(self, *error: object) -> None:
        self._free.release()

    def pause(self, seconds: float) -> None:
        """No request starts within the next seconds."""
        self._next = max(self._next, time.monotonic() + seconds)


class Transport:
    """Posts JSON and gives back the JSON answered.

    Redirects are not followed: they would carry the key to a server that the user did not name.

    Args:
        headers: of every request (the key is in them; they are in no message).
        patience, pace: how often, how fast.
        spending: where requests, repeats and waits are counted.
    """

    def __init__(self, headers: Mapping[str, str], patience: Patience, pace: Pace, spending: Spending) -> None:
        self._headers, self._patience, self._pace, self._spending = dict(headers), patience, pace, spending
        self._http: httpx2.AsyncClient | None = None
        self._random = random.Random(0)

    async def post(self, url: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to a request, after as many repeats as patience allows.

        Raises:
            Refused: the endpoint said no (400, 401, 404, ...): repeating would not help.
            ModelError: every attempt failed; says how many there were and how the last one ended.
        """
        begun = time.monotonic()
        for attempt in range(self._patience.retries + 1):
            self._spending.requests += 1
            try:
                async with self._pace:
                    return await self._once(url, payload)
            except _Passing as failure:
                wait = self._wait(attempt, failure)
                if attempt == self._patience.retries or wait is None:
                    times = f"{attempt + 1} attempt{'s' if attempt else ''} in {time.monotonic() - begun:.1f} s"
                    raise ModelError(f"{url}: no usable answer after {times}; the last one: {failure}") from failure
                self._spending.retries += 1
                self._spending.waited_s += wait
                await asyncio.sleep(wait)
        raise AssertionError("the loop returns or raises")

    def _wait(self, attempt: int, failure: _Passing) -> float | None:
        """Seconds before the next attempt; None if the server asks for more than we have."""
        if failure.wait_s is not None:
            if failure.wait_s > self._patience.longest_wait_s:
                return None
            self._pace.pause(failure.wait_s)
            return failure.wait_s
        wait = self._patience.first_wait_s * 2**attempt * (0.5 + self._random.random())
        return min(wait, self._patience.longest_wait_s)

    async def _once(self, url: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        httpx = _http_library()
        try:
            async with asyncio.timeout(self._patience.timeout_s):
                async with self._client().stream("POST", url, json=payload) as response:
                    encoding = response.headers.get("content-encoding", "identity").strip().lower()
                    if encoding not in ENCODINGS:
                        raise _Passing(f"an answer in the encoding {_brief(encoding)}, which was not asked for")
                    body = bytearray()
                    async for piece in response.aiter_bytes():
                        body += piece
                        if len(body) > self._patience.max_bytes:
                            raise _Passing(f"an answer of more than {self._patience.max_bytes} bytes")
        except TimeoutError as error:
            raise _Passing(f"nothing complete within {self._patience.timeout_s:g} s") from error
        except httpx.InvalidURL as error:
            raise ModelError(f"{url}: is no address of an endpoint ({error})") from error
        except (httpx.HTTPError, OSError) as error:
            raise _Passing(f"{type(error).__name__} ({error or 'the connection was closed'})") from error
        text = bytes(body).decode("utf-8", "replace")
        if response.status_code in AGAIN:
            raise _Passing(f"status {response.status_code}: {_brief(text)}", _retry_after(response.headers))
        if response.status_code != 200:
            said = f"{url}: refused with status {response.status_code}: {_brief(text)}"
            raise Refused(response.status_code, text, said)
        try:
            answer = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise _Passing(f"no JSON: {_brief(text)}") from error
        if not isinstance(answer, dict):
            raise _Passing(f"JSON that is no object: {_brief(text)}")
        return answer

    def _client(self) -> httpx2.AsyncClient:
        if self._http is None:
            headers = {**self._headers, "Accept-Encoding": "gzip"}
            options = {"headers": headers, "timeout": None, "follow_redirects": False}
            self._http = _http_library().AsyncClient(**options, verify=_certificates())
        return self._http

    async def close(self) -> None:
        """Close the connections."""
        if self._http is not None:
            await self._http.aclose()
            self._http = None


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds from the header Retry-After, which holds a number or a date; None without a usable one."""
    value = headers.get("retry-after", "").strip()
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(value).timestamp() - time.time()
        except ValueError:
            return None
    return max(0.0, seconds) if seconds == seconds else None


def _brief(text: str) -> str:
    text = " ".join(text.split())
    return (text if len(text) <= SHOWN else text[: SHOWN - 3] + "...") or "an empty answer"


@functools.cache
def _certificates() -> ssl.SSLContext:
    """Whom to trust; reading it takes longer than a request to this machine."""
    context: ssl.SSLContext = _http_library().create_ssl_context()
    return context


def _http_library() -> Any:
    try:
        import httpx2
    except ImportError as error:
        raise MissingExtra("httpx2", "llm") from error
    return httpx2


__all__ = ["Pace", "Patience", "Refused", "Transport"]
