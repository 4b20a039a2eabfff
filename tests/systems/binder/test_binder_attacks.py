"""Attack programs, hostile cells and hostile answers: none may touch the machine, hang, or fill the memory."""

from __future__ import annotations

import os
import re
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from holdfast.errors import HoldfastError
from holdfast.language.budget import BudgetExceeded
from holdfast.sql.errors import EngineMemory, EngineTimeout
from holdfast.sql.guard import UnsafeProgram
from holdfast.sql.session import Session
from holdfast.sql.tokens import ParseError
from holdfast.systems.binder import Executor, FunctionAnswerer, FunctionMapper, Limits, Result, Table

pytest.importorskip("sqlglot")
pytest.importorskip("duckdb")

ATTACKS = tomllib.loads((Path(__file__).parent / "attacks.toml").read_text(encoding="utf-8"))["attack"]
ENGINES = ("sqlite", "duckdb")
MARKER = "what only the owner of this machine may know"
LIMIT_S, STARTED_S, MEMORY_MB = 0.3, 600.0, 128  # seconds for what should be stopped, and for what should not
PATIENCE_S = 600.0  # far above the limit, far below a hang; a busy machine is no failure
WATCHED = ("open", "os.system", "os.exec", "os.posix_spawn", "subprocess.Popen", "socket.connect", "sqlite3.connect",
           "sqlite3.load_extension", "os.remove", "os.rename", "os.mkdir", "ctypes.dlopen", "exec")  # fmt: skip

seen: list[str] = []
watching = False


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if watching and event in WATCHED and not _is_own(event, arguments):
        seen.append(f"{event} {arguments[:1]}")


def _is_own(event: str, arguments: tuple[Any, ...]) -> bool:
    """What a run does itself: look at the child's memory, start it again after it was killed, import a module."""
    if event in ("subprocess.Popen", "os.posix_spawn"):
        return str(arguments[0]) == sys.executable
    name = str(arguments[0]) if arguments else ""
    harmless = ("/proc/", "/dev/null")
    return event == "exec" or name.startswith(harmless) or name.endswith((".py", ".pyc")) or name.isdigit()


@pytest.fixture(scope="module", autouse=True)
def watch() -> None:
    sys.addaudithook(_watch)  # it cannot be taken away; `watching` switches it


def filled(text: str, attack: dict[str, Any], folder: Path) -> str:
    times = attack.get("times", 0)
    return (
        text.replace("{parts}", attack.get("part", "") * times)
        .replace("{ends}", attack.get("end", "") * times)
        .replace("{secret}", str(folder / "secret.txt"))
        .replace("{target}", str(folder / "target.txt"))
    )


class Fixed:
    """A session of an executor kept over the attacks, since starting a process for each takes most of the time."""

    def __init__(self) -> None:
        self.executors: dict[str, Executor] = {}

    def __call__(self, engine: str, attack: dict[str, Any]) -> Executor:
        executor = self.executors.setdefault(engine, Executor(engine))
        limit = LIMIT_S if attack.get("outcome") in ("stopped", "any") else STARTED_S
        mapped, answered = attack.get("mapped", "yes"), attack.get("answered", ["1"])
        answers = {"echo": lambda question, *cells: cells[0], "long": lambda *_: "x" * 10**6}
        executor.mapper = FunctionMapper(answers.get(mapped, lambda *_: mapped), name=attack["name"])
        executor.answerer = FunctionAnswerer(lambda *_: answered, name=attack["name"])
        executor.limits = Limits(timeout_s=limit, memory_mb=MEMORY_MB, result_rows=1000, max_calls=100)
        return executor


