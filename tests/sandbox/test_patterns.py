"""Regular expressions under a clock."""

from __future__ import annotations

import pytest

from holdfast.sandbox.patterns import PatternTimeout, Searcher


def test_a_pattern_without_end_is_stopped_and_the_next_search_works() -> None:
    searcher = Searcher()
    with pytest.raises(PatternTimeout, match="takes longer than"):
        searcher.search("^(a+)+$", ["a" * 60 + "!"], seconds=0.1)
    assert searcher.search(r"(\d+)", ["in 1998", "never"], seconds=600) == ["1998", None]
    assert searcher.search("ä", ["Ä"], seconds=600) == [""]
    searcher.close()
