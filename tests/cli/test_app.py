"""The command line, as a user types it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from holdfast import catalogue, cli
from holdfast.catalogue import Catalogue
from terminal import in_foreground
from toy_system import ToySystem, installed


class Result:
    """Exit code and output of a command."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


@pytest.fixture
def holdfast(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]):
    """Call `holdfast ...` in this process."""

    def call(*arguments: object) -> Result:
        monkeypatch.setattr(sys, "argv", ["holdfast", *map(str, arguments)])
        monkeypatch.setenv("COLUMNS", "100")
        with pytest.raises(SystemExit) as exited:
            cli.main()
        out, err = capfd.readouterr()
        return Result(int(exited.value.code or 0), out, err)

    return call


def one_line(result: Result) -> str:
    """The single line of an expected failure."""
    assert result.code == 2
    assert "Traceback" not in result.err
    assert result.err.startswith("holdfast: ")
    assert result.err.count("\n") == 1
    return result.err


def test_list_show_and_version(holdfast) -> None:
    listed = holdfast("list")
    assert "adamatch" in listed.out
    assert listed.code == 0
    of_vision = [s["id"] for s in json.loads(holdfast("list", "--json", "--area", "cv").out)]
    assert of_vision == [id for id, system in sorted(catalogue.find().systems.items()) if "CV" in system.card.areas]
    assert {"adamatch", "fct"} <= set(of_vision)
    assert "binder" not in of_vision
    assert "no system matches" in holdfast("list", "--task", "brew coffee").out
    shown = holdfast("show", "adamatch").out
    assert "2106.04732" in shown
    assert "@article{" in shown
    assert "Nearly doubles" in shown
    assert holdfast("--version").out.strip() == __import__("holdfast").__version__


def test_help_names_every_command_and_system(holdfast) -> None:
    text = holdfast("--help").out
    for word in ("list", "show", "run", "freeze", "verdicts", "report", "digest", "doctor", "adamatch"):
        assert word in text
    for command in ("list", "show", "run", "freeze", "verdicts", "report", "digest", "doctor"):
        assert "holdfast" in holdfast(command, "--help").out, f"{command} --help has no example"
    assert "predict" in holdfast("adamatch", "--help").out


def test_help_of_all_imports_no_system(holdfast) -> None:
    code = "import sys; sys.argv = ['holdfast', '--help']\nfrom holdfast import cli\ntry: cli.main()\nfinally:\n"
    code += " print('TORCH' if 'torch' in sys.modules or 'numpy' in sys.modules else 'LIGHT')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.endswith("LIGHT\n")


def test_list_names_a_broken_plugin_and_shows_the_rest(holdfast, monkeypatch: pytest.MonkeyPatch) -> None:
    found = Catalogue(catalogue.find().systems, {"wreck": "ImportError: no\nmodule"})
    monkeypatch.setattr(catalogue, "find", lambda: found)
    result = holdfast("list")
    assert "adamatch" in result.out
    assert result.err == "cannot be used: wreck: ImportError: no module\n"


def test_unknown_words_are_explained(holdfast) -> None:
    assert "nearest: adamatch" in one_line(holdfast("show", "adamach"))
    assert "must be one of smoke, demo, small, full" in one_line(holdfast("run", "adamatch", "--scale", "tiny"))
    assert "must be of 'source only'" in one_line(holdfast("run", "adamatch", "--arms", "sauce only"))
    assert holdfast("ruin", "adamatch").code == 2


def test_run_leaves_a_page_and_report_writes_it_again(holdfast, toy: ToySystem) -> None:
    first = holdfast("run", toy.name, "--scale", "small", "--jobs", 0, "--quiet")
    assert first.code == 0
    assert "Exploratory run on pilot replicates" in first.out  # nothing is frozen yet
    folder = toy.root / "holdfast-runs" / toy.name / "small"
    page = folder / "page.html"
    assert "<html" in page.read_text()
    page.unlink()
    again = holdfast("report", folder)
    assert page.exists()
    assert again.out == first.out
    assert json.loads(holdfast("report", folder, "--json").out)["system"] == toy.name
    assert "must be the folder of a run" in one_line(holdfast("report", toy.root))
    (folder / "run.json").write_text("{}")
    assert "must be as holdfast wrote it" in one_line(holdfast("report", folder))


def test_report_compares_runs(holdfast, toy: ToySystem) -> None:
    for name, change in (("before", ("", "")), ("after", ("Method(3.0)", "Method(3.5)"))):
        if change[0]:
            toy.edit(*change)
        assert holdfast("run", toy.name, "--scale", "small", "--jobs", 0, "--quiet", "--out", name).code == 0
    told = holdfast("report", "before", "after")
    assert told.code == 0
    assert "A  before" in told.out
    assert re.search(r"good +\S+ ± \S+ +\S+ ± \S+ +\+0\.5.* better +8 pairs", told.out)
    assert re.search(r"bad .* identical +8 pairs", told.out)
    assert "arms › good › method › mean: A: 3.0; B: 3.5" in told.out
    page = toy.root / "holdfast-runs" / "comparison.html"
    assert "<html" in page.read_text()
    data = json.loads(holdfast("report", "before", "after", "before", "--json", "--out", "c.html").out)
    assert list(data["runs"]) == ["A", "B", "C"]
    assert (toy.root / "c.html").exists()
    assert holdfast("report", "before", "after", "--out", ".").code == 0
    assert (toy.root / "comparison.html").exists()


