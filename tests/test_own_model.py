"""Functions of the user's own: found in modules and files, and said by name where they fail."""

import sys
import sysconfig
from pathlib import Path

import pytest
from torch import nn

from holdfast.errors import InputError
from holdfast.own_model import built, called, own_function, without_arguments

MODELS = """
from torch import nn
import neighbour

class Nets:
    @staticmethod
    def line(width):
        return nn.Linear(neighbour.INPUTS, width)

def build(width):
    return Nets.line(width)

def broken(width):
    return nn.Linear(width, width / 2)

def number(width):
    return width

SIZE = 3
"""


@pytest.fixture
def models(tmp_path: Path) -> Path:
    (tmp_path / "neighbour.py").write_text("INPUTS = 5")
    (tmp_path / "random.py").write_text(MODELS)  # as a module of Python's is called
    (tmp_path / "fails.py").write_text("import sys\nsys.exit('no')")
    (tmp_path / "typo.py").write_text("def f(:")
    return tmp_path


def test_a_file_is_read_whatever_it_is_called(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build = own_function(f"{models / 'random.py'}:build")
    assert build(7).weight.shape == (7, 5)
    monkeypatch.chdir(models)
    assert own_function("random.py:build") is build  # read once
    assert own_function("random.py:Nets.line", models)(2).weight.shape == (2, 5)
    assert own_function("random:Random").__module__ == "random"


def test_files_of_the_user_do_not_stand_in_for_pythons_own(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every later import would get them, and every worker: a random.py beside the models broke all trials."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    (models / "found_beside.py").write_text("def f(): return 4")
    own_function(f"{models / 'random.py'}:build")
    own_function("found_beside:f", models)
    assert sys.path.count(str(models)) == 1
    before = [sysconfig.get_path("stdlib"), str(models)]
    assert [p for p in sys.path if p in before] == before


def test_a_module_is_found_in_the_folder(models: Path) -> None:
    (models / "found_in_folder.py").write_text("def f(): return 4")
    assert own_function("found_in_folder:f", models)() == 4


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("nowhere", "must be module:function or file.py:function"),
        (":f", "must be module:function"),
        ("no_such_module:f", "can be imported .ModuleNotFoundError"),
        ("none.py:f", "must name a file that is there"),
        ("fails.py:f", "can be imported .SystemExit: no"),
        ("typo.py:f", "can be imported .SyntaxError"),
        ("random.py:absent", "must name a function of random.py"),
        ("random.py:Nets.absent", "must name a function of random.py"),
        ("random.py:SIZE", "random.py:SIZE, which is int"),
    ],
)
def test_what_names_no_function_is_refused_in_one_line(models: Path, reference: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as e:
        own_function(reference, models, "network")
    assert e.value.argument == "network"
    assert "\n" not in str(e.value)


def test_a_failing_builder_is_named_with_its_place_and_cause(models: Path) -> None:
    broken = own_function("random.py:broken", models)
    with pytest.raises(
        InputError, match=r"builder: must not fail; received broken\(8\).*TypeError.*random\.py, line 14"
    ) as e:
        built(broken, 8, argument="builder")
    assert isinstance(e.value.__cause__, TypeError)
    with pytest.raises(InputError, match=r"batch: must not fail; received <lambda>\(\), which raised KeyError"):
        called(lambda: {}["x"], argument="batch")


def test_errors_in_the_users_terms_and_full_memory_pass_through() -> None:
    def fails(error: BaseException) -> None:
        raise error

    for error in (InputError("width", "must be even", 3), MemoryError(), KeyboardInterrupt()):
        with pytest.raises(type(error)) as e:
            called(fails, error)
        assert e.value is error


def test_a_builder_gives_a_module(models: Path) -> None:
    assert isinstance(built(nn.Linear, 3, 4), nn.Linear)
    with pytest.raises(InputError, match=r"must return a torch\.nn\.Module; received int"):
        built(own_function("random.py:number", models), 8)


def test_functions_without_arguments() -> None:
    assert without_arguments(dict, "m:f", "batch")() == {}
    with pytest.raises(InputError, match=r"batch: must be a function without arguments .*'x'.*; received m:f"):
        without_arguments(lambda x: x, "m:f", "batch")
