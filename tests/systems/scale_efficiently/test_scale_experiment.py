"""The study: shapes of equal size, what is asked is new, bits are counted, the net is causal."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from holdfast.data.synthetic.facts import FactWorld, tokens
from holdfast.experiment import Scalar
from holdfast.systems.scale_efficiently import WordModel
from holdfast.systems.scale_efficiently import experiment as declared
from holdfast.systems.scale_efficiently.experiment import experiment, trial, warmed
from holdfast.systems.scale_efficiently.problems import FactQuestions, numbered
from holdfast.testing.runs import run_of


def facts(seed=0, people=12):
    return FactQuestions().draw(np.random.default_rng(seed), people)


def test_statements_hide_their_last_word_and_questions_are_divided():
    drawn = facts()
    world = FactWorld.draw(np.random.default_rng(0), people=12, towns=20, countries=8)
    assert drawn.bits == world.bits()
    assert drawn.words == len(world.words())
    assert len(drawn.statements.line) == 4 * drawn.count == 4 * len(world.facts())
    words = world.words()
    for row, place, fact in zip(drawn.statements.line[::4], drawn.statements.place[::4], world.facts(), strict=True):
        assert words[row[place]] == world.answer(fact)
        said = tokens(world.statement(fact))
        assert [words[i] for i in row[: len(said)]] == said
    parts = [{tuple(row) for row in part.line} for part in (drawn.train, drawn.validation, drawn.test)]
    assert len(parts[0] | parts[1] | parts[2]) == len({tuple(row) for part in parts for row in part})
    assert parts[0].isdisjoint(parts[2])
    assert sum(len(part.line) for part in (drawn.train, drawn.validation, drawn.test)) == len(world.two_hops())


def test_lines_are_filled_up_with_word_zero():
    lines = numbered([["a", "b"], ["b"]], [1, 0], {"a": 1, "b": 2})
    assert lines.line.tolist() == [[1, 2], [2, 0]]
    assert lines[np.array([1])].place.tolist() == [0]


def test_shapes_that_are_compared_have_as_many_weights():
    words = facts(people=200).words
    count = {
        name: sum(p.numel() for p in WordModel(words, arm.method.depth, arm.method.width).parameters())
        for name, arm in experiment.arms.items()
    }
    for name in (declared.DEEP, declared.ASPECT, declared.ANY):
        assert count[name] == pytest.approx(count[declared.SHALLOW], rel=0.05), name
    assert count[declared.HALF] == pytest.approx(count[declared.SHALLOW] / 2, rel=0.1)


def test_the_net_tells_a_word_from_those_before_it_alone():
    torch.manual_seed(0)
    model = WordModel(9, 2, 8)
    line, place = torch.tensor([[1, 2, 3, 4, 5]]), torch.tensor([3])
    before = model.logits(line, place)
    assert torch.equal(before, model.logits(torch.tensor([[1, 2, 3, 8, 7]]), place))
    assert not torch.equal(before, model.logits(torch.tensor([[1, 2, 6, 4, 5]]), place))
    expected = -before.log_softmax(1)[0, 4]
    assert torch.allclose(model.losses(line, place), expected[None], atol=1e-6)
    loss, _ = model.loss({"line": line, "place": place}, torch.Generator())
    loss.backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters() if p.ndim > 1)


def test_the_rate_rises_and_falls():
    assert warmed(0.0) == 0.05
    assert warmed(0.05) == pytest.approx(0.95)
    assert warmed(0.5) == 0.5
    assert warmed(0.999) == pytest.approx(0.001)


@pytest.mark.parametrize("arm", [declared.SHALLOW, declared.UNREAD])
def test_a_trial_yields_its_numbers(arm, tmp_path):
    run = run_of(experiment, arm, declared.WORLD, tmp_path)
    found = {m.name: m.value for m in trial(run) if isinstance(m, Scalar)}
    assert set(found) == set(experiment.metrics)
    drawn = run.problem.draw(run.rng("split, world"), run.scale.people)
    assert found["bits stored"] == pytest.approx(drawn.bits - drawn.count * found["nats a fact"] / math.log(2))
    assert 0 <= found["two-step accuracy"] <= 100


def test_more_reading_stores_more():
    drawn, run = facts(), SimpleNamespace(scale=SimpleNamespace(batch=16), seed=lambda name: 0)

    def nats(steps):
        torch.manual_seed(0)
        model = WordModel(drawn.words, 1, 12, lr=1e-2)
        declared.taught(model, drawn.statements, steps, run, "upstream")
        return declared.asked(model, drawn.statements)

    (few, _), (many, right) = nats(2), nats(200)
    assert many < few - 0.5
    assert right > 20
