"""Verbs as a user sees them: on a terminal, in a pipe, stopped and started again, with a disk that is full."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from terminal import HIDDEN, SHOWN, in_foreground, on_terminal
from toy_system import ToySystem, installed

VERBS = '''
import sys, time
from pathlib import Path
from typing import Annotated

import typer

from holdfast import verbs
from holdfast.verbs import bars as module

app = verbs.Verbs("Toy verbs.")


@app.verb()
def work(
    out: Annotated[Path, typer.Option()],
    until: Annotated[int, typer.Option()] = 8,
    resume: verbs.Resume = False,
    quiet: verbs.Quiet = False,
) -> None:
    """Count; a third of the way there is something to go on from."""
    with verbs.training_state(out, resume) as state, verbs.progress("Counting", quiet) as show:
        kept = state / "step-3"
        for i in range(3 if kept.exists() else 0, 8):
            if i == 3 and not kept.exists():
                state.mkdir(exist_ok=True)
                kept.write_text("3")
            show(i, 8)
            if i == until:
                print("waiting", flush=True)
                time.sleep(60)
        out.write_text("done")
    verbs.say("counted to 8")


@app.verb()
def rows(out: Annotated[Path, verbs.table_out("Table to write")], count: Annotated[int, typer.Option()] = 3) -> None:
    """Write a table."""
    verbs.write_table(out, {"name": [f"row [{i}]" for i in range(count)], "x": [i / 3 for i in range(count)]})
    note = "\\x1b[31m, some more words"
    verbs.show_table(("name", "x", "note"), [(f"[b]{i}", i / 3, note) for i in range(count)], "rows")


@app.verb()
def wait(log: Annotated[bool, typer.Option()] = False) -> None:
    """Nothing to go on from."""
    print("waiting", flush=True)
    time.sleep(60)


@app.verb()
def slow() -> None:
    """As if it took a minute."""
    now = iter(range(0, 6000, 4))
    module.time = type("Clock", (), {"monotonic": lambda: next(now)})
    with verbs.progresses() as show:
        for i in range(8):
            show("first", min(i, 4), 4)
            show("second", i)
'''


@pytest.fixture
def program(toy: ToySystem) -> tuple[list[str], dict[str, str]]:
    (toy.package / "cli.py").write_text(VERBS)
    words, environment = installed(toy)
    return [*words, toy.name], environment


def test_a_bar_on_a_terminal_and_ctrl_c_with_and_without_a_state(program, tmp_path: Path) -> None:
    command, environment = program
    work = [*command, "work", "--out", "model"]
    with on_terminal([*work, "--until", "1"], tmp_path, environment) as shown:
        shown.wait_for("waiting")
        shown.wait_for("1 of 8")
        shown.press("\x03")
        assert shown.ends() == 130
    assert "stopped; there is no state yet that --resume could continue from" in shown.text
    assert shown.text.rfind(HIDDEN) < shown.text.rfind(SHOWN)
    assert list(tmp_path.glob(".model*")) == []

    with on_terminal([*work, "--until", "5"], tmp_path, environment) as shown:
        shown.wait_for("waiting")
        shown.press("\x03")
        assert shown.ends() == 130
    assert shown.text.count("stopped") == 1
    assert "stopped; the same command with --resume continues" in shown.text
    assert "interrupted" not in shown.text

    done = subprocess.run(work, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "--resume: must be given to continue" in done.stderr
    assert (tmp_path / ".model.training" / "step-3").exists()

    with on_terminal([*work, "--resume"], tmp_path, environment) as shown:
        assert shown.ends() == 0
    assert "counted to 8" in shown.text
    assert [p.name for p in tmp_path.iterdir() if "model" in p.name] == ["model"]


@pytest.mark.skipif(os.name == "nt", reason="signals are those of POSIX")
def test_sigterm_in_a_pipe(program, tmp_path: Path) -> None:
    command, environment = program
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    for verb, line in (
        (["work", "--out", "m", "--until", "4"], "the same command with --resume continues"),
        (["wait"], ""),
    ):
        process = in_foreground([*command, *verb], cwd=tmp_path, env=environment, **pipes)
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
        assert (process.returncode, errors.strip()) == (143, "; ".join(filter(None, ["stopped", line])))


def test_a_pipe_gets_a_line_about_every_ten_seconds(program, tmp_path: Path) -> None:
    command, environment = program
    done = subprocess.run(
        [*command, "slow"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.splitlines() == [  # the clock gains 4 seconds with each call
        "first: 1 of 4, about 24 s left; second: 0",
        "first: 2 of 4, about 20 s left; second: 2",
        "first: 4 of 4; second: 3",
        "second: 5",
        "first: 4 of 4; second: 6",
    ]


def test_tables_are_framed_on_a_terminal_and_whole_in_a_pipe(program, tmp_path: Path) -> None:
    command, environment = program
    verb = [*command, "rows", "--out", "t.csv"]
    done = subprocess.run(verb, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == [
        "rows",
        "name       x  note",
        "[b]0       0  �[31m, some more words",
        "[b]1  0.3333  �[31m, some more words",
        "[b]2  0.6667  �[31m, some more words",
    ]
    assert (
        tmp_path / "t.csv"
    ).read_text() == "name,x\nrow [0],0.0\nrow [1],0.3333333333333333\nrow [2],0.6666666666666666\n"
    with on_terminal(verb, tmp_path, environment) as shown:
        assert shown.ends() == 0
    assert "[b]1 │ 0.3333 │ �[31m" in shown.text
    assert "\x1b[31m" not in shown.text


@pytest.mark.parametrize(
    "arguments", [["--out", "/dev/full/t.csv"], ["--out", "file/t.csv"], ["--out", "t.txt"], ["--out", "."]]
)
def test_places_that_cannot_be_written_are_one_line(program, tmp_path: Path, arguments: list[str]) -> None:
    command, environment = program
    (tmp_path / "file").write_text("")
    verb = [*command, "rows", *arguments]
    done = subprocess.run(verb, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert [p.name for p in tmp_path.iterdir() if p.is_file()] == ["file"]


def test_a_full_disk_is_one_line_and_leaves_the_old_table(program, tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    command, environment = program
    (tmp_path / "t.csv").write_text("old")

    def little() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    verb = [*command, "rows", "--out", "t.csv", "--count", "20000"]
    done = subprocess.run(
        verb, cwd=tmp_path, env={**environment, "PYTHONDONTWRITEBYTECODE": "1"}, capture_output=True, text=True,
        preexec_fn=little, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (2, "holdfast: t.csv: File too large\n")
    assert [(p.name, p.read_text()) for p in tmp_path.glob("*.csv")] == [("t.csv", "old")]
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".holdfast")]
