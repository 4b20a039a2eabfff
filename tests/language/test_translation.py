"""Translation models: a tiny T5 and a tiny Marian in Hugging Face's layout, and one of whole words."""

import pytest
import torch

from holdfast.errors import InputError
from holdfast.language.translation import Hypothesis, LocalTranslator
from holdfast.language.word_translator import WordTranslator
from holdfast.layers.encoder_decoder import EncoderDecoder

SOURCES = ["das haus ist rot", "der hund", "rot rot das"]
VOCABULARY = ["das", "haus", "ist", "rot", "der", "hund", "the", "house", "is", "red", "dog"]


def tokenizer(folder):
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    words = {word: i for i, word in enumerate(["<pad>", "</s>", "<unk>", *VOCABULARY])}
    made = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    made.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    marks = {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
    PreTrainedTokenizerFast(tokenizer_object=made, model_max_length=64, **marks).save_pretrained(folder)


def t5(folder):
    from transformers import T5Config, T5ForConditionalGeneration

    config = T5Config(
        vocab_size=14, d_model=16, d_kv=8, d_ff=32, num_layers=1, num_heads=2, dropout_rate=0.3,
        decoder_start_token_id=0, pad_token_id=0, eos_token_id=1,
    )  # fmt: skip
    T5ForConditionalGeneration(config).save_pretrained(folder)


def marian(folder):
    from transformers import MarianConfig, MarianMTModel

    config = MarianConfig(
        vocab_size=14, d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32, max_position_embeddings=64, dropout=0.3,
        pad_token_id=0, eos_token_id=1, decoder_start_token_id=0, forced_eos_token_id=None, init_std=0.5,
    )  # fmt: skip
    MarianMTModel(config).save_pretrained(folder)


@pytest.fixture(scope="module", params=[t5, marian])
def model(request, tmp_path_factory):
    pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("model")
    torch.manual_seed(3)
    request.param(folder)
    tokenizer(folder)
    return LocalTranslator(folder, beam=3, batch=2, max_tokens=6, device="cpu")


def words(seed=0):
    torch.manual_seed(seed)
    net = EncoderDecoder(7, 6, width=16, heads=2, hidden=16, dropout=0.3)
    return WordTranslator(net, VOCABULARY[:6], VOCABULARY[6:], longest=7)


def test_forced_decoding_is_that_of_the_ids_that_were_generated(model):
    first = [hypotheses[0] for hypotheses in model.translate(SOURCES)]
    outputs = model.outputs(SOURCES, first)
    for x, y, log_p, attention in zip(SOURCES, first, outputs.token_logprobs, outputs.attention, strict=True):
        assert len(log_p) == len(y.ids) == len(attention)
        assert torch.allclose(attention.sum(1), torch.ones(len(attention)), atol=1e-5)
        assert attention.shape[1] == len(x.split()) + 1  # and the end
        tokens = model.tokenizer([x], return_tensors="pt")
        start = model.model.config.decoder_start_token_id
        with torch.no_grad():
            said = model.model(
                input_ids=tokens.input_ids,
                attention_mask=tokens.attention_mask,
                decoder_input_ids=torch.tensor([[start, *y.ids[:-1]]]),
            ).logits.log_softmax(2)[0]
        expected = torch.stack([said[t, token] for t, token in enumerate(y.ids)])
        assert torch.allclose(log_p, expected, atol=1e-4)


def test_a_text_is_scored_as_it_is_tokenised(model):
    text = "the house is red"
    ids = tuple(model.tokenizer(text_target=text).input_ids)
    assert ids[-1] == model.model.config.eos_token_id
    one, other = model.outputs(SOURCES[:1], [text]), model.outputs(SOURCES[:1], [Hypothesis(text, ids)])
    assert torch.equal(one.token_logprobs[0], other.token_logprobs[0])


def test_dropout_changes_outputs_and_the_seed_repeats_them(model):
    first = [hypotheses[0] for hypotheses in model.translate(SOURCES)]
    again = [model.outputs(SOURCES, first, seed=seed).token_logprobs[0] for seed in (1, 1, 2)]
    assert torch.equal(again[0], again[1])
    assert not torch.equal(again[0], again[2])
    assert not any(module.training for module in model.model.modules())
    assert model.translate(SOURCES, seed=4) == model.translate(SOURCES, seed=4)


def test_the_n_best_are_different_and_progress_is_told(model):
    seen = []
    model.progress = lambda done, total: seen.append((done, total))
    found = model.translate(SOURCES, count=3)
    model.progress = None
    assert seen == [(2, 3), (3, 3)]
    assert all(len({h.ids for h in hypotheses}) == 3 for hypotheses in found)
    assert [h[0].ids for h in found] == [h[0].ids for h in model.translate(SOURCES)]


def test_a_folder_without_a_model_is_refused(tmp_path):
    pytest.importorskip("transformers")
    with pytest.raises(InputError, match="translation model"):
        LocalTranslator(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(InputError, match="can be read"):
        LocalTranslator(tmp_path)


def test_whole_words_go_in_and_come_out():
    model = words()
    first = [hypotheses[0] for hypotheses in model.translate(SOURCES)]
    assert all(set(y.text.split()) <= set(VOCABULARY[6:]) for y in first)
    outputs = model.outputs(SOURCES, first)
    assert [len(log_p) for log_p in outputs.token_logprobs] == [len(y.ids) for y in first]
    assert [A.shape for A in outputs.attention] == [
        (len(y.ids), len(x.split()) + 1) for x, y in zip(SOURCES, first, strict=True)
    ]
    forced = model.outputs(SOURCES[:1], ["the house"])
    assert torch.equal(
        forced.token_logprobs[0], model.outputs(SOURCES[:1], [Hypothesis("the house", (1, 2, 0))]).token_logprobs[0]
    )
    assert model.translate(SOURCES, seed=1) == model.translate(SOURCES, seed=1)
    drawn = {model.translate(SOURCES, seed=seed)[0][0].ids for seed in range(12)}
    assert len(drawn) > 1
    assert len({h.ids for h in model.translate(SOURCES, count=4)[1]}) == 4
