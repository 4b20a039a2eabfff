"""Options from signatures and docstrings that are read and not imported."""

from __future__ import annotations

import importlib
import inspect
import re
import subprocess
import sys
import typing
from pathlib import Path

import pytest

import holdfast
from holdfast import catalogue
from holdfast.verbs import Verbs
from holdfast.verbs.parameters import Parameters

SYSTEMS = [s.id for s in catalogue.find().systems.values() if s.has_cli and isinstance(s.cli(), Verbs)]
ROOT = Path(holdfast.__file__).parent
USED = sorted(
    {
        where
        for path in ROOT.rglob("*.py")
        if path.parent.name != "verbs" or "systems" in path.parts
        for where in re.findall(r'Parameters\("([\w.]+:\w+)"\)', path.read_text(encoding="utf-8"))
    }
)
SOURCE = '''
"""Imports what is not there."""
import absent_library
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Settings:
    """Some.

    Args:
        steps: of the optimiser. More is
            better.
        rate, decay: of learning; None = none.

    Attributes:
        name: "one" or "two". Chosen by nobody.
        size: of it, 0 .. 9; more than 9 is refused.

    Example:
        >>> steps: this is no entry
    """

    steps: int = 3
    rate: float | None = 0.5
    decay: "float | None" = None
    name: Literal["one", "two"] = "one"
    size: int = -2
    made: absent_library.Thing = absent_library.Thing()
    undocumented: int = 1


class Estimator:
    """Learns.

    Args:
        depth: how deep; None = by the data. More than 9 is slow.
        shape: (rows, columns). None = a square. It matters little.
        part: "small", or a module.
    """

    def __init__(
        self, needed, depth: int | None = None, *,
        shape: tuple[int, int] | None = None, part: str | absent_library.Module = "small",
    ):
        """Start.

        Args:
            needed: must be given.
        """


def check(x, lr: float = 1e-2, names: list[str] | None = None, flag: bool = False):
    """Checks.

    Args:
        lr: a large rate shows mistakes sooner
        names: of layers.
        flag: whether.
    """
'''


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "unimportable_settings.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(str(tmp_path))
    return "unimportable_settings"


def test_types_defaults_and_help_of_dataclasses_classes_and_functions(module: str) -> None:
    settings, estimator, check = (Parameters(f"{module}:{name}") for name in ("Settings", "Estimator", "check"))
    found = {
        name: (d.type, d.default, d.help) for of in (settings, estimator, check) for name, d in of.declared.items()
    }
    nothing = inspect.Parameter.empty
    assert found == {
        "steps": (int, 3, "Of the optimiser."),
        "rate": (float | None, 0.5, "Of learning."),
        "decay": (None, None, "Of learning; default: none."),  # an annotation in quotes is not read
        "name": (str, "one", "one or two."),
        "size": (int, -2, "Of it, 0 .. 9; more than 9 is refused."),
        "made": (None, nothing, ""),
        "undocumented": (int, 1, ""),
        "needed": (None, nothing, "Must be given."),
        "depth": (int | None, None, "How deep; default: by the data."),
        "shape": (tuple[int, int] | None, None, "(rows, columns). Default: a square."),
        "part": (str, "small", "small, or a module."),
        "x": (None, nothing, ""),
        "lr": (float, 0.01, "A large rate shows mistakes sooner."),
        "names": (list[str] | None, None, "Of layers."),
        "flag": (bool, False, "Whether."),
    }
    assert module not in sys.modules


@pytest.mark.parametrize(
    ("where", "name", "words"),
    [
        ("Settings", "made", "must have a default that is a literal"),
        ("Settings", "undocumented", "the docstring must say what 'undocumented' is"),
        ("Settings", "absent", "there is no parameter 'absent'"),
        ("Settings", "decay", "of a type that no option can have"),
        ("Estimator", "needed", "must have a default"),
        ("Absent", "x", "no such class or function"),
    ],
)
def test_what_cannot_be_an_option_is_told_to_the_author(module: str, where: str, name: str, words: str) -> None:
    with pytest.raises(TypeError, match=words):
        Parameters(f"{module}:{where}").options(name)


def test_a_module_that_is_not_there() -> None:
    with pytest.raises(TypeError, match="no such module"):
        Parameters("holdfast.absent:X").options("x")


def test_the_verbs_of_systems_use_it() -> None:
    assert any("adamatch" in where for where in USED)


@pytest.mark.parametrize("where", USED)
def test_what_is_read_is_what_python_has(where: str) -> None:
    """Against the imported class or function itself."""
    module, _, name = where.partition(":")
    found = getattr(importlib.import_module(module), name)
    signature = inspect.signature(found)
    hints = typing.get_type_hints(found.__init__ if isinstance(found, type) else found)
    read = Parameters(where).declared
    compared = 0
    for parameter in signature.parameters.values():
        mine = read[parameter.name]
        if mine.default is not inspect.Parameter.empty:
            assert (mine.default, type(mine.default)) == (parameter.default, type(parameter.default))
            compared += 1
        if mine.type is not None and mine.default is not inspect.Parameter.empty:
            simple = {kind for kind in typing.get_args(mine.type) or [mine.type] if not typing.get_args(kind)}
            hint = hints[parameter.name]
            allowed = {hint, *typing.get_args(hint)}
            if typing.get_origin(hint) is typing.Literal:
                allowed |= {type(choice) for choice in typing.get_args(hint)}
            assert simple <= allowed
    assert compared


def test_the_verbs_of_several_systems_are_known() -> None:
    assert {"adamatch", "mutransfer", "nonstationary_meta"} <= set(SYSTEMS)


@pytest.mark.parametrize("system", SYSTEMS)
def test_help_needs_none_of_the_heavy_libraries(system: str) -> None:
    code = f"""
import sys
import typer
from typer.testing import CliRunner
from holdfast.systems.{system}.cli import app
for verb in typer.main.get_group(app).commands:
    done = CliRunner().invoke(app, [verb, "--help"])
    assert done.exit_code == 0, done.output
print([name for name in ("torch", "numpy", "pandas", "pyarrow", "matplotlib") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
