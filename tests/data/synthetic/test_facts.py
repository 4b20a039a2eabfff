"""The world of facts: what is said is what is true, and how much there is to know."""

import math

import numpy as np
import pytest

from holdfast.data.synthetic.facts import RELATIONS, FactWorld, tokens
from holdfast.errors import InputError


def world(seed=0, **settings):
    return FactWorld.draw(np.random.default_rng(seed), **settings)


def test_every_subject_has_one_object_of_each_relation_and_names_are_unique():
    found = world(people=300)
    names = [name for names in found.entities.values() for name in names]
    assert len(names) == len(set(names))
    assert len(found.facts()) == sum(len(found.entities[r.subject]) for r in RELATIONS)
    friends = found.objects["friend"]
    assert (friends != np.arange(300)).all()
    assert set(friends.tolist()) <= set(range(300))


@pytest.mark.parametrize("template", range(5))
def test_statements_end_with_the_answer_and_clozes_hide_it(template):
    found = world()
    for fact in found.facts():
        statement, cloze = found.statement(fact, template), found.cloze(fact, template)
        assert tokens(statement)[-2:] == [found.answer(fact), "."]
        assert cloze.replace("[MASK]", found.answer(fact)) == statement
        assert found.subject(fact) in tokens(statement)
        assert found.answer(fact) in found.candidates(fact)
        assert set(tokens(statement)) <= set(found.words())


def test_questions_of_two_steps_follow_the_facts():
    found = world(people=10)
    hops = found.two_hops()
    facts = {(f.relation, f.subject): f for f in found.facts()}
    for hop in hops:
        assert facts[hop.first.relation, hop.first.subject] == hop.first
        assert found.relations[hop.second.relation].subject == found.relations[hop.first.relation].object
        middle = hop.first.object
        assert facts[hop.second.relation, middle].object == hop.second.object
        assert hop.answer == found.answer(hop.second)
        assert found.subject(hop.first) in tokens(hop.text)
        assert found.answer(hop.first) not in tokens(hop.text)
    pairs = [(a, b) for a in RELATIONS for b in RELATIONS if a.object == b.subject]
    assert len(hops) == sum(len(found.entities[a.subject]) for a, _ in pairs)
    assert world(relations=("job", "pet")).two_hops() == []


def test_bits_are_what_a_list_of_the_answers_would_take():
    found = world(people=30, towns=8, countries=4, relations=("home", "country", "friend"))
    assert found.bits() == pytest.approx(30 * 3 + 8 * 2 + 30 * math.log2(29))


def test_objects_are_drawn_evenly_and_worlds_differ():
    counts = np.bincount(world(people=20_000, relations=("job",)).objects["job"], minlength=20)
    assert np.abs(counts / 1000 - 1).max() < 0.15
    assert world(0).entities["person"] != world(1).entities["person"]
    assert world(3).words() == world(3).words()


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: world(people=1), "people"),
        (lambda: world(relations=()), "at least one"),
        (lambda: world(relations=("height",)), "relations"),
        (lambda: world().statement(world().facts()[0], 5), "template"),
    ],
)
def test_what_no_world_has_is_refused(call, said):
    with pytest.raises(InputError, match=said):
        call()
