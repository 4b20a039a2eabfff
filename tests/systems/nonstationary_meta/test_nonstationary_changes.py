"""Segments that are long and sure enough, with the dates of the file: posterior odds against products written out."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from holdfast.errors import InputError
from holdfast.systems.nonstationary_meta import SegmentPosterior, changes, kt_log_marginal
from holdfast.systems.nonstationary_meta.cli import app
from holdfast.systems.nonstationary_meta.method.lin_posterior import lin_change_prob

EVERY_50 = (np.arange(400) % 50 == 0).astype(int)  # its most probable segmentation has a first segment of one symbol


def prior(length, ends):
    """Of one of LIN's segments: it does not end after 1, 2, ... symbols, and then does, if that is known."""
    return math.prod(1 - 0.5 / k for k in range(1, length)) * (0.5 / length if ends else 1)


def likelihood(x, alphabet):
    seen, p = [0] * alphabet, 1.0
    for n, symbol in enumerate(x):
        p *= (seen[symbol] + 0.5) / (n + alphabet / 2)
        seen[symbol] += 1
    return p


@pytest.mark.parametrize("is_last", [True, False])
@pytest.mark.parametrize(("alphabet", "shortest"), [(2, 1), (3, 1), (3, 2), (5, 4)])
def test_the_probability_of_a_change_against_all_places(alphabet, shortest, is_last):
    for seed, length in itertools.product(range(4), (2 * shortest, 9, 14)):
        x = np.random.default_rng(seed).integers(0, alphabet, length)
        two = sum(
            prior(k, True) * likelihood(x[:k], alphabet) * prior(length - k, not is_last) * likelihood(x[k:], alphabet)
            for k in range(shortest, length - shortest + 1)
        )
        one = prior(length, not is_last) * likelihood(x, alphabet)
        assert lin_change_prob(x, alphabet, shortest, is_last) == pytest.approx(two / (one + two), rel=1e-10)


def test_a_change_beyond_doubt_and_none_in_long_sequences():
    assert lin_change_prob(np.repeat([0, 1], 20_000), 2, 5, True) == pytest.approx(1, abs=1e-12)
    assert 0 <= lin_change_prob(np.zeros(40_000, int), 2, 5, False) < 0.1


def test_one_symbol_makes_no_segment():
    path = SegmentPosterior.lin(EVERY_50, alphabet=3)
    assert path.best.tolist() == [0, 1]  # what the most probable path alone says
    assert path.start_probs[1] > 0.75
    found, joined = path.joined()
    assert found.best.tolist() == [0]
    assert [tuple(one) for one in joined] == [(0, 1, None)]
    table = changes(EVERY_50, alphabet=3)
    assert table["length"].tolist() == [400]
    assert table["joined"].tolist() == [1]
    assert changes(EVERY_50, alphabet=3, min_length=1, min_mass=0)["length"].tolist() == [1, 399]


def test_every_segment_is_as_long_and_sure_as_is_asked_for():
    rng = np.random.default_rng(0)
    for seed, model in itertools.product(range(3), ("lin", "ptw")):
        theta = np.repeat(np.random.default_rng(seed).random(8), 60)
        x = (rng.random(len(theta)) < theta).astype(int)
        for length, mass in ((1, 0.9), (5, 0.5), (40, 0.0), (70, 0.7)):
            table = changes(x, model, min_length=length, min_mass=mass)
            assert table["length"].sum() == len(x)
            assert table["length"].min() >= length
            assert table["p_change"].min() >= mass
            raw = len(getattr(SegmentPosterior, model)(x).best)
            assert len(table) + table["joined"].sum() == raw


def test_real_changes_stay_wherever_exactly_they_are():
    """A change whose place is uncertain has little p_start, and still is a change."""
    x = (np.random.default_rng(0).random(170) < np.repeat([0.1, 0.8, 0.3], [60, 50, 60])).astype(int)
    table = changes(x)
    late = table.iloc[-1]
    assert len(table) >= 2
    assert late["p_start"] < 0.5 < 0.9 < late["p_change"]


def test_what_halves_add_is_joined():
    """PTW cuts at halves: of one change at 1/3 it makes several segments."""
    x = np.repeat([0, 1], [100, 200])
    raw = SegmentPosterior.ptw(x).best.tolist()
    assert len(raw) > 2
    assert changes(x, "ptw")["start"].tolist() == [0, 100]


