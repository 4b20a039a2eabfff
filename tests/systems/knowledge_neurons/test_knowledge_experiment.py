"""The world, the arms, what a trial yields, and the authors' facts with a model of one's own."""

import json

import numpy as np
import pytest
import torch
from tests.toy_facts import taught

from holdfast.errors import InputError
from holdfast.experiment import Scalar
from holdfast.systems.knowledge_neurons import experiment as declared
from holdfast.systems.knowledge_neurons.experiment import Chance, Pick, another, experiment, refined_sets, trial
from holdfast.systems.knowledge_neurons.method import attribution as method
from holdfast.systems.knowledge_neurons.problems import Pararel, World, tiny_bert, word_tokenizer
from holdfast.systems.knowledge_neurons.tool.files import Fact
from holdfast.testing.runs import run_of


def test_worlds_repeat_by_seed_and_every_answer_is_a_word():
    tokenizer, facts = World(people=4).facts(3)
    assert facts == World(people=4).facts(3)[1]
    assert facts != World(people=4).facts(4)[1]
    assert len(facts) == 16
    assert {len(f.prompts) for f in facts} == {5}
    for fact in facts:
        for prompt in fact.prompts:
            ids = tokenizer(prompt.replace("{mask}", fact.answer)).input_ids
            assert tokenizer.unk_token_id not in ids


def test_weights_are_those_of_the_seed():
    one, two, other = (tiny_bert(20, seed, hidden=8, neurons=12).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one)
    norm = tiny_bert(20, 0, hidden=8, neurons=12, head="norm")
    assert isinstance(norm.cls.predictions.transform, torch.nn.LayerNorm)
    assert word_tokenizer(["a", "b"])("a c").input_ids == [2, 5, 1, 3]


def test_arms_rank_by_the_joined_scores():
    scores = torch.tensor([[[9.0, 1.0, 2.0, 0.0]], [[0.0, 2.0, 2.1, 0.0]], [[0.0, 3.0, 2.2, 0.0]]])
    first = lambda joined: method.top(Pick(joined=joined).joint(scores), 1)  # noqa: E731
    assert first("mean") == [(0, 0)]
    assert first("median") == [(0, 2)]
    assert first("votes") == [(0, 2)], "in all three coarse sets, as no other"
    facts = [Fact(("{mask}",), a, r) for a, r in (("x", "r"), ("x", "r"), ("y", "r"), ("z", "s"))]
    assert [another(facts, i) for i in range(4)] == [2, 2, 0, 0]
    given = [torch.eye(4)[i][None, None] for i in range(4)]
    rng = np.random.default_rng(0)
    assert Pick().sets(facts, given, 1, rng) == [[(0, i)] for i in range(4)]
    assert Pick(own=False).sets(facts, given, 1, rng) == [[(0, i)] for i in (2, 2, 0, 0)]
    drawn = Chance().sets(facts, given, 2, rng)
    assert all(len(set(one)) == 2 for one in drawn)
    assert refined_sets(facts, [x.expand(3, 1, 4) for x in given])[2] == [(0, 2)]


@pytest.mark.parametrize("arm", [declared.GRADIENT, declared.WRONG])
def test_other_arms_run(arm, tmp_path):
    problem = declared.FEW if arm == declared.GRADIENT else declared.STOCK
    run = run_of(experiment, arm, problem, tmp_path)
    assert isinstance(run.arm, Pick)
    assert run.arm.own == (arm != declared.WRONG)


def test_a_trial_measures_what_is_declared(tmp_path):
    found = {}
    for arm in (declared.KN, declared.RANDOM):
        run = run_of(experiment, arm, declared.FEW, tmp_path)
        found[arm] = {m.name: m.value for m in trial(run) if isinstance(m, Scalar)}
    assert set(found[declared.KN]) == set(experiment.metrics)
    assert found[declared.KN]["fall"] > found[declared.RANDOM]["fall"] + 3
    assert found[declared.KN]["gold probability"] == found[declared.RANDOM]["gold probability"]


def test_the_authors_facts_run_with_a_model_of_ones_own(tmp_path, monkeypatch):
    tokenizer, facts, model = taught()
    folder = tmp_path / "knowledge_neurons"
    monkeypatch.setenv("HOLDFAST_DATA", str(tmp_path))
    assert not Pararel().available()
    model.save_pretrained(folder / "model")
    tokenizer.save_pretrained(folder / "model")
    ask = lambda f: [[p.replace("{mask}", "[MASK]"), f.answer, f"P1({f.relation})"] for p in f.prompts]  # noqa: E731
    bags = [[[p, a, f"P{1 + (f.relation == 'job')}(x)"] for p, a, _ in ask(f)] for f in facts]
    unknown = [["nothing [MASK]", "unheard", "P1(x)"]]
    (folder / "data_11.json").write_text(json.dumps([*bags, unknown]))
    assert Pararel().available()
    _, _, loaded = Pararel().load(0, {})
    assert len(loaded) == len(facts)
    assert {f.relation for f in loaded} == {"P1", "P2"}
    run = run_of(experiment, declared.ACTIVATION, declared.REAL, tmp_path / "run")
    values = {m.name: m.value for m in trial(run) if isinstance(m, Scalar)}
    assert values["gold probability"] > 30
    (folder / "data_11.json").write_text(json.dumps([unknown]))
    with pytest.raises(InputError, match="must have facts of two relations"):
        Pararel().load(0, {})
