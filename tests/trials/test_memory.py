"""Peak memory and seconds of one trial."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from holdfast.trials import memory
from holdfast.trials.memory import PeakMemory
from holdfast.trials.meter import Meter

MEGABYTE = 2**20


def use(megabytes: int) -> float:
    return float(np.ones(megabytes * MEGABYTE // 8)[-1])


@pytest.fixture
def resets() -> None:
    if not memory._reset():
        pytest.skip("the peak cannot be reset on this system")


def test_the_peak_is_that_since_construction(resets: None) -> None:
    idle = PeakMemory().bytes()
    first = PeakMemory()
    use(200)
    assert first.bytes() >= idle + 190 * MEGABYTE
    second = PeakMemory()
    use(20)
    assert second.bytes() < idle + 100 * MEGABYTE


def test_what_happens_aside_does_not_count_and_what_came_before_does(resets: None) -> None:
    idle = PeakMemory().bytes()
    peak = PeakMemory()
    with peak.aside():
        use(300)
    assert peak.bytes() < idle + 50 * MEGABYTE
    use(100)
    with peak.aside():
        use(300)
    assert idle + 90 * MEGABYTE < peak.bytes() < idle + 200 * MEGABYTE


def test_without_a_resettable_mark_the_whole_process_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    used = PeakMemory().bytes()
    monkeypatch.setattr(memory, "STATUS", tmp_path / "none")
    monkeypatch.setattr(memory, "CLEAR", tmp_path / "none" / "none")
    assert not memory._reset()
    peak = PeakMemory()
    with peak.aside():
        pass
    assert 0.5 * used < peak.bytes() < 10_000 * used


def test_the_meter_leaves_out_what_was_aside_even_after_an_error() -> None:
    meter = Meter()
    with meter.aside():
        time.sleep(0.2)

    def fail() -> None:
        with meter.aside():
            time.sleep(0.2)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    cost = meter.read()
    assert set(cost) == {"seconds", "peak_bytes"}
    assert 0 <= cost["seconds"] < 0.2