def test_sequences_shorter_than_a_segment():
    assert changes([0, 1, 1])["length"].tolist() == [3]
    assert changes([]).empty
    with pytest.raises(InputError, match="min_length: must be a whole number"):
        changes([0, 1], min_length=0)
    with pytest.raises(InputError, match="min_mass: must be a finite number"):
        changes([0, 1], min_mass=1.5)


def test_change_probs_of_the_path_itself():
    x = np.repeat([0, 1, 0], [30, 20, 30])
    segments = SegmentPosterior.lin(x).segments
    assert segments[0].change_prob == 1.0
    for before, one in itertools.pairwise(segments):
        part = x[before.start : one.end]
        direct = [
            kt_log_marginal(np.bincount(part[:k], minlength=2)) + kt_log_marginal(np.bincount(part[k:], minlength=2))
            for k in range(1, len(part))
        ]
        last = one.end == len(x)
        two = sum(np.exp(p) * prior(k, True) * prior(len(part) - k, not last) for k, p in enumerate(direct, 1))
        whole = np.exp(kt_log_marginal(np.bincount(part, minlength=2))) * prior(len(part), not last)
        assert one.change_prob == pytest.approx(two / (two + whole), rel=1e-9)


# ------------------------------------------------------------------------------------------------- the command line
def run(*arguments, stdin=None):
    result = CliRunner().invoke(app, ["changes", *map(str, arguments)], input=stdin)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture
def parts(tmp_path):
    """120 days of parts that pass, of which 1 in 20 fails, and then 1 in 2."""
    days = np.datetime64("2024-02-20") + np.arange(120)
    failed = np.r_[np.arange(80) % 20 == 19, np.arange(40) % 2 == 0]
    file = tmp_path / "parts.csv"
    words = np.where(failed, "fail", "pass")
    rows = [f'{i:05d},{days[i]},"first line\nsecond",{word}' for i, word in enumerate(words)]
    file.write_text("id,date,note,test\n" + "\n".join(rows) + "\n")
    return file


def test_dates_of_the_file_appear_in_the_output(parts, tmp_path):
    out, starts = tmp_path / "segments.csv", tmp_path / "starts.csv"
    result = run(parts, "--column", "test", "--out", out, "--posterior", starts)
    table = pd.read_csv(out)
    day = np.datetime64("2024-02-20")
    assert len(table) == 2
    assert table["start_time"].tolist() == [str(day + start - 1) for start in table["start"]]
    assert table["end_time"].tolist() == [str(day + end - 1) for end in table["end"]]
    assert pd.read_csv(starts)["time"].iloc[[0, -1]].tolist() == ["2024-02-20", str(day + 119)]
    assert "'pass' is read as 1, 'fail' as 0" in result.stderr
    assert table["p1"].tolist() == sorted(table["p1"], reverse=True)
    by_id = run(parts, "--column", "test", "--time", "id", "--symbols", "pass,fail", "--out", out)
    again = pd.read_csv(out, dtype={"start_time": str})
    assert again["start_time"].tolist()[0] == "00000"
    np.testing.assert_allclose(again["p1"], 1 - table["p1"])  # of a failure, as --symbols says
    assert "'pass' is read as" not in by_id.stderr


def test_what_was_joined_is_said(tmp_path):
    text = " ".join(map(str, EVERY_50))
    result = run("-", "--alphabet", 3, stdin=text)
    assert "segments joined to neighbours: 1 to 1 (too short)" in result.stderr
    assert "400 symbols in 1 segment" in result.stderr
    file = tmp_path / "log.csv"
    days = np.datetime64("2024-01-01") + np.arange(400)
    file.write_text("date,bit\n" + "".join(f"{day},{bit}\n" for day, bit in zip(days, EVERY_50, strict=True)))
    said = run(file, "--alphabet", 3, "--column", "bit").stderr
    assert "joined to neighbours: 2024-01-01 to 2024-01-01 (too short)" in said
    assert "joined" not in run("-", "--alphabet", 3, "--min-length", 1, "--min-mass", 0, stdin=text).stderr
    half = run("-", "--model", "ptw", "--min-length", 1, stdin="0" * 100 + "1" * 200).stderr
    assert "(p_change 0." in half


def test_a_pipe_with_quoted_line_breaks_and_words(parts):
    piped = run("-", "--column", "test", stdin=parts.read_text()).stdout
    assert piped == run(parts, "--column", "test").stdout
    assert "2024-02-20" in piped
