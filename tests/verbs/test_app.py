"""Functions as verbs: options that come in groups, and errors in terms of what the user typed."""

from __future__ import annotations

import errno
import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from holdfast import verbs
from holdfast.errors import InputError, Stopped
from holdfast.verbs.naming import in_options

CLASSIFIER = verbs.Parameters("holdfast.systems.adamatch.estimator:AdaMatchClassifier")


@dataclass(frozen=True)
class Limits:
    """A group of options."""

    max_rows: Annotated[int, typer.Option(min=1, help="Rows at most.")]
    max_cost: Annotated[float | None, typer.Option(help="Money at most.")] = None

    def __post_init__(self) -> None:
        if self.max_rows == 7:
            raise InputError("max_rows", "must not be 7", 7)


app = verbs.Verbs("Toy verbs.")
called: dict[str, Any] = {}


@app.verb(named={"X": "images", "ys": "--source", "question": "words"})
def learn_(
    images: Annotated[Path, typer.Argument()],
    words: Annotated[str, typer.Argument()],
    settings: Annotated[dict[str, Any], CLASSIFIER.options("steps", "uratio", rate="ema", jobs="batch")],
    limits: Limits,
    column: Annotated[str | None, typer.Option("--column", "-c")] = None,
    as_json: Annotated[bool, typer.Option("--json")] = False,
    day_first: Annotated[bool | None, typer.Option("--day-first/--month-first")] = None,
    fails: Annotated[str, typer.Option(hidden=True)] = "",
) -> None:
    """Learn something."""
    called.update(locals())
    if fails:
        raise InputError(fails, "must not be given with ema='none' or other='none'", 3)


@app.verb("other-word", hidden=True)
def warned() -> None:
    """Warn."""
    warnings.warn("two\nlines \x1b[31m", stacklevel=1)


@app.verb()
def stopped() -> None:
    """As Ctrl-C."""
    raise KeyboardInterrupt


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments))


NEEDED = ("learn", "some/images", "why?", "--max-rows", "3")


def test_groups_reach_the_verb_as_one_argument() -> None:
    done = run(*NEEDED, "--steps", "5", "--rate", "0.5", "--max-cost", "1.5")
    assert done.exit_code == 0, done.output
    defaults = {"uratio": 3, "batch": 32}
    assert called["settings"] == {"steps": 5, "ema": 0.5, **defaults}
    assert called["limits"] == Limits(3, 1.5)
    assert (called["images"], called["words"], called["column"]) == (Path("some/images"), "why?", None)


def test_help_shows_defaults_and_texts_of_the_estimator() -> None:
    text = " ".join(run("learn", "--help").output.replace("│", " ").split())
    for words in ("--steps", "Optimiser steps. [default: 1000]", "--rate", "--max-rows", "Rows at most. [required]"):
        assert words in text
    assert "other-word" not in run("--help").output


@pytest.mark.parametrize(
    ("argument", "shown"),
    [
        ("steps", "--steps"),
        ("ema", "--rate"),
        ("batch", "--jobs"),
        ("max_rows", "--max-rows"),
        ("ys", "--source"),
        ("X", "some/images"),
        ("images, row 3", "some/images, row 3"),
        ("ema[2]", "--rate[2]"),
        ("words", "WORDS"),
        ("question", "WORDS"),
        ("column", "--column"),
        ("as_json", "--json"),
        ("day_first", "--day-first"),
        ("images/deeper.csv", "images/deeper.csv"),
        ("steps.csv", "steps.csv"),
        ("--steps", "--steps"),
        ("a file", "a file"),
        ("unheard", "unheard"),
    ],
)
def test_errors_name_what_the_user_typed(argument: str, shown: str) -> None:
    error = run(*NEEDED, "--fails", argument).exception
    assert isinstance(error, InputError)
    assert error.argument == shown
    assert error.rule == "must not be given with --rate none or other='none'"
    assert error.received == 3


def test_errors_of_the_group_itself() -> None:
    error = run("learn", "i", "w", "--max-rows", "7").exception
    assert str(error) == "--max-rows: must not be 7; received 7"


def test_a_received_value_is_not_shown_where_there_is_none() -> None:
    assert str(in_options(InputError("a", "must be given"), {"a": "--a"})) == "--a: must be given"


def test_rules_that_mention_other_arguments() -> None:
    names = {"delta_width": "--delta", "base_width": "--base", "rate": "--rate", "kind": "--kind"}
    error = InputError("delta_width", "must differ from base_width, at any rate, with kind='a-b' and no_such", 64)
    wanted = "--delta: must differ from --base, at any rate, with --kind a-b and no_such; received 64"
    assert str(in_options(error, names)) == wanted


