"""`holdfast ptw ...` on files and pipes: tables, figures, one-line errors, bounded memory."""

import subprocess
import sys
import threading
import time

import numpy as np
import pandas as pd
import psutil
import pytest
from typer.testing import CliRunner

from holdfast.data.readers.true_sequences import read_sequences
from holdfast.errors import InputError
from holdfast.systems.nonstationary_meta import SegmentPosterior, cumulative_regret, predict, ptw_log_probs
from holdfast.systems.nonstationary_meta.cli import app

BITS = (np.random.default_rng(0).random(300) < np.repeat([0.1, 0.9], [170, 130])).astype(int)


def run(*arguments, stdin=None):
    """Run a verb; an exception is raised here as the command line's main would see it."""
    result = CliRunner().invoke(app, [str(a) for a in arguments], input=stdin)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result


@pytest.fixture
def bits(tmp_path):
    file = tmp_path / "bits.txt"
    file.write_text("".join(map(str, BITS.tolist())) + "\n")
    return file


# ----------------------------------------------------------------------------------------------------------- predict
@pytest.mark.parametrize("model", ["ptw", "lin", "kt", "decayed-kt", "window-kt"])
def test_predict_writes_what_the_python_call_returns(bits, tmp_path, model):
    out = tmp_path / "deep" / "probs.csv"
    result = run("predict", bits, "--model", model, "--out", out)
    assert result.stdout == ""
    assert "300 symbols" in result.stderr
    assert "bits" in result.stderr
    pd.testing.assert_frame_equal(pd.read_csv(out), predict(BITS, model), rtol=1e-6, check_dtype=False)


def test_predict_reads_standard_input_and_writes_standard_output(bits):
    table = run("predict", bits).stdout
    assert run("predict", "-", stdin=bits.read_text()).stdout == table
    assert table.splitlines()[0] == "t,p1,code_length_bits,p_change"
    assert len(table.splitlines()) == 301
    rows = run("predict", "-", "--column", "b", stdin="a,b\n1,0\n1,1\n").stdout.splitlines()[1:]
    assert [[float(cell) for cell in row.split(",")] for row in rows] == [
        pytest.approx([1, 1 / 2, 1, 1], rel=1e-14),
        pytest.approx([2, 3 / 8, np.log2(8 / 3), 2 / 3], rel=1e-14),  # all digits, as of every table
    ]


def test_predict_options(bits):
    def first(*options):
        return run("predict", bits, *options).stdout

    assert first("--depth", "9") != first()
    assert first("--depth", "auto") == first()
    assert first("--model", "lin", "--prune", "3") != first("--model", "lin")
    assert first("--model", "window-kt", "--window", "3") != first("--model", "window-kt")
    assert first("--alphabet", "3").splitlines()[0] == "t,p0,p1,p2,code_length_bits,p_change"
    assert first("--model", "decayed-kt").splitlines()[1] == "1,0.5,1.0,"


def test_an_empty_input_gives_the_header_alone():
    result = run("predict", "-", stdin="")
    assert result.stdout == "t,p1,code_length_bits,p_change\n"
    assert result.stderr.strip() == "0 symbols, 0 bits"
    assert "no symbols" in run("changes", "-", stdin="").stdout


@pytest.mark.parametrize(
    ("content", "options", "words"),
    [
        ("0112", [], r"standard input: must hold symbols 0 .. 1 \(alphabet 2\); received 2 at index 3"),
        ("01011", ["--depth", "2"], "--depth: must be at least 3 for 5 symbols"),
        ("01", ["--depth", "far"], "--depth: must be a whole number"),
        ("01", ["--model", "ctw"], "--model: must be one of ptw, lin"),
        ("01", ["--prune", "3"], "--prune: must not be given with ptw, which has depth and alphabet"),
        ("01", ["--limit", "3"], "--limit: must not be given with any model but lin"),
        ("01", ["--model", "lin", "--limit", "1"], "--limit: must be a whole number"),
        ("01", ["--out", "probs.parquet"], "--out: must end in .csv, or be -"),
        ("01", ["--model", "lin", "--prune", "-1"], "--prune: must be a finite number of at least 0"),
        ("01", ["--model", "decayed-kt", "--decay", "2"], r"--decay: must be a number in \(0, 1\]"),
        ("01", ["--alphabet", "1"], "--alphabet: must be a whole number"),
        ("0,1;1", [], "separators of one kind"),
        ("0.5 1", [], "whole numbers, one for each symbol; received .0.5. in line 1"),
        ("a,b\n0,1\n", ["--column", "c"], "--column: must be a column of standard input"),
    ],
)
def test_predict_refuses_in_one_line(content, options, words):
    with pytest.raises(InputError, match=words) as caught:
        run("predict", "-", *options, stdin=content)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named_before_anything_is_written(tmp_path):
    result = CliRunner().invoke(app, ["predict", str(tmp_path / "bits.txt")])
    assert isinstance(result.exception, InputError)
    assert "must be a readable file" in str(result.exception)
    assert result.stdout == ""


