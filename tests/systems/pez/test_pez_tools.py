"""Optimiser, inverters and classifier: on tiny models on the disk, and on losses whose answer is known."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from holdfast.baselines.token_search import Found
from holdfast.errors import InputError
from holdfast.systems.pez import (
    CLIPInverter,
    HardPromptOptimizer,
    PromptClassifier,
    PromptResult,
    SentenceInverter,
    combine,
    distill,
)
from holdfast.systems.pez.tool.classify import fluency
from holdfast.systems.pez.tool.clip_prompts import ClipTexts
from holdfast.systems.pez.tool.optimizer import METHODS
from holdfast.systems.pez.tool.retokenised import choose, cosine_losses
from toy_prompt_models import WORDS, tiny_bert, tiny_clip, tiny_gpt2

E = torch.randn(30, 4, generator=torch.Generator().manual_seed(0))
AIM = E[[4, 9]].mean(0)


def loss(embedded, ids):
    return (embedded.mean(1) - AIM).square().sum(1)


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    return tiny_bert(tmp_path_factory.mktemp("models") / "bert")


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory):
    return tiny_gpt2(tmp_path_factory.mktemp("models") / "gpt2")


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return tiny_clip(tmp_path_factory.mktemp("models") / "clip")


# --------------------------------------------------------------------------------------------------------- optimiser
@pytest.mark.parametrize("method", METHODS)
def test_every_method_finds_tokens_that_are_better_than_most(method):
    found = HardPromptOptimizer(E, loss, prompt_len=2, steps=30, restarts=3, method=method, lr=1.0).run()
    every = sorted(float(loss(E[list(pair)][None], None)) for pair in itertools.product(range(30), repeat=2))
    if method != "soft":  # what the projection at the end gives is anybody's guess
        assert -found.score <= every[len(every) // 5]
    assert found.score == pytest.approx(-float(loss(E[list(found.ids)][None], None)), abs=1e-6)
    assert found.retokenized_score is None
    assert found.stable is None


def test_same_seed_same_prompt_and_restarts_only_help():
    one, two, many = (HardPromptOptimizer(E, loss, 3, 9, restarts=r).run() for r in (1, 1, 5))
    assert one == two
    assert many.score >= one.score or many.ids != one.ids
    assert len(many.history) == 9
    assert max(many.history) == pytest.approx(many.score)


def test_a_module_and_a_function_for_the_mask():
    module = torch.nn.Embedding.from_pretrained(E)
    found = HardPromptOptimizer(module, loss, 2, 5, allowed=lambda table: table[:, 0] > 0).run()
    assert (E[list(found.ids), 0] > 0).all()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"embedding": E[0]}, "embedding"), ({"embedding": E.long()}, "embedding"),
        ({"embedding": E * float("nan")}, "embedding"), ({"prompt_len": 0}, "prompt_len"), ({"steps": 1.5}, "steps"),
        ({"lr": -1}, "lr"), ({"restarts": 0}, "restarts"), ({"method": "magic"}, "method"),
        ({"optimizer": "sgd"}, "optimizer"), ({"projection": "dot"}, "projection"), ({"seed": -1}, "seed"),
        ({"allowed": torch.zeros(30)}, "allowed"), ({"allowed": torch.zeros(30, dtype=torch.bool)}, "allowed"),
        ({"loss_fn": lambda e, ids: e.sum()}, "loss_fn"), ({"loss_fn": lambda e, ids: e.sum((1, 2)) / 0}, "loss_fn"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(change, named):
    with pytest.raises(InputError, match=named):
        HardPromptOptimizer(**{"embedding": E, "loss_fn": loss, "prompt_len": 2, "steps": 3} | change).run()


def test_of_the_best_the_one_that_is_best_as_text():
    ids = torch.tensor([[[1], [2], [3]], [[4], [5], [6]]])
    found = Found(ids, torch.tensor([[0.1, 0.2, 0.3], [0.1, 0.2, torch.inf]]), torch.zeros(1, 2))
    asked = []

    def judge(texts, rows):
        asked.extend(zip(texts, rows, strict=True))
        return torch.tensor([{"t1": 0.9, "t2": 0.4, "t3": 0.5, "t4": torch.inf}.get(text, 0.0) for text in texts])

    one, two = choose(found, lambda row: f"t{int(row[0])}", judge, lambda text: text == "t5")
    assert (one.text, one.score, one.retokenized) == ("t2", pytest.approx(0.2), pytest.approx(0.4))
    assert two is None, "one cannot be read, one is refused, one was never found"
    assert asked == [("t1", 0), ("t2", 0), ("t3", 0), ("t4", 1)]


def test_cosine_losses_by_hand():
    v, aims = torch.tensor([[3.0, 4.0], [1.0, 0.0]]), torch.tensor([[0.0, 1.0], [-1.0, 0.0]])
    torch.testing.assert_close(cosine_losses(v, aims), torch.tensor([1 - 0.8, 2.0]))
    torch.testing.assert_close(cosine_losses(v, aims, -2.0), torch.tensor([-0.4, -4.0]))


def test_prompts_are_joined():
    assert combine(["red cat ", PromptResult((1,), "dog", 0.0)]) == "red cat dog"
    for prompts in ([], ["x", " "]):
        with pytest.raises(InputError):
            combine(prompts)


# --------------------------------------------------------------------------------------------------------- inverters
def test_a_text_is_found_again_and_scored_as_text(bert):
    inverter = SentenceInverter(bert, steps=60, restarts=4, lr=0.3)
    found = inverter.invert("red cat", prompt_len=2)
    vectors = inverter.encoder.encode([found.text, "red cat"])
    assert found.retokenized_score == pytest.approx(float(vectors[0] @ vectors[1]), abs=1e-5)
    assert found.retokenized_score > 0.95
    assert found.stable == (inverter.encoder.ids(found.text).tolist() == list(found.ids))
    assert found.config["prompt_len"] == 2
    assert "history" not in found.as_json()


def test_several_targets_side_by_side_and_one_prompt_for_all(bert):
    inverter = SentenceInverter(bert, steps=20, lr=0.3)
    texts = ["red cat", "blue house tree"]
    first, second = inverter.invert_each(texts, 3)
    assert first.ids != second.ids
    both = inverter.invert(texts, 3)
    vectors = inverter.encoder.encode([both.text, *texts])
    assert both.retokenized_score == pytest.approx(float((vectors[0] @ vectors[1:].T).mean()), abs=1e-5)


def test_a_negative_weight_moves_away(bert):
    near, far = (SentenceInverter(bert, steps=30, lr=0.3, restarts=3, weight=w).invert("red cat", 2) for w in (1, -1))
    assert far.retokenized_score < near.retokenized_score
    assert far.retokenized_score <= min(max(h, -1) for h in far.history) + 1e-5


def test_vectors_are_targets_and_masks_hold(bert):
    vector = SentenceInverter(bert, steps=1).encoder.encode(["fast river"])[0]
    found = SentenceInverter(bert, steps=8, whole_words=True, blocklist=["river", "fast"]).invert(vector * 7, 3)
    assert "river" not in found.text
    assert "##" not in found.text
    loose = SentenceInverter(bert, steps=3, letters_only=False)
    assert not loose.mask[list(loose.encoder.tokenizer.all_special_ids)].any()
    assert not loose.mask[len(loose.encoder.tokenizer) :].any()


@pytest.mark.parametrize(
    ("target", "named"),
    [
        ("", "target"), ([], "target"), (torch.ones(3), "target"), (torch.full((16,), torch.nan), "target"),
        (torch.zeros(16), "target"), (torch.ones(16, dtype=torch.int64), "target"),
    ],
)  # fmt: skip
def test_targets_that_are_none(bert, target, named):
    with pytest.raises(InputError, match=named):
        SentenceInverter(bert, steps=1).invert(target, 2)


def test_settings_of_inverters_are_checked(bert, tmp_path):
    with pytest.raises(InputError, match="weight"):
        SentenceInverter(bert, weight=0)
    with pytest.raises(InputError, match="prompt_len"):
        SentenceInverter(bert).invert("red", 300)
    with pytest.raises(InputError, match="target"):
        SentenceInverter(bert).invert_each([])
    with pytest.raises(InputError, match="folder"):
        SentenceInverter(tmp_path)
    with pytest.raises(InputError, match="allowed"):
        SentenceInverter(bert, steps=1, blocklist=[*WORDS]).invert("red", 2)


def test_a_long_prompt_gets_shorter(bert):
    inverter, long = SentenceInverter(bert, steps=20, lr=0.3), "the good film was very happy " * 3
    found = distill(long, 0.25, inverter)
    assert len(found.ids) == round(0.25 * 18)
    assert len(distill(long, inverter=inverter, prompt_len=2).ids) == 2
    for prompt, options in ((" ", {}), ("red cat", {"prompt_len": 2}), (long, {"ratio": 1.0}), (long, {"ratio": 2.0})):
        with pytest.raises(InputError):
            distill(prompt, inverter=inverter, **options)


def test_a_clips_prompts_are_its_texts(clip):
    encoder = ClipTexts(clip)
    ids = encoder.ids("red cat river")
    vectors = encoder.from_embeddings(encoder.table[ids][None])
    torch.testing.assert_close(vectors, encoder.encode(["red cat river"]))
    assert encoder.text(ids) == "red cat river"
    assert encoder.encode(["nonsense"]).isnan().all()
    with pytest.raises(InputError, match="at most 12"):
        encoder.from_embeddings(encoder.table[:13][None])
    with pytest.raises(InputError, match="shape"):
        encoder.from_embeddings(encoder.table[:3])


def test_images_are_targets_of_a_clip(clip):
    images = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(3))
    inverter = CLIPInverter(clip, steps=15, lr=0.3)
    found = inverter.invert(images, 3)
    text, aims = inverter.encoder.encode([found.text])[0], inverter.encoder.images(images)
    assert found.retokenized_score == pytest.approx(float((aims @ text).mean()), abs=1e-5)
    assert found.retokenized_score > float((inverter.encoder.encode(list(WORDS)) @ aims.T).mean())
    with pytest.raises(InputError, match="at most 12"):
        inverter.invert("red", 13)
    with pytest.raises(InputError, match="can read"):
        inverter.invert("nonsense", 3)


# --------------------------------------------------------------------------------------------------------- classifier
THINGS = ("film", "book", "song", "house")
TEXTS = [f"the {thing} was {how}" for thing in THINGS for how in ("warm", "cold", "slow")] * 2
LABELS = ["good" if "warm" in text else "bad" for text in TEXTS]


def test_a_language_model_is_made_a_classifier(gpt2):
    model = PromptClassifier(gpt2, prompt_len=3, steps=12, every=4, batch=6)
    model.fit(TEXTS, LABELS)
    assert model.classes_ == ("bad", "good")
    assert len(model.result_.ids) == 3
    assert set(model.accuracy_) == {"prompt", "empty"}
    assert set(model.predict(TEXTS[:40])) <= {"bad", "good"}


def test_scores_are_those_of_the_model_reading_the_text(gpt2):
    model = PromptClassifier(gpt2, prompt_len=2, steps=2, every=1, batch=4, held_out=0.5)
    model.fit(TEXTS, LABELS)
    words, texts = model.tokenizer, ["the film was warm", "very slow"]
    prompt = model.result_.text
    answers = [words(word, add_special_tokens=False)["input_ids"][0] for word in model.classes_]
    expected = []
    for text in texts:
        ids = torch.tensor([words(f"{prompt} {text}. It was", add_special_tokens=False)["input_ids"]])
        expected.append(model.lm(input_ids=ids).logits[0, -1, answers])
    ids = torch.tensor([words(prompt, add_special_tokens=False)["input_ids"]])
    found = model._scores(model.lm.get_input_embeddings().weight[ids], model._tokens(texts))
    torch.testing.assert_close(found[0], torch.stack(expected))
    entropy = F.cross_entropy(found[0], torch.tensor([1, 0]))
    torch.testing.assert_close(model._entropy(found, torch.tensor([1, 0])), entropy[None])


def test_fluency_is_the_entropy_of_the_prompt(gpt2):
    model = PromptClassifier(gpt2)
    table, ids = model.lm.get_input_embeddings().weight, torch.tensor([[5, 6, 7], [9, 9, 10]])
    found = fluency(model.lm, table[ids], ids)
    for row in range(2):
        said = model.lm(input_ids=ids[row : row + 1]).logits[0].log_softmax(-1)
        assert float(found[row]) == pytest.approx(-float(said[0, ids[row, 1]] + said[1, ids[row, 2]]) / 2, rel=1e-5)
    assert fluency(model.lm, table[ids[:, :1]], ids[:, :1]).tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    ("texts", "labels", "options", "named"),
    [
        (TEXTS[:4], LABELS[:4], {}, "texts"), (TEXTS, ["good"] * 24, {}, "labels"), (TEXTS, LABELS[:3], {}, "texts"),
        ([*TEXTS[:-1], " "], LABELS, {}, "texts"), (TEXTS, LABELS, {"verbalizer": {"good": "great"}}, "verbalizer"),
        (TEXTS, LABELS, {"verbalizer": {"good": "great", "bad": "great"}}, "verbalizer"),
        (TEXTS, LABELS, {"prompt_len": 40}, "prompt_len"), (TEXTS, LABELS, {"template": "x"}, "template"),
        ([np.nan] * 24, LABELS, {}, "texts"),
    ],
)  # fmt: skip
def test_rows_that_teach_nothing(gpt2, texts, labels, options, named):
    with pytest.raises(InputError, match=named):
        PromptClassifier(gpt2, **{"prompt_len": 2, "steps": 1} | options).fit(texts, labels)


def test_models_that_are_none(tmp_path):
    with pytest.raises(InputError):
        PromptClassifier(tmp_path)
    with pytest.raises(InputError, match="tokenizer"):
        PromptClassifier(torch.nn.Linear(1, 1))