def test_warnings_are_one_line_and_show_is_given_back() -> None:
    before = warnings.showwarning
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        assert run("other-word").stderr == "warning: two lines �[31m\n"
    assert warnings.showwarning is before


def test_a_stop_is_said_once() -> None:
    done = run("stopped")
    assert done.stderr.startswith("stopped\n")
    with pytest.raises(Stopped), verbs.resumable(lambda: True):
        raise KeyboardInterrupt


def test_a_state_beside_the_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "model"
    with pytest.raises(InputError, match="must follow an interrupted run"), verbs.training_state(out, True):
        pass

    def fail(writing: str) -> None:
        with verbs.training_state(out, False) as state:
            (state / writing).mkdir(parents=True)
            (state / writing / "step-1").write_text("1")
            raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        fail(".holdfast-file.1")  # what a killed process was writing
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(OSError, match="disk"):
        fail("process-1")
    with pytest.raises(InputError, match="must be given to continue"), verbs.training_state(out, False):
        pass
    with verbs.training_state(out, True) as state:
        assert (state / "process-1" / "step-1").read_text() == "1"
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "elsewhere").mkdir()
    state.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="must not have a link"), verbs.training_state(out, False):
        pass
    assert capsys.readouterr().err == ""


def test_a_closed_terminal_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone(io.StringIO):
        tried = 0

        def write(self, text: str) -> int:
            self.tried += 1
            raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("sys.stderr", gone := Gone())
    verbs.say("nobody hears this")
    assert gone.tried


def test_json_is_strict(capsys: pytest.CaptureFixture[str]) -> None:
    verbs.show_json(
        {"a": np.array([1.5, np.nan]), 2: (np.int64(3), float("inf")), "p": Path("x"), "n": None, "t": True}
    )
    assert capsys.readouterr().out == '{"a": [1.5, null], "2": [3, null], "p": "x", "n": null, "t": true}\n'


def test_tables_are_read_as_the_options_say(tmp_path: Path) -> None:
    readers = verbs.Verbs("Readers.")

    @readers.verb()
    def count(
        table: Annotated[Path, typer.Argument()],
        reading: verbs.Reading,
        columns: Annotated[list[str] | None, verbs.column_roles("item", "price")] = None,
    ) -> None:
        """Add the prices."""
        from holdfast.data.readers.records import Role, read_records

        found = read_records(table, [Role("item"), Role("price", kind="number")], columns or (), reading)
        verbs.show_json([found["item"].tolist(), found["price"].sum()])

    (tmp_path / "t.csv").write_bytes("Käufe 2024;\nwas;wert\nÄpfel;1.500\nTee;2,5\nn.v.;k.A.\n".encode("cp1252"))
    given = [str(tmp_path / "t.csv"), "--decimal", ",", "--encoding", "cp1252", "--header", "2", "--null", "k.A."]
    roles = ["--column", "item=was", "--column", "price=wert"]
    done = CliRunner().invoke(readers, [*given, "--null", "-", *roles])
    assert isinstance(done.exception, InputError)
    assert "1 cell has none, in row 5" in str(done.exception)
    (tmp_path / "t.csv").write_bytes("Käufe 2024;\nwas;wert\nÄpfel;1.500\nTee;2,5\n".encode("cp1252"))
    assert CliRunner().invoke(readers, [*given, *roles]).stdout == '[["Äpfel", "Tee"], 1502.5]\n'
    for wrong, words in (
        (["--decimal", "x"], "--decimal: must be"),
        (["--encoding", "zip"], "--encoding: must be"),
        (["--header", "-1"], "--header: must be"),
    ):
        assert str(CliRunner().invoke(readers, [*given, *roles, *wrong]).exception).startswith(words)


def test_outputs_are_checked_before_the_work(tmp_path: Path) -> None:
    outputs = verbs.Verbs("Outputs.")

    @outputs.verb()
    def draw(
        out: Annotated[Path | None, verbs.table_out("Table")] = None,
        figure: Annotated[Path | None, verbs.figure_out("Figure")] = None,
        model: Annotated[Path | None, verbs.model_out()] = None,
    ) -> None:
        """Draw."""
        raise AssertionError("no work")

    def refused(*arguments: object) -> str:
        error = CliRunner().invoke(outputs, list(map(str, arguments))).exception
        assert isinstance(error, InputError)
        return str(error)

    assert refused("--out", "a.xls") == "--out: must end in .csv, .tsv or .parquet; received a.xls"
    assert refused("--figure", "a.jpg") == "--figure: must end in one of .png .svg .pdf; received a.jpg"
    (tmp_path / "a.csv").mkdir()
    assert refused("--out", tmp_path / "a.csv").startswith("--out: must be a file or a new name")
    (tmp_path / "notes.txt").write_text("")
    assert "must be new, empty or a saved model" in refused("--model", tmp_path)