def test_report_compares_with_the_ledger(holdfast, toy: ToySystem) -> None:
    holdfast("freeze", toy.name, "--jobs", 0, "--quiet", "--out", "runs/pilots")
    toy.commit("plan")
    holdfast("run", toy.name, "--scale", "small", "--jobs", 0, "--ledger", "--quiet", "--out", "runs/small")
    alone = holdfast("report", toy.name)
    assert alone.code == 0
    assert (toy.root / "holdfast-runs" / toy.name / "ledger-small" / "page.html").exists()
    told = holdfast("report", toy.name, "runs/small")
    assert re.search(r"good .* identical +8 pairs", told.out)
    assert "0 of" in told.out


def test_report_names_what_cannot_be_compared(holdfast, toy: ToySystem) -> None:
    holdfast("run", toy.name, "--scale", "smoke", "--out", "one", "--arms", "good")
    holdfast("run", toy.name, "--scale", "smoke", "--out", "two", "--arms", "bad")
    assert "two: must have an arm, a problem, a point and a metric in common with one" in one_line(
        holdfast("report", "one", "two")
    )
    assert "nowhere: must be the folder of a run" in one_line(holdfast("report", "one", "nowhere"))
    (toy.root / "notes.txt").write_text("no run")
    assert "notes.txt" in one_line(holdfast("report", "notes.txt", "one"))
    assert not (toy.root / "holdfast-runs").exists(), "nothing was written"


def test_freeze_commit_run_verdicts(holdfast, toy: ToySystem) -> None:
    frozen = holdfast("freeze", toy.name, "--jobs", 0, "--quiet", "--out", "runs/pilots")
    assert f"next: commit it, then holdfast run {toy.name} --scale small --ledger" in frozen.out
    toy.commit("plan")
    ran = holdfast("run", toy.name, "--scale", "small", "--jobs", 0, "--ledger", "--out", "runs/small")
    assert ran.code == 0
    assert "small.json; commit it" in ran.out
    assert "Exploratory" not in ran.out
    said = holdfast("verdicts", toy.name, "--check")
    assert said.code == 0
    assert "small: current" in said.out
    assert "(headline): +2" in said.out
    assert "points, n = 8" in said.out
    toy.edit("margin=1.0", "margin=0.5")
    stale = holdfast("verdicts", "--check")
    assert stale.code == 1
    assert "stale" in stale.out
    assert "--why" in one_line(holdfast("freeze", toy.name, "--quiet"))


def test_a_failed_trial_sets_the_exit_code_and_is_named(holdfast, toy: ToySystem) -> None:
    toy.edit("Method(3.0)", "Method(3.0, fails_at=0)")
    result = holdfast("run", toy.name, "--scale", "smoke")
    assert result.code == 1
    assert "told to fail" in result.out
    assert "good" in result.out


def test_json_goes_to_stdout_alone(holdfast, toy: ToySystem) -> None:
    result = holdfast("run", toy.name, "--scale", "smoke", "--json")
    data = json.loads(result.out)
    assert data["verdicts"][0]["verdict"] == "undecided"


def test_many_values_after_one_option(holdfast, toy: ToySystem) -> None:
    result = holdfast("run", toy.name, "--scale", "smoke", "--arms", "good", "bad", "--quiet")
    assert result.code == 0
    assert "level" not in result.out
    assert "is not possible for this system" in one_line(holdfast("run", toy.name, "--on", "a", "b"))


def test_a_file_that_cannot_be_written_is_one_line(holdfast, toy: ToySystem) -> None:
    (toy.root / "taken").write_text("a file, not a folder")
    assert "taken" in one_line(holdfast("run", toy.name, "--scale", "smoke", "--out", "taken"))
    assert (toy.root / "taken").read_text() == "a file, not a folder"


def test_debug_shows_the_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["holdfast", "--debug", "show", "nosuch"])
    with pytest.raises(ValueError, match="must be one of the systems"):
        cli.main()


def test_doctor(holdfast) -> None:
    text = holdfast("doctor").out
    for what in ("torch", "free disk", "systems", "skops"):
        assert what in text


