"""A cache of answers: keys that differ, threads and processes, files that are none."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.errors import InputError
from holdfast.language.cache import AnswerCache, key_of


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(st.text(max_size=3), st.text(max_size=3), st.lists(st.text(max_size=3), max_size=3)), unique_by=repr
    )
)
def test_different_calls_have_different_keys(calls: list[tuple[str, str, list[str]]]) -> None:
    keys = [key_of(backend, "map", question, tuple(cells)) for backend, question, cells in calls]
    assert len(set(keys)) == len(keys)


def test_a_cache_is_shared_by_threads_and_processes(tmp_path: Path) -> None:
    caches = [AnswerCache(tmp_path / "c.sqlite") for _ in range(2)]

    def write(number: int) -> None:
        for i in range(20):
            caches[number % 2].put({key_of("b", "map", "?", (str(number), str(i))): f"{number} {i}"})

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(caches[0]) == 80
    assert caches[1].get([key_of("b", "map", "?", ("3", "7"))]) == {key_of("b", "map", "?", ("3", "7")): "3 7"}


def test_a_file_that_is_no_cache_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("these are notes, long enough to be no header " * 50)
    with pytest.raises(InputError, match="cache: must be a cache file"):
        AnswerCache(tmp_path / "notes.txt")
