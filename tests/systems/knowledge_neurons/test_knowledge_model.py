"""Models: the reference's numbers, architectures, scaling, edits that can be taken back."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tests.toy_facts import Ids, published_bert, taught
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from holdfast.errors import InputError
from holdfast.language.ffn import FeedForward, feed_forwards, hooked
from holdfast.systems.knowledge_neurons import Fact, KnowledgeNeurons, WeightEdit, erase, evaluate_edit, update
from holdfast.systems.knowledge_neurons.method import attribution as method
from holdfast.systems.knowledge_neurons.method import edits
from holdfast.systems.knowledge_neurons.tool.changes import vectors_of
from holdfast.systems.knowledge_neurons.tool.model import Cloze, elsewhere

PUBLISHED = np.load(Path(__file__).parents[2] / "vectors" / "knowledge_neurons.npz")
CLOZES = [Cloze((1, 5, 7, 3, 9, 2), 3, 12), Cloze((1, 6, 3, 8, 7, 10, 2), 2, 12)]


@pytest.fixture
def known():
    tokenizer, facts, model = taught()
    return KnowledgeNeurons(model, tokenizer, steps=5), facts


# ------------------------------------------------------------------------------------------------- reference's numbers
def test_the_model_is_the_references():
    assert [name for name, _ in sorted(published_bert().named_parameters())] == PUBLISHED["param_names"].tolist()


@pytest.mark.parametrize("batch_size", [640, 20])
def test_attribution_neurons_and_probabilities_are_the_references(batch_size):
    kn = KnowledgeNeurons(published_bert(), Ids(), rule="ends", batch_size=batch_size)
    found = kn.scores(CLOZES)
    assert np.abs(found.numpy() - PUBLISHED["attr"]).max() < 1e-7
    assert np.abs(kn.neurons(CLOZES)[0].numpy() - PUBLISHED["acts"]).max() < 1e-6
    assert np.abs(kn.log_softmax(CLOZES).exp().detach().numpy() - PUBLISHED["probs"]).max() < 1e-6
    coarse = method.members(method.coarse(found[0], 0.2))
    assert coarse == [tuple(row) for row in PUBLISHED["neurons"].tolist()]


@pytest.mark.parametrize(("factor", "name"), [(0.0, "suppressed"), (2.0, "enhanced")])
def test_scaling_is_the_references(factor, name):
    kn = KnowledgeNeurons(published_bert(), Ids())
    with kn.scaled([tuple(row) for row in PUBLISHED["neurons"].tolist()], factor):
        for cloze, wanted in zip(CLOZES, PUBLISHED[name], strict=True):
            logits = kn.model(input_ids=torch.tensor([cloze.ids])).logits
            assert torch.softmax(logits[0, cloze.position], -1)[12].item() == pytest.approx(wanted, rel=1e-4)


# --------------------------------------------------------------------------------------------------------------- passes
def test_scores_are_the_loop_over_layers_and_steps(known):
    kn, facts = known
    cloze = kn.clozes(facts[0].prompts[0], facts[0].answer)[0]
    ids, found = torch.tensor([cloze.ids]), kn.scores([cloze])[0]
    for place in range(2):
        kept = {}
        with hooked([kn.layers[place]], lambda _, a, kept=kept: kept.update(a=a[:, cloze.position].detach())):
            kn.model(input_ids=ids)
        total = torch.zeros(len(kn.layers[0]))
        for k in range(5):
            point = (kept["a"] * k / 5).requires_grad_()

            def put(_, a, point=point):
                a = a.clone()
                a[:, cloze.position] = point
                return a

            with hooked([kn.layers[place]], put):
                p = torch.softmax(kn.model(input_ids=ids).logits[0, cloze.position], -1)[cloze.target]
            total += torch.autograd.grad(p, point)[0][0]
        assert torch.allclose(found[place], kept["a"][0] * total / 5, atol=1e-6)


def test_padding_and_order_change_nothing(known):
    kn, facts = known
    clozes = [kn.clozes(p, f.answer)[0] for f in facts[:3] for p in f.prompts]
    alone = torch.cat([kn.scores([c]) for c in clozes])
    assert torch.allclose(kn.scores(clozes), alone, atol=1e-6)
    for score in ("activation", "gradient", "logit lens"):
        one = torch.cat([kn.scores([c], score) for c in clozes])
        assert torch.allclose(kn.scores(clozes, score), one, atol=1e-5)


def test_other_scores_are_what_they_say(known):
    kn, facts = known
    clozes = kn.clozes(facts[0].prompts[0], facts[0].answer)
    a = kn.neurons(clozes)[0]
    assert torch.equal(kn.scores(clozes, "activation"), a)
    one = KnowledgeNeurons(kn.model, kn.tokenizer, steps=1, rule="right")
    assert torch.allclose(kn.scores(clozes, "gradient"), one.scores(clozes))
    words = kn.model.get_output_embeddings().weight[clozes[0].target]
    values = kn.layers[1].projection.weight.T
    assert torch.allclose(kn.scores(clozes, "logit lens")[0, 1], a[0, 1] * (values @ words), atol=1e-6)


def test_weights_need_gradients_afterwards_as_before(known):
    kn, facts = known
    kn.attribute(facts[0].prompts[0], facts[0].answer)
    assert all(p.requires_grad for p in kn.model.parameters())
    assert not any(layer.projection._forward_pre_hooks for layer in kn.layers)


def test_a_factor_of_one_is_nothing_and_of_zero_leaves_the_bias(known):
    kn, facts = known
    ids = torch.tensor([kn.clozes(facts[0].prompts[0], facts[0].answer)[0].ids])
    plain = kn.model(input_ids=ids).logits
    with kn.scaled([(0, 3), (1, 5)], 1.0):
        assert torch.equal(kn.model(input_ids=ids).logits, plain)
    every, seen = [(1, i) for i in range(kn.shape[1])], {}
    handle = kn.layers[1].projection.register_forward_hook(lambda m, x, y: seen.update(y=y))
    with kn.scaled(every, 0.0):
        kn.model(input_ids=ids)
    handle.remove()
    mask = ids[0].tolist().index(kn.tokenizer.mask_token_id)
    assert torch.allclose(seen["y"][0, mask], kn.layers[1].projection.bias)
    assert not torch.allclose(seen["y"][0, mask - 1], kn.layers[1].projection.bias), "at the mask alone"


def test_effects_are_those_of_single_calls(known):
    kn, facts = known
    sets = [[(0, i % 7), (1, i)] for i in range(len(facts))]
    table = kn.effect(facts, sets, 0.0)
    for i in (0, 5):
        before, after = [], []
        for prompt in facts[i].prompts:
            cloze = kn.clozes(prompt, facts[i].answer)[0]
            ids = torch.tensor([cloze.ids])
            for found, factor in ((before, 1.0), (after, 0.0)):
                with kn.scaled(sets[i], factor):
                    p = torch.softmax(kn.model(input_ids=ids).logits[0, cloze.position], -1)[cloze.target]
                found.append(p.item())
        assert table["before"][i] == pytest.approx(np.mean(before), rel=1e-4)
        assert table["change"][i] == pytest.approx(100 * (np.mean(after) / np.mean(before) - 1), abs=1e-2)
        other = facts[elsewhere(facts, i)]
        assert other.relation != facts[i].relation
        p, q = kn.probabilities([other])[0], kn.probabilities([other], [sets[i]])[0]
        assert table["other"][i] == pytest.approx(100 * edits.relative_change(p, q), abs=1e-3)
    assert np.isnan(kn.effect(facts[:1], sets[:1])["other"][0])


def test_own_neurons_matter_and_others_do_not(known):
    kn, facts = known
    sets = kn.find_all(facts)
    change = kn.effect(facts, sets)
    assert change["before"].mean() > 0.5
    assert change["change"].mean() < -5
    assert abs(change["other"].mean()) < abs(change["change"].mean()) / 2
    turned = [Fact(f.prompts[::-1], f.answer, f.relation) for f in facts]
    assert kn.find_all(turned) == sets, "the order of prompts is nothing"
    alone = method.refine(method.coarse(kn.of_fact(facts[0]), 0.2), 0.7)
    assert kn.find(facts[0], adapt=None) == method.members(alone)


# -------------------------------------------------------------------------------------------------------- architectures
def causal(kind):
    tokenizer, facts, _ = taught()
    torch.manual_seed(0)
    if kind == "gpt2":
        config = GPT2Config(vocab_size=len(tokenizer), n_positions=24, n_embd=16, n_layer=2, n_head=2, n_inner=24)
        return KnowledgeNeurons(GPT2LMHeadModel(config), tokenizer, steps=4), facts
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=2, max_position_embeddings=24,
    )  # fmt: skip
    return KnowledgeNeurons(LlamaForCausalLM(config), tokenizer, steps=4), facts


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_causal_models_are_read_at_the_last_word(kind):
    kn, facts = causal(kind)
    assert kn.causal
    cloze = kn.clozes(facts[0].prompts[0], facts[0].answer)[0]
    assert cloze.position == len(cloze.ids) - 1
    a, gold = kn.neurons([cloze])
    block = kn.model.transformer.h[1].mlp if kind == "gpt2" else kn.model.model.layers[1].mlp
    seen = {}
    block.register_forward_pre_hook(lambda m, x: seen.update(x=x[0]))
    logits = kn.model(input_ids=torch.tensor([cloze.ids])).logits
    assert gold[0].item() == pytest.approx(torch.softmax(logits[0, -1], -1)[cloze.target].item(), rel=1e-5)
    x = seen["x"][0, -1]
    wanted = block.act(block.c_fc(x)) if kind == "gpt2" else block.act_fn(block.gate_proj(x)) * block.up_proj(x)
    assert torch.allclose(a[0, 1], wanted, atol=1e-6)
    full = KnowledgeNeurons(kn.model, kn.tokenizer, steps=200, rule="midpoint").scores([cloze])[0, 1].sum()
    with kn.scaled([(1, i) for i in range(kn.shape[1])], 0.0):
        none = torch.softmax(kn.model(input_ids=torch.tensor([cloze.ids])).logits[0, -1], -1)[cloze.target]
    assert full.item() == pytest.approx((gold[0] - none).item(), abs=1e-5)


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_value_vectors_are_rows_or_columns(kind):
    kn, _ = causal(kind)
    assert kn.layers[0].transposed == (kind == "gpt2")
    assert kn.layers[0].values.shape == (24, 16)
    weight = kn.layers[0].projection.weight
    before = weight.detach().clone()
    with erase(kn, [(0, 3)]):
        changed = (weight != before).nonzero()[:, 0 if kind == "gpt2" else 1].unique()
        assert changed.tolist() == [3]
    assert torch.equal(weight, before)


def test_several_tokens_are_refused_or_chained(known):
    kn, facts = known
    prompt, answer = facts[0].prompts[0], f"{facts[0].answer} {facts[9].answer}"
    with pytest.raises(InputError, match=f"answer: must be one token.*{facts[0].answer}, {facts[9].answer}"):
        kn.clozes(prompt, answer)
    many = KnowledgeNeurons(kn.model, kn.tokenizer, steps=5, multi_token=True)
    first, second = many.clozes(prompt, answer)
    mask = kn.tokenizer.mask_token_id
    assert [first.ids.count(mask), second.ids.count(mask)] == [2, 1]
    assert second.position == first.position + 1
    assert second.ids[first.position] == first.target
    p = many.probabilities([Fact((prompt,), answer)])[0]
    assert p.item() == pytest.approx((many.gold([first]) * many.gold([second])).item(), rel=1e-5)
    assert torch.allclose(many.attribute(prompt, answer), many.scores([first, second]).mean(0), atol=1e-7)
    gpt, _ = causal("gpt2")
    gpt.multi_token = True
    one, two = gpt.clozes(prompt, answer)
    assert two.ids == (*one.ids, one.target)
    assert (one.position, two.position) == (len(one.ids) - 1, len(one.ids))


# --------------------------------------------------------------------------------------------------------------- edits
def test_an_edit_is_taken_back_to_the_bit(known, tmp_path):
    kn, facts = known
    state = {name: value.clone() for name, value in kn.model.state_dict().items()}
    neurons = kn.find(facts[0])
    new = next(f.answer for f in facts[1:] if f.relation == facts[0].relation and f.answer != facts[0].answer)
    edit = update(kn, facts[0], neurons, new)
    embeddings = kn.model.get_input_embeddings().weight.detach()
    old, e = (embeddings[kn.tokenizer.convert_tokens_to_ids(x)] for x in (facts[0].answer, new))
    wanted = edits.edited_values(edit.before, old, e, 1.0, 8.0)
    assert torch.allclose(vectors_of(kn, neurons), wanted, atol=1e-6)
    edit.save(tmp_path / "e.safetensors")
    with pytest.raises(InputError, match="path: must be an edit of this model as it is now"):
        WeightEdit.load(tmp_path / "e.safetensors", kn)
    edit.revert()
    assert all(torch.equal(value, state[name]) for name, value in kn.model.state_dict().items())
    again = WeightEdit.load(tmp_path / "e.safetensors", kn)
    assert not again.applied
    assert torch.equal(vectors_of(kn, again.apply().neurons), edit.after)
    again.revert()
    none = update(kn, facts[0], neurons, new, 0, 0)
    assert all(torch.equal(value, state[name]) for name, value in kn.model.state_dict().items())
    assert none.applied


def test_the_gradient_direction_raises_the_new_answer(known):
    kn, facts = known
    new = next(f.answer for f in facts[1:] if f.relation == facts[0].relation and f.answer != facts[0].answer)
    asked = Fact(facts[0].prompts, new, facts[0].relation)
    before = kn.probabilities([asked])[0].mean()
    top = [
        (1, i)
        for i in kn.neurons([kn.clozes(p, new)[0] for p in asked.prompts])[0][:, 1].mean(0).topk(5).indices.tolist()
    ]
    with update(kn, facts[0], top, new, 1, 1, direction="gradient"):
        assert kn.probabilities([asked])[0].mean() > before
    assert kn.probabilities([asked])[0].mean() == before


def test_erased_neurons_cannot_be_suppressed_further(known):
    kn, facts = known
    neurons = kn.find(facts[0])
    with erase(kn, neurons):
        p, q = kn.probabilities([facts[0]])[0], kn.probabilities([facts[0]], [neurons], 0.0)[0]
        assert torch.allclose(p, q, atol=1e-6)
        assert not vectors_of(kn, neurons).any()
    with erase(kn, neurons, "unk"):
        unknown = kn.model.get_input_embeddings().weight[kn.tokenizer.unk_token_id]
        assert torch.equal(vectors_of(kn, neurons)[0], unknown)


def test_an_edit_is_judged_by_prompts_that_were_right(known):
    kn, facts = known
    fact = facts[0]
    new = next(f.answer for f in facts[1:] if f.relation == fact.relation and f.answer != fact.answer)
    clozes = [kn.clozes(p, fact.answer)[0] for p in fact.prompts]
    target = kn.clozes(fact.prompts[0], new)[0].target
    right = kn.log_softmax(clozes).argmax(-1) == clozes[0].target
    intra = [f for f in facts if f != fact and f.relation == fact.relation][:5]
    inter = [f for f in facts if f.relation != fact.relation][:5]
    before = [edits.perplexity(torch.cat(kn.probabilities(some))) for some in (intra, inter)]
    edit = update(kn, fact, kn.find(fact), new)
    found = evaluate_edit(edit, fact, new, facts)
    said = kn.log_softmax(clozes)[right]
    after = [edits.perplexity(torch.cat(kn.probabilities(some))) for some in (intra, inter)]
    assert found["change"] == pytest.approx(100 * (said.argmax(-1) != clozes[0].target).double().mean().item())
    assert found["success"] == pytest.approx(100 * (said.argmax(-1) == target).double().mean().item())
    assert found["top5"] == pytest.approx(100 * (said.topk(5).indices == target).any(1).double().mean().item())
    assert [found["intra"], found["inter"]] == pytest.approx([b - a for a, b in zip(before, after, strict=True)])
    assert edit.applied


# ------------------------------------------------------------------------------------------------------------ mistakes
def test_mistakes_are_named(known):
    kn, facts = known
    fact = facts[0]
    for call, words in (
        (lambda: kn.attribute("no mask", fact.answer), "prompts: must each have {mask} exactly once"),
        (lambda: kn.attribute("a {mask} b [MASK]", fact.answer), "prompts: must have no mask but"),
        (lambda: kn.attribute(fact.prompts[0], "Nowhere"), "answer: must be made of tokens"),
        (lambda: kn.attribute("a " * 40 + "{mask}", fact.answer), "prompts: must have at most 24 tokens"),
        (lambda: causal("gpt2")[0].clozes("{mask} is it", fact.answer), "prompts: must have words before"),
        (lambda: kn.find_all([]), "facts: must not be empty"),
        (lambda: kn.effect(facts, []), "neurons: must be as many lists"),
        (lambda: kn.scores([], "loud"), "score: must"),
        (lambda: update(kn, fact, [], facts[1].answer), "neurons: must be some"),
        (lambda: update(kn, fact, [(9, 0)], facts[1].answer), "neurons: must be some"),
        (lambda: update(kn, fact, [(0, 0)], "Nowhere"), "answer: must be made"),
        (lambda: update(kn, fact, [(0, 0)], facts[1].answer, -1), "lam1: must"),
        (lambda: update(kn, fact, [(0, 0)], facts[1].answer, direction="up"), "direction: must"),
        (lambda: erase(kn, [(0, 0)], "one"), "value: must"),
        (lambda: KnowledgeNeurons(kn.model, kn.tokenizer, batch_size=0), "batch_size: must"),
        (lambda: KnowledgeNeurons(kn.model, kn.tokenizer, steps=0), "steps: must"),
        (lambda: KnowledgeNeurons(kn.model, kn.tokenizer, ffn=["nowhere"]), "ffn: must name.*output.dense.*nowhere"),
        (lambda: feed_forwards(torch.nn.Linear(2, 2)), "ffn: must name"),
        (lambda: feed_forwards(kn.model, "all"), "ffn: must be 'auto'"),
        (lambda: feed_forwards(kn.model, ["bert.embeddings.LayerNorm"]), "ffn: must have weights"),
    ):
        with pytest.raises(InputError, match=words):
            call()


def test_layers_that_are_skipped_are_named():
    net = torch.nn.ModuleList([torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)])
    layers = [FeedForward(str(i), net[i]) for i in range(2)]
    with pytest.raises(InputError, match="ffn: must be called as a module"), hooked(layers, lambda i, a: None):
        net[0](torch.ones(1, 2))


def test_an_edit_of_another_kind_of_file_is_refused(known, tmp_path):
    (tmp_path / "e.safetensors").write_bytes(b"no")
    with pytest.raises(InputError, match="path: must be an edit as"):
        WeightEdit.load(tmp_path / "e.safetensors", known[0])