def test_without_numba_a_hint_is_given(bits, monkeypatch):
    from holdfast.systems.nonstationary_meta.tool import compiled as access

    assert "hint" not in run("predict", bits).stderr
    monkeypatch.setattr(access, "compiled", lambda: None)
    assert "pip install 'holdfast[fast]'" in run("predict", bits).stderr


def test_a_failed_run_leaves_no_file(tmp_path):
    out = tmp_path / "probs.csv"
    with pytest.raises(InputError):
        run("predict", "-", "--out", out, stdin="0101\n7\n")
    assert list(tmp_path.iterdir()) == []


# ----------------------------------------------------------------------------------------------------------- changes
@pytest.mark.parametrize(("model", "suffix"), [("lin", ".png"), ("ptw", ".svg")])
def test_changes_writes_segments_posterior_and_a_figure(bits, tmp_path, model, suffix):
    table, probs, figure = tmp_path / "segments.csv", tmp_path / "starts.csv", tmp_path / f"changes{suffix}"
    everything = ("--min-length", 1, "--min-mass", 0)
    run("changes", bits, "--model", model, *everything, "--out", table, "--posterior", probs, "--figure", figure)
    posterior = getattr(SegmentPosterior, model)(BITS)
    np.testing.assert_allclose(pd.read_csv(probs)["p_start"], posterior.start_probs, atol=1e-7)
    assert pd.read_csv(table)["start"].tolist() == (posterior.best + 1).tolist()
    assert figure.stat().st_size > 5000


def test_changes_prints_segments(bits):
    lines = run("changes", bits).stdout.splitlines()
    assert lines[0].split() == ["start", "end", "length", "p1", "low", "high", "p_start", "p_change", "joined"]
    assert [line.split()[:2] for line in lines[1:]] == [["1", "171"], ["172", "300"]] or len(lines) > 2


def test_changes_of_more_symbols_and_none(tmp_path):
    run("changes", "-", "--alphabet", "12", "--figure", tmp_path / "a.png", stdin="11 3 3 3 0 11")
    run("changes", "-", "--figure", tmp_path / "b.png", "--out", tmp_path / "b.csv", stdin="")
    assert pd.read_csv(tmp_path / "b.csv").empty
    for options, words in (
        (["--figure", "a.jpg"], "--figure: must end in"),
        (["--out", "a.doc"], "--out: must end in"),
        (["--posterior", "a.doc"], "--posterior: must end in"),
        (["--model", "ptw", "--depth", "1"], "--depth: must be at least 2 for 4 symbols; received 1"),
        (["--min-length", "0"], "--min-length: must be a whole number"),
        (["--min-mass", "2"], "--min-mass: must be a finite number"),
        (["--symbols", "a"], "--symbols: must name two symbols or more"),
        (["--time", "date"], "--time: must be given with columns only"),
        (["--model", "kt"], "--model: must be one of 'lin', 'ptw'"),
        (["--model", "lin", "--depth", "3"], "--depth: must not be given with lin"),
    ):
        with pytest.raises(InputError, match=words):
            run("changes", "-", *options, stdin="0101")


