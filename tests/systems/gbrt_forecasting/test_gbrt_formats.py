"""Published formats, on files of a few lines, and the paper's settings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from holdfast.errors import InputError
from holdfast.systems.gbrt_forecasting.experiment.published import PUBLISHED, MatrixFile, Nasdaq100
from holdfast.systems.gbrt_forecasting.experiment.published import SML2010 as Sml
from holdfast.systems.gbrt_forecasting.tool.presets import PRESETS, preset

SML = "# 1:Date 2:Time 3:Temperature_Comedor_Sensor 4:Temperature_Habitacion_Sensor\n"


def no_draw(name: str) -> np.random.Generator:
    raise AssertionError("files draw nothing")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOLDFAST_DATA", str(tmp_path))
    made = tmp_path / "gbrt_forecasting"
    made.mkdir()
    return made


def test_sml2010(folder: Path) -> None:
    (folder / "NEW-DATA-1.T15.txt").write_text(SML + "13/03/2012 11:45 18.1 17.8 \n13/03/2012 12:00 18.4 18.0 \n")
    (folder / "NEW-DATA-2.T15.txt").write_text(SML + "18/04/2012 00:00 22.5 22.1\n")
    problem = Sml()
    assert problem.available()
    (series,) = problem.panel(no_draw)
    assert series.y.tolist() == [17.8, 18.0, 22.1]
    assert series.x.tolist() == [[18.1], [18.4], [22.5]]
    (folder / "NEW-DATA-2.T15.txt").write_text(SML.replace("Comedor", "Salon") + "18/04/2012 00:00 22.5 22.1\n")
    with pytest.raises(InputError, match="same columns"):
        problem.panel(no_draw)
    (folder / "NEW-DATA-2.T15.txt").write_text("18/04/2012 00:00 22.5 22.1\n")
    with pytest.raises(InputError, match="1:Date 2:Time"):
        problem.panel(no_draw)


def test_nasdaq100(folder: Path) -> None:
    path = folder / "nasdaq100_padding.csv"
    path.write_text("AAL,AAPL,NDX\n47.12,110.07,4707.68\n47.27,110.09,4708.66\n")
    (series,) = Nasdaq100().panel(no_draw)
    assert series.y.tolist() == [4707.68, 4708.66]
    assert series.x.tolist() == [[47.12, 110.07], [47.27, 110.09]]
    path.write_text("47.12,110.07\n47.27,110.09\n")
    with pytest.raises(InputError, match="names of the columns"):
        Nasdaq100().panel(no_draw)


def test_a_published_matrix_is_a_problem_with_calendar(folder: Path) -> None:
    problem = PUBLISHED["electricity"]
    assert not problem.available()
    with pytest.raises(InputError, match=r"HOLDFAST_DATA: must hold gbrt_forecasting/electricity\.txt"):
        problem.panel(no_draw)
    lines = [",".join(str(100 * s + t) for s in range(72)) for t in range(5)]
    (folder / "electricity.txt").write_text("\n".join(lines) + "\n")
    panel = problem.panel(no_draw)
    assert len(panel) == 70  # the first 70, as in the paper
    assert panel[3].y.tolist() == [300, 301, 302, 303, 304]
    assert panel[3].x.shape == (5, 6)
    before = problem.fingerprint()
    (folder / "electricity.txt").write_text("\n".join(lines[:4]) + "\n")
    assert problem.fingerprint() != before


def test_published_problems_look_as_far_as_their_settings() -> None:
    names = {"SML2010": "sml2010", "NASDAQ100": "nasdaq100", "PeMSD7": "pemsd7"}
    for name, problem in PUBLISHED.items():
        settings = PRESETS[names.get(name, name)]
        assert (problem.lookback, problem.horizon) == (settings.lookback, settings.horizon)
        assert problem.published == settings.booster
    electricity = PUBLISHED["electricity"]
    assert isinstance(electricity, MatrixFile)
    assert int(26_304 * (1 - electricity.test)) == 25_968  # steps fitted on and chosen on: those of the paper


def test_presets_are_the_papers() -> None:
    found = preset("traffic")["estimator"]
    assert (found.learning_rate, found.trees, found.depth, found.subsample, found.colsample) == (0.2, 800, 8, 0.8, 0.8)
    assert preset("sml2010")["calendar"] is None
    with pytest.raises(InputError, match="electricity, traffic"):
        preset("wind")
