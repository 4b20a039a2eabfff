"""Sentences of a drawn world: known topic and polarity, words of the world only, the same again from the same seed."""

from __future__ import annotations

import re

import numpy as np
import pytest

from holdfast.data.synthetic.sentences import BLAME, PRAISE, TOPICS, SentenceWorld
from holdfast.errors import InputError


@pytest.fixture(scope="module")
def world() -> SentenceWorld:
    return SentenceWorld.draw(np.random.default_rng(5))


def test_the_same_seed_says_the_same_and_another_world_other_words(world):
    same = SentenceWorld.draw(np.random.default_rng(5))
    assert same == world
    assert SentenceWorld.draw(np.random.default_rng(6)) != world
    first, again = (world.sentences(20, np.random.default_rng(1)) for _ in range(2))
    assert first == again


@pytest.mark.parametrize("topic", TOPICS)
@pytest.mark.parametrize("polarity", [-1, 0, 1])
def test_what_is_said_is_what_was_asked_for(world, topic, polarity):
    things, people, *_ = TOPICS[topic]
    for one in world.sentences(40, np.random.default_rng(0), topic=topic, polarity=polarity):
        assert (one.topic, one.polarity) == (topic, polarity)
        words = set(re.findall(r"[a-z-]+", one.text.lower()))
        assert words & {*things, *people}
        assert re.fullmatch(r"[A-Z][^{}]*[.!]", one.text)
        assert "  " not in one.text
        praised, blamed = words & set(PRAISE), words & set(BLAME)
        assert not praised or polarity == 1
        assert not blamed or polarity == -1
        assert not re.search(r"\b[Aa] [aeio]", one.text), one.text


def test_words_of_one_world_are_a_part_of_all(world):
    used = {w for things, people, verbs, places in world.words.values() for w in (*things, *people, *verbs, *places)}
    everything = {w for lists in TOPICS.values() for entries in lists for w in entries}
    assert used < everything
    assert 0.5 < len(used) / len(everything) < 0.7


def test_sentences_differ_and_there_is_an_end(world):
    many = world.sentences(2000, np.random.default_rng(2))
    assert len({one.text for one in many}) == 2000
    small = SentenceWorld.draw(np.random.default_rng(0), topics=["food"], share=0.1)
    with pytest.raises(InputError, match="count: must be at most about"):
        small.sentences(10_000, np.random.default_rng(0), topic="food", polarity=0)


def test_bad_input_is_named(world):
    rng = np.random.default_rng(0)
    for call, words in (
        (lambda: SentenceWorld.draw(rng, topics=["cars"]), "topics"),
        (lambda: SentenceWorld.draw(rng, topics=[]), "topics: must name at least one"),
        (lambda: SentenceWorld.draw(rng, share=0.0), "share"),
        (lambda: world.sentence(rng, topic="cars"), "topic"),
        (lambda: world.sentence(rng, polarity=2), "polarity"),
        (lambda: world.sentences(-1, rng), "count"),
    ):
        with pytest.raises(InputError, match=words):
            call()
