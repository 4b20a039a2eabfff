"""Campaigns over a toy system in a tree of its own."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from holdfast.errors import HoldfastError, InputError
from mutants.__main__ import main
from mutants.campaign import Campaign, Tried
from mutants.copies import Copy, Processes
from mutants.mutations import drawn
from mutants.room import Room

if os.name == "nt":
    pytest.skip("process groups are those of POSIX", allow_module_level=True)

METHOD = """\
BEST = (70, 80)[11 - 11]


def tested(a, b):
    return a + b


def forgotten(a, b):
    return a * b
"""
TESTS = """\
import holdfast.systems.toy.method as m


def test_sum():
    assert m.tested(20, 30) == 50
"""
HANGS = "import time\n\n\ndef tested(a, b):\n    while a != a:\n        time.sleep(64)\n    return 50\n"


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tree with the system `toy`; temporary folders lie beside it."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # starts in half the time
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    root = tmp_path / "tree"
    for path, text in {
        "src/holdfast/__init__.py": "",
        "src/holdfast/systems/toy/method.py": METHOD,
        "tests/systems/toy/test_toy.py": TESTS,
        ".git/HEAD": "ref",
        "build/large": "x",
    }.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


def content(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


# ---------------------------------------------------------------------------------------------------------- a campaign
def test_what_tests_notice_is_killed_what_they_do_not_survives_and_what_is_no_module_is_replaced(tree, capsys) -> None:
    every = Room(tree, "toy").mutations()
    assert {m.new for m in every} == {"BEST = (70, 80)[11 + 11]", "return a - b", "return a / b"}
    seed = next(s for s in range(99) if "BEST" in next(drawn(every, s)).new)
    before = content(tree)
    code = main(["toy", "--count", "2", "--seed", str(seed), "--jobs", "2"], tree)
    assert code == 1
    assert content(tree) == before
    assert not list((tree.parent / "temporary").iterdir())
    out = capsys.readouterr().out
    where = "src/holdfast/systems/toy/method.py"
    assert f"     {where}:1  operator in the module itself: cannot be imported, and is replaced by another\n" in out
    assert f"{where}:5  operator in tested: killed by tests/systems/toy/test_toy.py::test_sum\n" in out
    assert "       - return a + b\n       + return a - b\n" in out
    assert f"{where}:9  operator in forgotten: SURVIVED\n" in out
    assert out.endswith("1 of 2 killed (50 %)\n")


def test_enough_killed_is_exit_code_0_and_a_list_runs_nothing(tree, capsys) -> None:
    (tree / "src/holdfast/systems/toy/method.py").write_text(METHOD.split("\n\n\ndef forgotten")[0] + "\n")
    assert main(["toy", "--jobs", "1"], tree) == 0
    assert capsys.readouterr().out.endswith("1 of 1 killed (100 %)\n")
    assert main(["toy", "--list"], tree) == 0
    listed = capsys.readouterr().out
    assert "operator in tested\n" in listed
    assert "killed" not in listed


def test_a_mutant_that_hangs_is_killed_by_the_time_limit(tree) -> None:
    method = tree / "src/holdfast/systems/toy/method.py"
    method.write_text(HANGS)
    (one,) = Campaign(Room(tree, "toy"), patience=0.0).run()
    assert (one.mutation.new, one.verdict, one.by) == ("while a == a:", "killed", "the time limit")


def test_a_mutant_that_its_tests_cannot_import_is_killed(tree) -> None:
    (tree / "tests/systems/toy/test_toy.py").write_text(f"{TESTS}\n\ntest_sum()\n")
    (one,) = [one for one in Campaign(Room(tree, "toy")).run() if one.mutation.new == "return a - b"]
    assert (one.verdict, one.by) == ("killed", "the import of tests/systems/toy/test_toy.py")


def test_stopping_in_the_middle_leaves_no_copy_and_no_mutant(tree) -> None:
    before = content(tree)
    running = Campaign(Room(tree, "toy"), jobs=2).run()
    assert isinstance(next(running), Tried)
    assert list((tree.parent / "temporary").iterdir())
    running.close()
    assert not list((tree.parent / "temporary").iterdir())
    assert content(tree) == before


def test_tests_must_pass_without_a_mutant(tree, capsys) -> None:
    (tree / "tests/systems/toy/test_toy.py").write_text(TESTS.replace("== 50", "== 51"))
    assert main(["toy"], tree) == 2
    wanted = "mutants: without a mutant the tests fail: tests/systems/toy/test_toy.py::test_sum\n"
    assert capsys.readouterr().err == wanted


def test_tests_that_are_all_slow_are_no_fast_tests(tree) -> None:
    slow = "import pytest\npytestmark = pytest.mark.slow\n" + TESTS
    (tree / "tests/systems/toy/test_toy.py").write_text(slow)
    with pytest.raises(HoldfastError, match="toy has no fast tests"):
        list(Campaign(Room(tree, "toy")).run())


def test_mutants_that_would_not_be_imported_are_noticed(tree) -> None:
    """As where the package is installed from elsewhere in a way that comes first."""
    elsewhere = tree / "elsewhere.py"
    elsewhere.write_text("")
    method = tree / "src/holdfast/systems/toy/method.py"
    method.write_text(f"__file__ = {str(elsewhere)!r}\n{METHOD}")
    with pytest.raises(HoldfastError, match="and not from the copy"):
        list(Campaign(Room(tree, "toy")).run())


def test_the_copy_has_what_tests_need_and_nothing_hidden_or_built(tree) -> None:
    copy = Copy(Room(tree, "toy"), tree.parent / "copy", Processes())
    assert set(content(copy.root)) == {path for path in content(tree) if not path.startswith((".git", "build"))}


# -------------------------------------------------------------------------------------------------------------- a room
def test_a_room_s_modules_are_method_or_what_is_named(tree) -> None:
    folder = tree / "src/holdfast/systems/toy"
    (folder / "maps.py").write_text("")
    assert Room(tree, "toy").modules == [Path("method.py")]
    assert Room(tree, "toy", ["maps.py", "./maps.py"]).modules == [Path("maps.py")]
    (folder / "method.py").unlink()
    with pytest.raises(InputError, match=r'^toy: has neither method.py nor method/.* MODULES="'):
        Room(tree, "toy")
    (folder / "method").mkdir()
    for name in ("__init__", "two", "one"):
        (folder / "method" / f"{name}.py").write_text("")
    room = Room(tree, "toy")
    assert room.modules == [Path("method/__init__.py"), Path("method/one.py"), Path("method/two.py")]
    names = ["holdfast.systems.toy.method", "holdfast.systems.toy.method.one", "holdfast.systems.toy.method.two"]
    assert [room.import_name(module) for module in room.modules] == names


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["none"], "mutants: system: must be a folder of src/holdfast/systems; received none\n"),
        (["../toy"], "mutants: system: must be a folder of src/holdfast/systems; received ../toy\n"),
        (["bare"], "mutants: system: must have tests in tests/systems; received bare\n"),
        (["toy", "--modules", "a.py"], "modules: must be Python files of src/holdfast/systems/toy; received a.py\n"),
        (["toy", "--modules", "../bare/x.py"], "received ../bare/x.py\n"),
        (["toy", "--count", "0"], "mutants: count: must be at least 1; received 0\n"),
        (["toy", "--jobs", "0"], "mutants: jobs: must be at least 1; received 0\n"),
    ],
)
def test_what_cannot_be_mutated_is_said_in_one_line(tree, capsys, words, message) -> None:
    (tree / "src/holdfast/systems/bare").mkdir()
    (tree / "src/holdfast/systems/bare/x.py").write_text("a + b")
    assert main(words, tree) == 2
    said = capsys.readouterr().err
    assert said.endswith(message)
    assert said.count("\n") == 1


def test_nothing_to_mutate_is_said(tree, capsys) -> None:
    (tree / "src/holdfast/systems/toy/method.py").write_text("def tested(a, b):\n    return 50\n")
    assert main(["toy"], tree) == 2
    assert capsys.readouterr().err == "mutants: nothing can be mutated in method.py\n"


def test_files_that_use_the_function_and_its_module_come_first(tree) -> None:
    folder = tree / "tests/systems/toy"
    (tree / "src/holdfast/systems/toy/__init__.pyi").write_text("from .method import tested as tested\n")
    (folder / "test_a.py").write_text("import holdfast.systems.toy.cli")
    (folder / "test_b.py").write_text("from holdfast.systems.toy.method import BEST")
    (folder / "test_c.py").write_text("from holdfast.systems.toy import tested")
    (folder / "test_d.py").write_text("forgotten()")
    room = Room(tree, "toy")
    (mutant,) = [m for m in room.mutations() if m.function == "forgotten"]
    found = [path.name for path in room.tests_for(mutant)]
    assert found == ["test_d.py", "test_toy.py", "test_c.py", "test_b.py", "test_a.py"]
