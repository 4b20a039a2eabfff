"""Functions of strangers: what they give, and what they cannot do."""

from __future__ import annotations

import os

import pytest

from holdfast.sandbox import FunctionFailed, call_function

REACH = "import statistics\nos = statistics.sys.modules['os']\n"  # around the list of modules, as a stranger would


def test_results_are_as_json_has_them() -> None:
    code = "import math\ndef f(x, y=1):\n    return (math.sqrt(x), y)"
    assert call_function(code, "f", [[4], [9, 2]]) == [[2.0, 1], [3.0, 2]]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("return 1 / 0", "ZeroDivisionError"),
        ("raise SystemExit", "SystemExit"),
        ("import os", "can be imported"),
        ("return open('/etc/hostname')", "NameError"),
        ("return {1}", "not JSON serializable"),
        ("return [0] * 10**9", "memory"),
        ("return os.open('/etc/hostname', 0)", "Too many open files"),
        ("return os.pipe()", "Too many open files"),
        ("return __import__('socket')", "can be imported"),
    ],
)
def test_what_fails_says_why(body: str, why: str) -> None:
    with pytest.raises(FunctionFailed, match=why):
        call_function(f"{REACH}def f(x):\n    {body}", "f", [[1]])


def test_a_function_that_does_not_end_is_ended() -> None:
    with pytest.raises(FunctionFailed, match="too long"):
        call_function("def f():\n    while True: pass", "f", [[]], seconds=0.2)


def test_a_process_that_goes_away_is_a_failure() -> None:
    with pytest.raises(FunctionFailed):
        call_function(f"{REACH}def f():\n    os._exit(0)", "f", [[]])
    with pytest.raises(FunctionFailed, match="KeyError"):
        call_function("x = 1", "f", [[]])


def test_nothing_of_the_environment_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    (names,) = call_function(f"{REACH}def f():\n    return sorted(os.environ)", "f", [[]])
    assert "OPENAI_API_KEY" not in names
    assert "OPENAI_API_KEY" in os.environ
