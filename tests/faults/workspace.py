"""A git repository with the faulty system in it, the undisturbed run to compare with, and what must hold afterwards."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

import holdfast

HERE = Path(__file__).parent
LOCKS = (".lock", ".trials.sqlite.lock")  # empty files that stay, so that two processes never lock different ones
UNTIL_S = 180.0
METADATA = "Metadata-Version: 2.1\nName: faulty\nVersion: 1.0\n"


class Lost(AssertionError):
    """A promise was broken."""


def check(what: str, true: object) -> None:
    """Raise `Lost` with these words unless it is true."""
    if not true:
        raise Lost(what)


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    def completed(self) -> str:
        """It must have ended well."""
        check(f"ended with {self.code}: {_end(self.err) or _end(self.out)}", self.code == 0)
        check(f"a traceback: {_end(self.err)}", "Traceback" not in self.err)
        return "completed"

    def refused(self, *names: str) -> str:
        """It must have said in one line, which holds all of `names`, what to do."""
        lines = self.err.strip().splitlines()
        check(f"ended with {self.code}, not 2: {_end(self.err)}", self.code == 2)
        check(f"not one line: {_end(self.err, 400)}", len(lines) == 1 and lines[0].startswith("holdfast: "))
        for name in names:
            check(f"the line does not hold {name!r}: {lines[0]}", name in lines[0])
        return "one line names the file"


def _end(text: str, characters: int = 240) -> str:
    return " ".join(text[-characters:].split())


@dataclass(frozen=True)
class Numbers:
    """What a run left behind, apart from times and memory."""

    records: dict[str, Any]
    verdicts: Any
    files: dict[str, str] = field(repr=False)
    failed: list[str] = field(default_factory=list)


class Workspace:
    """A folder of its own for one fault.

    Args:
        root: made here; may have a strange name.
    """

    def __init__(self, root: Path) -> None:
        self.root, self.repo = root, root / "repo"
        self.package = self.repo / "faulty"
        self.runs = self.repo / "runs"
        shutil.copytree(HERE / "toy", self.package, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(HERE / "disturbance.py", self.repo / "sitecustomize.py")
        self.register("faulty", "faulty")
        (self.repo / ".gitignore").write_text("__pycache__/\nruns/\nholdfast-runs/\nhome/\ntmp/\n")
        for folder in (self.runs, self.repo / "home", self.repo / "tmp"):
            folder.mkdir()
        self.git("init", "-q")
        self.commit("start")

    def register(self, name: str, package: str) -> None:
        """What installing a plugin leaves behind."""
        folder = self.repo / f"{name}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(METADATA.replace("faulty", name))
        (folder / "entry_points.txt").write_text(f"[holdfast.systems]\n{name} = {package}\n")

    def git(self, *arguments: str) -> None:
        who = ("-c", "user.name=t", "-c", "user.email=t@example.org")
        subprocess.run(["git", *who, *arguments], cwd=self.repo, check=True, capture_output=True)

    def commit(self, message: str) -> None:
        self.git("add", "-A")
        self.git("commit", "-qm", message)

    # ------------------------------------------------------------------------------------------------ commands
    def environment(self, **changes: str | None) -> dict[str, str]:
        """Of every command; None takes a variable away."""
        kept = {k: v for k, v in os.environ.items() if k in ("PATH", "LANG", "LC_ALL", "SYSTEMROOT")}
        source = str(Path(holdfast.__file__).parents[1])
        everything: dict[str, str | None] = {
            **kept,
            "PYTHONPATH": os.pathsep.join([str(self.repo), source]),
            "PYTHONDONTWRITEBYTECODE": "1",
            "OMP_NUM_THREADS": "1",
            "HOME": str(self.repo / "home"),
            "TMPDIR": str(self.repo / "tmp"),
            "FAULTY_STARTED": str(self.repo / "tmp"),
            **changes,
        }
        return {name: value for name, value in everything.items() if value is not None}

    def wait_for_python(self, process: subprocess.Popen[bytes]) -> None:
        """Until a command executes code of its own: what happens before that is Python's."""
        mark = self.repo / "tmp" / f"started-{process.pid}"
        until("Python has not started", lambda: mark.exists() or process.poll() is not None)

    def start(
        self,
        *arguments: str | Path,
        env: dict[str, str | None] | None = None,
        before: Callable[[], None] | None = None,
        cwd: Path | None = None,
        program: Sequence[str] = (sys.executable, "-m", "holdfast"),
        **options: Any,
    ) -> subprocess.Popen[bytes]:
        """A command in a process group of its own, which listens to Ctrl-C whatever started the tests."""

        def first() -> None:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            for name in (signal.SIGHUP, signal.SIGTERM, signal.SIGPIPE):
                signal.signal(name, signal.SIG_DFL)
            if before is not None:
                before()

        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL, **options}
        return subprocess.Popen(
            [*program, *map(str, arguments)],
            cwd=cwd or self.repo,
            env=self.environment(**(env or {})),
            start_new_session=True,
            preexec_fn=first,
            **options,
        )

    def command(self, *arguments: str | Path, **options: Any) -> Done:
        """Run a command to its end."""
        return self.end(self.start(*arguments, **options))

    def end(self, process: subprocess.Popen[bytes], within: float = UNTIL_S) -> Done:
        """Wait for a command and for all that it started."""
        try:
            out, err = process.communicate(timeout=within)
        except subprocess.TimeoutExpired as error:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise Lost(f"has not ended within {within:g} s") from error
        return Done(process.returncode, *((b or b"").decode(errors="replace") for b in (out, err)))

    def run(self, folder: Path | str = "out", *more: str, **options: Any) -> Done:
        """`holdfast run` of the faulty system into a folder of the workspace, with two workers."""
        return self.command(*self.run_words(folder, *more), **options)

    def run_words(self, folder: Path | str = "out", *more: str) -> list[str]:
        """The words after `holdfast`."""
        jobs = [] if "--jobs" in more else ["--jobs", "2"]
        scale = [] if "--scale" in more else ["--scale", "small"]
        return ["run", "faulty", *scale, *jobs, "--out", str(self.runs / folder), *more]

    # --------------------------------------------------------------------------------------------- afterwards
    def numbers(self, folder: Path | str = "out") -> Numbers:
        """What is in a run's folder. Reads the store as SQLite does, without holdfast."""
        where = self.runs / folder
        db = sqlite3.connect(f"{(where / 'trials.sqlite').as_uri()}?mode=ro&immutable=1", uri=True)
        rows = db.execute("SELECT key, status, record FROM trials").fetchall()
        db.close()
        records: dict[str, Any] = {}
        failed: list[str] = []
        for key, status, text in rows:
            check(f"a trial is there twice: {key}", key not in records)
            record = json.loads(text)
            if status != "ok":
                failed.append(key)
                continue
            record["cost"] = {k: v for k, v in record["cost"].items() if k == "guesses"}
            records[key] = record
        results = json.loads((where / "results.json").read_text(encoding="utf-8"))
        return Numbers(records, results["verdicts"], _files(where), failed)

    def same(self, as_in: Numbers, folder: Path | str = "out", *, second_look: bool = False) -> None:
        """Every finished trial exactly once, all numbers bit-equal, every file whole, and none left over.

        Args:
            second_look: trials failed at first, so that claims may have asked for further replicates.
        """
        found = self.numbers(folder)
        check(f"trials that did not end well: {found.failed[:3]}", second_look or not found.failed)
        for name in ("records", "files"):
            ours, theirs = getattr(found, name), getattr(as_in, name)
            more, fewer = ours.keys() - theirs.keys(), theirs.keys() - ours.keys()
            if second_look:
                more = {m for m in more if "/." in m or m.startswith(".")}
            check(f"{name} too many: {sorted(more)[:3]}", not more)
            check(f"{name} missing: {sorted(fewer)[:3]}", not fewer)
            differing = [key for key in theirs if ours[key] != theirs[key]]
            check(f"{name} that differ: {differing[:3]}", not differing)
        check("verdicts differ", found.verdicts == as_in.verdicts)

    @contextmanager
    def nothing_left_running(self, within: float = 5.0) -> Iterator[None]:
        """After the block no process of this workspace is alive."""
        yield
        until(f"a process still runs after {within:g} s", lambda: not self.processes(), within)

    def processes(self) -> list[psutil.Process]:
        """All that were started with this workspace's environment and still run."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error, OSError):
                mine = f"PYTHONPATH={self.repo}".encode() in Path(f"/proc/{process.pid}/environ").read_bytes()
                if mine and process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found

    def remove(self) -> None:
        """End what still runs, and remove the folder."""
        for process in self.processes():
            with suppress(psutil.Error):
                process.kill()
        shutil.rmtree(self.root, ignore_errors=True)


def _files(folder: Path) -> dict[str, str]:
    """Relative path -> digest of the content, or "" where the content holds times."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_dir() or path.name in LOCKS or (path.name.endswith(".lock") and name.startswith("stages/.")):
            continue
        timeless = name.startswith("artifacts/") or (name.startswith("stages/") and path.name != "stage.json")
        found[name] = hashlib.sha256(path.read_bytes()).hexdigest() if timeless else ""
    return found


def until(what: str, true: Callable[[], object], within: float = UNTIL_S) -> None:
    """Wait until it is true; `Lost` with these words otherwise."""
    end = time.monotonic() + within
    while not true():
        check(what, time.monotonic() < end)
        time.sleep(0.01)
