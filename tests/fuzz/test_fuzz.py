"""A small part of every fuzz, the same inputs every time; `python -m tests.fuzz` runs the whole campaign."""

from __future__ import annotations

import pytest

from fuzz import commands
from fuzz.every import FUZZES
from fuzz.hunt import Defect, Fuzz, hunt, obey, one_readable_line
from holdfast import catalogue
from holdfast.errors import InputError

SHARE = 400  # of the campaign's cases, one in so many


@pytest.mark.parametrize("fuzz", FUZZES, ids=[fuzz.name for fuzz in FUZZES])
def test_every_input_is_accepted_or_refused_in_one_line(fuzz: Fuzz) -> None:
    tally = hunt(fuzz, max(4, fuzz.cases // SHARE), seed=None, first_defect_ends=True, tick=lambda: None)
    assert tally.tried
    assert not tally.defects


def test_the_campaign_is_large_enough_and_its_parts_have_names_of_their_own() -> None:
    assert sum(fuzz.cases for fuzz in commands.FUZZES) >= 10_000
    words = {word for fuzz in commands.FUZZES for word in fuzz.name.split("-")}
    assert words >= catalogue.RESERVED - {"help"}
    assert len({fuzz.name for fuzz in FUZZES}) == len(FUZZES)


def test_what_breaks_the_rule_is_noticed() -> None:
    def refuses() -> None:
        raise InputError("x", "must\nbe \x1b[31m", "y")

    assert obey(lambda: None) == "accepted"
    assert obey(refuses) == "refused"  # errors clean their own text
    with pytest.raises(ZeroDivisionError):
        obey(lambda: 1 / 0)
    for text in ("", "two\nlines", "\x1b[31m", "x" * 9999):
        with pytest.raises(Defect):
            one_readable_line(text)
