"""When a pipe hears of the time that is left, by a clock of our own."""

from __future__ import annotations

from holdfast.verbs.bars import Lines


def _lines(calls: list[tuple[float, str, int, int | None]]) -> list[str]:
    """What is written for calls (second, what, done, total), from second 0 on."""
    written: list[str] = []
    now = 0.0
    lines = Lines(lambda text: written.append(f"{now:g} s. {text}"), lambda: now)
    for second, what, done, total in calls:
        now = second
        lines(what, done, total)
    return written


def test_the_time_that_is_left_is_said_after_three_seconds_without_the_slow_start() -> None:
    steps = [(6 + i / 4, "Training", 1 + i, 1000) for i in range(60)]  # the first step takes 6 s, the others 1/4 s
    assert _lines(steps) == [
        "9 s. Training: 13 of 1,000, about 4 min left",
        "19 s. Training: 53 of 1,000, about 4 min left",
    ]


def test_what_is_quick_or_has_no_end_is_said_no_earlier_than_before() -> None:
    assert _lines([(i / 10, "Reading", i, 90) for i in range(1, 91)]) == []
    assert _lines([(float(i), "Searching", i, None) for i in range(1, 15)]) == ["10 s. Searching: 10"]


def test_each_thing_has_its_own_estimate_once() -> None:
    one = [(float(i), "Training", i, 60) for i in range(1, 6)]
    two = [(5 + float(i), "Training source only", i, 100) for i in range(1, 6)]
    assert _lines(one + two) == [
        "4 s. Training: 4 of 60, about 56 s left",
        "9 s. Training: 5 of 60, about 2 min left; Training source only: 4 of 100, about 2 min left",
    ]


def test_a_resumed_run_is_judged_by_what_it_has_done_itself() -> None:
    assert _lines([(1, "Training", 900, 1000), (5, "Training", 901, 1000)]) == [
        "5 s. Training: 901 of 1,000, about 7 min left"
    ]
