"""Engines that tests share: their processes start once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from holdfast.sql.session import Session
from holdfast.systems.binder.tool import executor


@pytest.fixture(scope="session")
def sessions() -> Iterator[dict[str, Session]]:
    """A session of each engine, with no table."""
    made = {engine: Session(engine) for engine in ("sqlite", "duckdb")}
    yield made
    for session in made.values():
        session.close()


@pytest.fixture(scope="module")
def kept_engines(sessions: dict[str, Session]) -> Iterator[None]:
    """Executors use the shared sessions; closing one takes its table away and leaves the process."""

    class Kept:
        def __init__(self, engine: str) -> None:
            self._session = sessions[engine]

        def __getattr__(self, name: str) -> Any:
            return getattr(self._session, name)

        def close(self) -> None:
            self._session.forget()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(executor, "Session", Kept)
        yield