# -------------------------------------------------------------------------------------------------- simulate, regret
@pytest.mark.parametrize("suffix", [".npz", ".csv"])
def test_simulate_and_regret(tmp_path, suffix):
    file, curves, figure = tmp_path / f"s{suffix}", tmp_path / "c.csv", tmp_path / "r.svg"
    run("simulate", "--length", 64, "--count", 40, "--seed", 3, "--out", file)
    x, theta = read_sequences(file)
    assert x.shape == theta.shape == (40, 64)
    result = run("regret", file, "--out", curves, "--figure", figure)
    table = pd.read_csv(curves)
    assert list(table.columns) == ["t", "ptw", "lin", "kt"]
    expected = cumulative_regret(ptw_log_probs(x, return_predictive=True), theta)
    np.testing.assert_allclose(table["ptw"], expected, rtol=1e-5)
    assert result.stdout.split()[0] == "ptw"
    assert figure.stat().st_size > 5000
    run("simulate", "--length", 64, "--count", 40, "--seed", 3, "--out", tmp_path / f"again{suffix}")
    np.testing.assert_array_equal(read_sequences(tmp_path / f"again{suffix}")[0], x)


def test_simulate_one_sequence_as_text(tmp_path):
    run("simulate", "--kind", "lin", "--length", 50, "--out", tmp_path / "bits.txt")
    assert len(run("predict", tmp_path / "bits.txt").stdout.splitlines()) == 51


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--out", "x.txt", "--count", "2"], "--out: must end in .npz or .csv for several"),
        (["--out", "x.doc"], "--out: must end in"),
        (["--out", "x.npz", "--kind", "sine"], "--kind: must be one of"),
        (["--out", "x.npz", "--length", "0"], "--length: must be a whole number"),
        (["--out", "x.npz", "--beta", "0", "1"], "--beta: must be"),
        (["--out", "x.npz", "--seed", "-1"], "--seed: must be"),
    ],
)
def test_simulate_refuses(tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=words):
        run("simulate", *arguments)
    assert list(tmp_path.iterdir()) == []


def test_regret_refuses(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.zeros((2, 3), int))
    np.savez(tmp_path / "b.npz", x=np.full((2, 3), 2), theta=np.zeros((2, 3)))
    np.savez(tmp_path / "c.npz", x=np.zeros((2, 3), int), theta=np.full((2, 3), 1.5))
    (tmp_path / "d.npz").write_bytes(b"nonsense")
    (tmp_path / "e.csv").write_text("x,theta\n0,0.5\n")
    (tmp_path / "f.csv").write_text("sequence,t,x,theta\n1,1,0,0.5\n1,2,0,0.5\n2,1,0,0.5\n")
    for name, words in {
        "a.npz": "no theta",
        "b.npz": r"received 2 at index \(0, 0\)",
        "c.npz": "values at least|in \\[0",
        "d.npz": "readable npz",
        "e.csv": "must have a column 'sequence'",
        "f.csv": "one length",
        "g.npz": "nothing there",
        "h.doc": "nothing there",
    }.items():
        with pytest.raises(InputError, match=words):
            run("regret", tmp_path / name)


# ------------------------------------------------------------------------------------------------------ as a program
PROGRAM = [sys.executable, "-m", "holdfast", "nonstationary_meta", "predict", "-"]


def test_lines_are_answered_at_once_and_a_reader_that_stops_ends_the_program_quietly():
    with subprocess.Popen(PROGRAM, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as program:
        assert program.stdout.readline() == b"t,p1,code_length_bits,p_change\n"
        for t, bit in enumerate(b"0110", start=1):
            program.stdin.write(bytes([bit]) + b"\n")
            program.stdin.flush()
            assert program.stdout.readline().startswith(b"%d," % t)
        program.stdout.close()
        program.stdin.write(b"01" * 5000 + b"\n")
        program.stdin.flush()
        assert program.wait(60) == 141  # as every program that is ended by a pipe
        assert b"Traceback" not in program.stderr.read()


@pytest.mark.slow
def test_ten_million_symbols_in_bounded_memory():
    """With a reader that is slower than the program: it has to wait, and must hold nothing meanwhile."""
    block = np.random.default_rng(0).integers(48, 50, 100_000).astype(np.uint8).tobytes()
    with subprocess.Popen(PROGRAM, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as program:

        def feed():
            for _ in range(100):
                program.stdin.write(block)
            program.stdin.close()

        feeder = threading.Thread(target=feed)
        feeder.start()
        rows, peaks, process = 0, [], psutil.Process(program.pid)
        while piece := program.stdout.read1(1 << 20):
            rows += piece.count(b"\n")
            if len(peaks) < rows // 250_000:
                peaks.append(process.memory_info().rss)
                time.sleep(0.02)
        feeder.join()
        assert program.wait(60) == 0
    assert rows == 10_000_001
    assert max(peaks) - peaks[0] < 16 << 20
