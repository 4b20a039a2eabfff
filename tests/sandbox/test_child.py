"""Child processes: what they know, what they say, and how they end when they take too long or too much."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.sandbox.child import Child
from holdfast.sandbox.wire import Failure


@pytest.fixture(scope="module")
def child() -> Iterator[Child]:
    made = Child("toy_child", "toy")
    yield made
    made.close()


def test_it_answers_and_whatever_it_prints_is_no_answer(child: Child) -> None:
    assert child.ask(600, do="print") == {"done": "print"}
    assert child.ask(600, do="nothing") == {"done": "nothing"}


def test_it_knows_nothing_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_API_KEY", "what no program may see")
    child = Child("toy_child", "toy")
    names = child.ask(600, do="environment")["names"]
    child.close()
    assert "PYTHONUTF8" in names
    assert not {"SECRET_API_KEY", "HOME", "PATH"} & set(names)


@pytest.mark.parametrize(
    ("do", "kind", "reason"), [("refuse", "refused", "may not do this"), ("wrong", "error", "ValueError: invalid")]
)
def test_what_it_refuses_is_said_and_it_goes_on(child: Child, do: str, kind: str, reason: str) -> None:
    with pytest.raises(Failure, match=reason) as caught:
        child.ask(600, do=do)
    assert caught.value.kind == kind
    assert child.alive


@pytest.mark.skipif(sys.platform != "linux", reason="needs a limit on the address space")
def test_memory_beyond_the_limit_fails_the_request_alone(child: Child) -> None:
    with pytest.raises(Failure) as caught:
        child.ask(600, do="too much", bytes=2**31)
    assert caught.value.kind == "memory"
    assert child.ask(600, do="nothing") == {"done": "nothing"}


@pytest.mark.parametrize(
    ("seconds", "most", "request_", "kind"),
    [
        (0.0, None, {"do": "sleep", "for_s": 600}, "timeout"),
        (600.0, 2**28, {"do": "grow", "bytes": 2**29, "for_s": 600}, "memory"),
        (600.0, None, {"do": "exit"}, "memory"),
    ],
)
def test_what_takes_too_long_or_too_much_or_dies_is_ended(
    seconds: float, most: int | None, request_: dict[str, object], kind: str
) -> None:
    child = Child("toy_child", "toy")
    with pytest.raises(Failure) as caught:
        child.ask(seconds, most, **request_)
    assert caught.value.kind == kind
    assert not child.alive
    with pytest.raises(Failure, match="has ended"):
        child.ask(600, do="nothing")


@pytest.mark.skipif(os.name != "posix", reason="needs limits of the operating system")
def test_isolation_takes_the_files_away(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("x")
    child = Child("toy_child", "toy")
    assert child.ask(600, do="open after isolation", path=str(path)) == {"opened": False}
    child.close()


def test_it_ends_with_its_object() -> None:
    child = Child("toy_child", "toy")
    pid = child.pid
    del child
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_module_that_does_not_start_is_said() -> None:
    with pytest.raises(Failure, match="process died"):
        Child("no_such_module_anywhere", "toy")
