"""What the hash of a module's code depends on."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from holdfast.errors import InputError
from holdfast.trials.closure import _closure, _machinery, closure_hash, code_of, libraries, versions

_NUMBERS = itertools.count()
FILES = {
    "__init__.py": "from PACKAGE.shown import x\ndef lazily():\n    from PACKAGE import unused",
    "shown.py": "x = 1",
    "unused.py": "import scipy",
    "experiment.py": "import numpy.random\nfrom . import parts\nfrom .deep.inner import y\n"
    "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from PACKAGE import types\nelse:\n"
    "    from PACKAGE import real\n"
    "def trial():\n    from PACKAGE.late import z\n    import torch",
    "parts.py": "from holdfast.errors import InputError",
    "types.py": "",
    "real.py": "",
    "late.py": "",
    "other.py": "",
    "deep/__init__.py": "",
    "deep/inner.py": "from .. import cycle\nfrom ..missing import nothing\ny = 1",
    "cycle.py": "from PACKAGE import experiment",
}
INSIDE = {"__init__", "shown", "experiment", "parts", "real", "late", "deep/__init__", "deep/inner", "cycle"}


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Writes the package under a new name, each into a folder of its own, and returns that name."""

    def write(files: dict[str, str] = FILES, name: str = "") -> str:
        name, root = name or f"closed{next(_NUMBERS)}", tmp_path / str(next(_NUMBERS))
        for file, text in files.items():
            path = root / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.replace("PACKAGE", name))
        monkeypatch.syspath_prepend(str(root))
        for cached in (closure_hash, libraries):
            cached.cache_clear()
        return name

    return write


def test_the_closure_is_what_runs(write: Callable[..., str]) -> None:
    name = write()
    found = {
        str(p.with_suffix("")).partition(f"{name}/")[2]
        for m, p in _closure(f"{name}.experiment").items()
        if m.startswith(name)
    }
    assert found == INSIDE
    assert "holdfast.errors" in _closure(f"{name}.experiment")
    assert {"numpy", "torch"} <= libraries(f"{name}.experiment")
    assert "scipy" not in libraries(f"{name}.experiment")


@pytest.mark.parametrize("file", sorted(FILES))
def test_exactly_the_closure_enters_the_hash(write: Callable[..., str], file: str) -> None:
    name = write()
    before = closure_hash(f"{name}.experiment")
    assert write(FILES, name) == name
    assert closure_hash(f"{name}.experiment") == before
    write({**FILES, file: FILES[file] + "\nchanged = 1"}, name)
    assert (closure_hash(f"{name}.experiment") != before) == (file.removesuffix(".py") in INSIDE)


def test_single_files_and_packages_without_init(write: Callable[..., str], tmp_path: Path) -> None:
    name = write({"experiment.py": "from PACKAGE import b", "b.py": "", "c.py": ""})
    assert {m for m in _closure(f"{name}.experiment") if m.startswith(name)} == {f"{name}.experiment", f"{name}.b"}
    (tmp_path / "alone_here.py").write_text("import json")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(tmp_path))
        assert list(_closure("alone_here")) == ["alone_here"]


def test_the_machinery_that_gives_out_randomness_and_stages_is_part_of_every_hash() -> None:
    assert {"holdfast.experiment.run", "holdfast.trials.streams", "holdfast.trials.stages"} <= set(_machinery())
    assert "holdfast.trials.executors" not in _machinery()


@pytest.mark.parametrize(
    "same",
    [
        "# at the top\n'''Another docstring.'''\nx = 'a # b'\ndef f(y):\n    return y + 1\n"
        "class C:\n    z = '''q\n \n'''\n",
        "x = 'a # b'   # why\n\n\n\ndef f(y):\n    '''Says\n\n    more.'''\n    # and more\n    return y + 1\n\n"
        "class C:\n    'é: bytes are no columns'; z = '''q\n \n'''  # z\n",
    ],
)
def test_comments_and_docstrings_are_no_code(same: str) -> None:
    code = "x = 'a # b'\ndef f(y):\n    return y + 1\nclass C:\n    z = '''q\n \n'''\n"
    assert code_of(same.encode()).replace("     z", "    z") == code_of(code.encode())


@pytest.mark.parametrize(
    "change", [("'a # b'", "'a # c'"), ("y + 1", "y + 2"), ("q\n \n", "q\n\n"), ("q\n \n", "q\n"), ("def f", "def g")]
)
def test_code_and_texts_are(change: tuple[str, str]) -> None:
    code = "x = 'a # b'\ndef f(y):\n    return y + 1\nclass C:\n    z = '''q\n \n'''\n"
    assert change[0] in code
    assert code_of(code.replace(*change).encode()) != code_of(code.encode())


def test_a_comment_changes_no_hash_and_a_number_does(write: Callable[..., str]) -> None:
    text = "'''What it is.'''\nx = 1  # one\n"
    before = closure_hash(f"{write({'__init__.py': '', 'm.py': text}, name='commented')}.m")
    said = text.replace("What it is", "In other words").replace("one", "the first")
    assert closure_hash(f"{write({'__init__.py': '', 'm.py': said}, name='commented')}.m") == before
    assert closure_hash(f"{write({'__init__.py': '', 'm.py': text.replace('1', '2')}, name='commented')}.m") != before


def test_what_is_no_python_is_hashed_as_it_is() -> None:
    assert code_of(b"def (\n# comment") == "def (\n# comment"


@pytest.mark.parametrize("module", ["not_there_at_all", "holdfast.not_there", "__main__", "math"])
def test_no_source_no_hash(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", None)  # as in a script or a notebook
    with pytest.raises(InputError, match="must have a source file"):
        closure_hash(module)


def test_versions_are_read_without_importing() -> None:
    assert set(versions()) == {"python", "numpy", "scipy", "scikit-learn", "torch"}