def test_ctrl_c_ends_a_run_and_says_how_to_go_on(toy: ToySystem) -> None:
    toy.edit("def trial(run):", "def trial(run):\n    import time\n    time.sleep(0.5 if run.replicate else 0.0)")
    program, environment = installed(toy)
    command = [*program, "run", toy.name, "--scale", "small", "--jobs", "2"]
    process = in_foreground(command, cwd=toy.root, env=environment, stdout=subprocess.PIPE)
    store = toy.root / "holdfast-runs" / toy.name / "small" / "trials.sqlite"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and (not store.exists() or not _finished(store)):
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the workers, too
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130, out
    assert "the same command goes on from there" in out
    kept = _finished(store)
    done = subprocess.run([*command, "--jobs", "8"], cwd=toy.root, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert 0 < kept < 24 == _finished(store)


def _finished(store: Path) -> int:
    import sqlite3

    try:
        with sqlite3.connect(f"file:{store}?mode=ro", uri=True) as db:
            return int(db.execute("SELECT count(*) FROM trials WHERE status = 'ok'").fetchone()[0])
    except sqlite3.OperationalError:  # not made yet
        return 0


@pytest.mark.skipif(os.name == "nt", reason="signals are those of POSIX")
def test_sigterm_ends_a_run_as_ctrl_c_does(toy: ToySystem) -> None:
    toy.edit("def trial(run):", "def trial(run):\n    import time\n    time.sleep(0.5 if run.replicate else 0.0)")
    program, environment = installed(toy)
    command = [*program, "run", toy.name, "--scale", "small", "--jobs", "0"]
    process = in_foreground(command, cwd=toy.root, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    store = toy.root / "holdfast-runs" / toy.name / "small" / "trials.sqlite"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and (not store.exists() or not _finished(store)):
        time.sleep(0.05)
    process.terminate()
    out, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (143, "")
    assert "the same command goes on from there" in out


@pytest.mark.skipif(os.name == "nt", reason="pipes are those of POSIX")
def test_a_reader_that_has_gone_is_no_failed_trial(toy: ToySystem) -> None:
    program, environment = installed(toy)
    read, write = os.pipe()
    os.close(read)
    command = [*program, "run", toy.name, "--scale", "smoke"]
    process = in_foreground(command, cwd=toy.root, env=environment, stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (141, "")


def test_what_trials_print_stays_out_of_the_json(holdfast, toy: ToySystem, capfd: pytest.CaptureFixture[str]) -> None:
    toy.edit("def trial(run):", "def trial(run):\n    import os\n    print('printed')\n    os.write(1, b'written')")
    code = (
        "import json, os, sys; from holdfast.cli.commands import Request, run_system\n"
        f"run_system(Request({toy.name!r}, 'smoke', json=True, quiet=True))"
    )
    _, environment = installed(toy)
    done = subprocess.run([sys.executable, "-c", code], cwd=toy.root, env=environment, capture_output=True, text=True)
    assert json.loads(done.stdout)["system"] == toy.name
    assert "printed" in done.stderr
    assert "written" in done.stderr


def test_a_terminal_without_unicode_shows_what_it_can(toy: ToySystem) -> None:
    program, environment = installed(toy)
    environment = {**environment, "PYTHONIOENCODING": "ascii"}
    command = [*program, "run", toy.name, "--scale", "smoke"]
    done = subprocess.run(command, cwd=toy.root, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "page: " in done.stdout


INTERRUPTED = """
import runpy, sys
class Interrupting:
    def find_spec(self, name, *rest):
        if name == "typer":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupting())
runpy.run_module("holdfast", run_name="__main__")
"""


def test_ctrl_c_while_the_program_starts_is_one_line() -> None:
    done = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "holdfast: interrupted\n")


def test_metadata_of_others_that_cannot_be_read_does_not_keep_it_from_starting(toy: ToySystem) -> None:
    _, environment = installed(toy)
    other = toy.root / "other-1.dist-info"
    other.mkdir()
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1\n")
    (other / "entry_points.txt").write_bytes(b"[some.group\n\xff")
    command = [sys.executable, "-m", "holdfast", "list"]
    done = subprocess.run(command, cwd=toy.root, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert {"adamatch", toy.name} <= {line.split()[0] for line in done.stdout.splitlines()}
    assert "other-1.dist-info: its metadata cannot be read" in done.stderr


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (["lst"], "No such command 'lst'"),
        (["run"], "Missing argument 'system' (see `holdfast run --help`)"),
        (["run", "adamatch", "--jobs", "x"], "'--jobs'"),
        (["run", "adamatch", "--replicates", "1001"], "'--replicates'"),  # pilots must not reach the final replicates
        (["run", "adamatch", "--nope"], "No such option: --nope"),
        (["run", "adamatch", "--device", "toaster"], "--device: must be cpu, cuda, cuda:1"),
        (["run", "adamatch", "--scale", "../adamatch/small"], "--scale: must be one of"),
        (["adamatch", "fit"], "Missing option '--source' (see `holdfast adamatch fit --help`)"),
        (["show", "a\udcffb"], "must be text in UTF-8"),
        (["show", "\x1b[31m"], "must be one of the systems"),
    ],
)
def test_a_wrong_command_line_is_one_line(holdfast, line: list[str], said: str) -> None:
    assert said in one_line(holdfast(*line))


def test_without_arguments_the_help_is_printed(holdfast) -> None:
    result = holdfast()
    assert "Usage: holdfast" in result.out
    assert result.err.strip() == ""
