"""What is mutated of a system, and which of its tests are asked first."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from holdfast.errors import InputError
from mutants.mutations import Mutation, mutations
from mutants.scope import MODULE

SYSTEMS = Path("src/holdfast/systems")
TESTS = Path("tests/systems")


@dataclass(frozen=True)
class Room:
    """A system in a tree.

    Args:
        root: of the tree.
        system: its id.
        names: files of its folder to mutate, relative to that; none = `method.py`, or all of `method/`.

    Raises:
        InputError: there is no such system, no tests of it, no such file, or nothing of the name `method`.
    """

    root: Path
    system: str
    names: Sequence[str] = ()

    def __post_init__(self) -> None:
        if not re.fullmatch(r"\w+", self.system) or not (self.root / SYSTEMS / self.system).is_dir():
            raise InputError("system", f"must be a folder of {SYSTEMS}", self.system)
        if not self.tests:
            raise InputError("system", f"must have tests in {TESTS}", self.system)
        folder = (self.root / self.folder).resolve()
        for name in self.names:
            path = (folder / name).resolve()
            if not path.is_relative_to(folder) or not path.is_file() or path.suffix != ".py":
                raise InputError("modules", f"must be Python files of {self.folder}", name)
        if not self.modules:
            rule = 'has neither method.py nor method/: name what holds its mathematics by MODULES="losses.py maps.py"'
            raise InputError(self.system, rule)

    @property
    def folder(self) -> Path:
        """Of the system, relative to the root."""
        return SYSTEMS / self.system

    @property
    def modules(self) -> list[Path]:
        """The files to mutate, relative to the system's folder."""
        if self.names:
            return list(dict.fromkeys(Path(name) for name in self.names))
        folder = self.root / self.folder
        return [
            path.relative_to(folder) for path in [*folder.glob("method.py"), *sorted(folder.glob("method/**/*.py"))]
        ]

    @property
    def tests(self) -> list[Path]:
        """The files of its tests, relative to the root."""
        return sorted(path.relative_to(self.root) for path in (self.root / TESTS / self.system).rglob("test_*.py"))

    def mutations(self) -> list[Mutation]:
        """Every mutant of the modules."""
        folder = self.root / self.folder
        return [m for name in self.modules for m in mutations((folder / name).read_text(encoding="utf-8"), name)]

    def import_name(self, module: Path) -> str:
        """What a module is called in `import`."""
        parts = (self.folder / module).relative_to("src").with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    def tests_for(self, m: Mutation) -> list[Path]:
        """All test files, those first that name the function and most else of its module."""
        function = set() if m.function == MODULE else {w for w in m.function.split(".") if not w.startswith("__")}
        public, module = self._public(m.module), self.import_name(m.module)

        def rank(path: Path) -> tuple[int, int, bool]:
            text = (self.root / path).read_text(encoding="utf-8")
            used = set(re.findall(r"\w+", text))
            return -len(function & used), -len(public & used), module not in text

        return sorted(self.tests, key=rank)

    def _public(self, module: Path) -> set[str]:
        """Names that the system's `__init__.pyi` takes from a module."""
        stub = self.root / self.folder / "__init__.pyi"
        if not stub.is_file():
            return set()
        name, body = ".".join(module.with_suffix("").parts), ast.parse(stub.read_text(encoding="utf-8")).body
        imports = [node for node in body if isinstance(node, ast.ImportFrom) and node.module == name]
        return {alias.name for node in imports for alias in node.names}


__all__ = ["Room"]