@pytest.fixture(scope="module")
def executors() -> Iterator[Fixed]:
    made = Fixed()
    warm = Table.from_dict({"a": ["x"]})
    for engine in ENGINES:
        executor = made(engine, {"name": "warm"})
        executor.limits = Limits(memory_mb=MEMORY_MB)
        executor.run('SELECT COUNT(*) FROM w WHERE QA("map@x"; a) IS NOT NULL', warm)
    yield made
    for executor in made.executors.values():
        executor.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all attacks: what one leaves in it fails every later one, too."""
    made = tmp_path_factory.mktemp("attacked")
    (made / "secret.txt").write_text(MARKER)
    return made


def cases() -> Iterator[Any]:
    for attack in ATTACKS:
        slow = attack["outcome"] in ("stopped", "any") and not attack.get("quick")  # its process is killed
        yield pytest.param(attack, id=attack["name"].replace(" ", "-"), marks=[pytest.mark.slow] if slow else [])


@pytest.mark.parametrize("attack", list(cases()))
def test_attack_does_no_harm(attack: dict[str, Any], executors: Fixed, folder: Path) -> None:
    for engine in ENGINES:
        try:
            attacked(engine, attack, executors, folder)
        except Exception as error:
            error.add_note(f"on {engine}")
            raise


def attacked(engine: str, attack: dict[str, Any], executors: Fixed, folder: Path) -> None:
    global watching
    cells = [filled(cell, attack, folder) for cell in attack.get("cells", ["one", "two", "three"])]
    table = Table.from_dict({"a": cells, "n": list(range(len(cells)))})
    program = filled(attack["program"], attack, folder)
    executor = executors(engine, attack)
    start = time.monotonic()
    seen.clear()
    watching = True
    try:
        outcome: Result | Exception = executor.run(program, table)
    except HoldfastError as error:
        outcome = error
    finally:
        watching = False
    assert time.monotonic() - start < PATIENCE_S
    assert seen == []
    assert sorted(path.name for path in folder.iterdir()) == ["secret.txt"]
    assert (folder / "secret.txt").read_text() == MARKER
    assert MARKER not in repr(outcome)
    check_outcome(outcome, attack)
    if engine == "sqlite" and sys.platform == "linux" and (pid := executor.session.pid):
        assert peak_megabytes(pid) < 3 * MEMORY_MB
    executor.limits = Limits(memory_mb=MEMORY_MB)
    assert executor.run("SELECT COUNT(*) FROM w", table).answer == [len(table)]


def check_outcome(outcome: Result | Exception, attack: dict[str, Any]) -> None:
    kinds: dict[str, tuple[type[Exception], ...]] = {
        "refused": (UnsafeProgram, ParseError),
        "stopped": (EngineTimeout, EngineMemory, BudgetExceeded),
        "error": (HoldfastError,),
    }
    wanted = attack["outcome"]
    if isinstance(outcome, Exception):
        assert "\n" not in str(outcome)
        assert len(str(outcome)) < 1200
        assert wanted == "any" or isinstance(outcome, kinds.get(wanted, ())), outcome
    else:
        assert wanted in ("answer", "any"), outcome.answer
        assert outcome.answer == attack.get("answer", outcome.answer)


def peak_megabytes(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


@pytest.fixture(scope="module")
def bare() -> Iterator[dict[str, Session]]:
    sessions = {engine: Session(engine) for engine in ENGINES}
    yield sessions
    for session in sessions.values():
        session.close()


def past_the_guard() -> Iterator[Any]:
    for attack in ATTACKS:
        for engine in ENGINES:
            if "QA(" not in attack["program"]:
                name = f"{attack['name'].replace(' ', '-')}-{engine}"
                yield pytest.param(engine, attack, id=name, marks=[pytest.mark.slow])


@pytest.mark.parametrize(("engine", "attack"), list(past_the_guard()))
def test_engine_alone_keeps_the_machine_safe(
    engine: str, attack: dict[str, Any], bare: dict[str, Session], folder: Path
) -> None:
    """The guard may have a hole: then the engine's own refusal, or the process without files, has to do."""
    cells = attack.get("cells", ["one", "two", "three"])
    table = Table.from_dict({"a": cells, "n": list(range(len(cells)))})
    session = bare[engine]
    session.load(table, MEMORY_MB)
    start = time.monotonic()
    try:
        outcome: object = session.query(filled(attack["program"], attack, folder), LIMIT_S, 1000)
    except HoldfastError as error:
        outcome = error
    assert time.monotonic() - start < PATIENCE_S
    assert sorted(path.name for path in folder.iterdir()) == ["secret.txt"]
    assert MARKER not in repr(outcome)
    if sys.platform == "linux" and session.pid:
        assert peak_megabytes(session.pid) < 300 + 2 * MEMORY_MB  # interpreter and libraries, table and query
        assert open_files(session.pid) <= {"pipe", "/dev/null", "/proc/self/statm"}
    session.forget()  # past the guard, DuckDB lets a table be changed; nothing of it may remain
    session.close()


def open_files(pid: int) -> set[str]:
    links = [os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir()]
    kinds = {re.sub(r":.*", "", link) for link in links}
    return {"/proc/self/statm" if kind.endswith("/statm") else kind for kind in kinds}
