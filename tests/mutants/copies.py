"""Copies of the tree in which tests run against mutants: whatever happens, none gets into the tree itself."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from holdfast.errors import HoldfastError
from mutants.mutations import Mutation
from mutants.room import Room

LEFT_OUT = ("site", "build", "dist", "holdfast-runs")  # of a tree's top; and whatever is hidden


@dataclass(frozen=True)
class Ended:
    """How a run of the tests ended.

    Attributes:
        code: of pytest; None = it was stopped at the time limit.
        failed: the first test that failed, or its file if that could not be imported; "" if there is none.
        output: of pytest.
    """

    code: int | None
    failed: str
    output: str

    @property
    def by(self) -> str:
        """What made it end before its end, in words."""
        if self.code is None:
            return "the time limit"
        if not self.failed:
            return f"the end of the tests' process ({self.code})"
        return self.failed if "::" in self.failed else f"the import of {self.failed}"


class Processes:
    """Processes that all end when asked to, each with what it started."""

    def __init__(self) -> None:
        self._live: set[subprocess.Popen[str]] = set()
        self._lock, self._stopped = threading.Lock(), False

    def python(self, words: Sequence[str], folder: Path, limit: float | None) -> tuple[int | None, str]:
        """Exit code (None: stopped after `limit` seconds) and output of Python, which imports from `folder`/src."""
        # No bytecode: two mutants of the same length within a second would have the same one.
        changes = {"PYTHONPATH": str(folder / "src"), "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "1000"}
        changes |= {name: str(Path(path).resolve()) for name, path in os.environ.items() if name == "HOLDFAST_DATA"}
        with self._lock:
            if self._stopped:
                raise HoldfastError("stopped")
            process = subprocess.Popen(
                [sys.executable, *words],
                cwd=folder,
                env={**os.environ, **changes},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                start_new_session=True,
            )
            self._live.add(process)
        with process:
            try:
                output, _ = process.communicate(timeout=limit)
                return process.returncode, output
            except subprocess.TimeoutExpired:
                return None, ""
            finally:
                with self._lock:
                    self._live.discard(process)
                _end(process)

    def stop(self) -> None:
        """End them; none starts afterwards."""
        with self._lock:
            self._stopped = True
            for process in self._live:
                _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


class Copy:
    """A copy of a tree.

    Args:
        room: the system, in the tree to copy.
        root: of the copy; made here.
        processes: where its tests run.
    """

    def __init__(self, room: Room, root: Path, processes: Processes) -> None:
        top = room.root

        def left_out(folder: str, names: list[str]) -> set[str]:
            at_top = set(LEFT_OUT) if Path(folder) == top else set()
            return {name for name in names if name.startswith(".") or name == "__pycache__" or name in at_top}

        shutil.copytree(top, root, ignore=left_out, symlinks=True)
        self.room, self.root, self._processes = Room(root, room.system, room.names), root, processes

    @contextmanager
    def mutated(self, m: Mutation) -> Iterator[None]:
        """With the mutant in it."""
        path = self.root / self.room.folder / m.module
        source = path.read_text(encoding="utf-8")
        path.write_text(m.edit.of(source), encoding="utf-8")
        try:
            yield
        finally:
            path.write_text(source, encoding="utf-8")

    def test(self, files: Sequence[Path], limit: float | None = None) -> Ended:
        """Run the fast tests of these files, up to the first that fails."""
        options = ["-m", "not slow", "-x", "-q", "-rfE", "--tb=line", "-p", "no:cacheprovider"]
        code, output = self._processes.python(["-m", "pytest", *options, *map(str, files)], self.root, limit)
        failed = re.search(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", output, re.MULTILINE)
        return Ended(code, failed[1] if failed else "", output)

    def imports(self, module: Path) -> bool:
        """Whether a module can be imported.

        Raises:
            HoldfastError: another tree's is: mutants would not be seen.
        """
        name = self.room.import_name(module)
        words = ["-c", f"import {name} as m; print('it is', m.__file__)"]
        code, output = self._processes.python(words, self.root, None)
        where = re.search(r"^it is (.+)$", output, re.MULTILINE)
        if where and not Path(where[1]).resolve().is_relative_to(self.root.resolve()):
            raise HoldfastError(f"{name} is imported from {where[1]} and not from the copy with the mutants")
        return code == 0


__all__ = ["Copy", "Ended", "Processes"]
