"""Scores of choices against a loop over tokens, and adapters inside a tiny T5 on disk."""

import numpy as np
import pytest
import torch
from tests.toy_experts import Letters

from holdfast.data.choice_rows import ChoiceRow
from holdfast.errors import InputError
from holdfast.language.adapted_model import AdaptedModel
from holdfast.language.rank_classification import answer_log_likelihoods, rank_classify
from holdfast.layers.adapters import Bottleneck, LowRank
from holdfast.systems.expert_lms import ExpertLibrary

pytest.importorskip("transformers")
WORDS = ["the", "soup", "film", "was", "good", "bad", "lovely", "awful", "yes", "no", "very", "positive", "negative"]
ROWS = [
    ChoiceRow(f"the {noun} was {word}", ("negative", "very positive"), label)
    for noun in ("soup", "film") for label, words in enumerate((("bad", "awful"), ("good", "lovely"))) for word in words
]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast, T5Config, T5ForConditionalGeneration

    folder = tmp_path_factory.mktemp("t5")
    words = {word: i for i, word in enumerate(["<pad>", "</s>", "<unk>", *WORDS])}
    made = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    made.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    marks = {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
    PreTrainedTokenizerFast(tokenizer_object=made, model_max_length=64, **marks).save_pretrained(folder)
    config = T5Config(
        vocab_size=len(words), d_model=16, d_kv=8, d_ff=32, num_layers=1, num_heads=2, decoder_start_token_id=0,
        pad_token_id=0, eos_token_id=1,
    )  # fmt: skip
    torch.manual_seed(0)
    T5ForConditionalGeneration(config).save_pretrained(folder)
    return folder


def by_hand(base, text, answer):
    """Log-probability of every token of the answer, one forward pass a token."""
    ids = base.tokenizer(text, return_tensors="pt").input_ids
    said, so_far = base.tokenizer(answer).input_ids, [0]
    found = []
    for token in said:
        with torch.inference_mode():
            logits = base.model(input_ids=ids, decoder_input_ids=torch.tensor([so_far])).logits[0, -1]
        found.append(float(logits.log_softmax(0)[token]))
        so_far.append(token)
    return found


def test_scores_are_sums_over_tokens_the_end_included(folder):
    base = AdaptedModel(folder)
    inputs, choices = ["the soup was good", "film"], [("no", "very very positive"), ("yes", "no", "bad film")]
    found = rank_classify(base.model, base.tokenizer, inputs, choices, batch=2)
    assert [len(scores) for scores in found] == [2, 3]
    for text, answers, scores in zip(inputs, choices, found, strict=True):
        for answer, score in zip(answers, scores, strict=True):
            each = by_hand(base, text, answer)
            assert len(each) == len(answer.split()) + 1
            assert score == pytest.approx(sum(each), abs=1e-4)
    means = rank_classify(base.model, base.tokenizer, inputs, choices, length_norm=True)
    assert means[0][1] == pytest.approx(np.mean(by_hand(base, inputs[0], choices[0][1])), abs=1e-4)


def test_the_batch_changes_nothing(folder):
    base = AdaptedModel(folder)
    inputs, choices = [row.input for row in ROWS], [row.choices for row in ROWS]
    one, many = (rank_classify(base.model, base.tokenizer, inputs, choices, batch=n) for n in (1, 64))
    assert np.allclose(np.concatenate(one), np.concatenate(many), atol=1e-5)


def test_mistakes_are_named(folder):
    base = AdaptedModel(folder)
    for inputs, choices, words in (
        (["a"], [], "choices: must have as many"),
        (["a"], [()], "choices: must be there"),
    ):
        with pytest.raises(InputError, match=words):
            rank_classify(base.model, base.tokenizer, inputs, choices)
    with pytest.raises(InputError, match="inputs: must not be empty"):
        answer_log_likelihoods(base.model, base.tokenizer, [], [])
    assert rank_classify(base.model, base.tokenizer, [], []) == []


@pytest.mark.parametrize(("build", "where"), [(Bottleneck(4), r"DenseReluDense$"), (LowRank(2), r"Attention\.[qv]$")])
def test_experts_in_a_t5_learn_and_leave_its_weights_alone(folder, tmp_path, build, where):
    base = AdaptedModel(folder, where)
    before = {name: value.clone() for name, value in base.model.state_dict().items()}
    library = ExpertLibrary(base, build, Letters())
    untouched = library.scores(ROWS)
    assert all(np.array_equal(a, b) for a, b in zip(untouched, library.scores(ROWS, library.start), strict=True))
    library.add_task("reviews", ROWS, 4, {"steps": 25, "lr": 0.02})
    trained = library.scores(ROWS, "reviews")
    right = [np.mean([s[r.target] for s, r in zip(some, ROWS, strict=True)]) for some in (untouched, trained)]
    assert right[1] > right[0] + 1
    assert all(np.array_equal(a, b) for a, b in zip(untouched, library.scores(ROWS), strict=True))
    after = base.model.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    library.save(tmp_path / "lib")
    again = ExpertLibrary.load(tmp_path / "lib", encoder=Letters(), model=folder)
    assert all(np.allclose(a, b, atol=1e-5) for a, b in zip(trained, again.scores(ROWS, "reviews"), strict=True))


def test_another_model_than_the_librarys_is_refused(folder, tmp_path):
    library = ExpertLibrary(AdaptedModel(folder), Bottleneck(2), Letters())
    library.save(tmp_path / "lib")
    with pytest.raises(InputError, match="base: must be"):
        ExpertLibrary.load(tmp_path / "lib", encoder=Letters(), base=AdaptedModel(folder, r"SelfAttention\.o$"))


@pytest.mark.parametrize("broken", ["empty", "text"])
def test_folders_without_a_model_are_refused(tmp_path, broken):
    if broken == "text":
        (tmp_path / "config.json").write_text("{}")
    with pytest.raises(InputError, match="folder: must hold an encoder-decoder"):
        AdaptedModel(tmp_path)
