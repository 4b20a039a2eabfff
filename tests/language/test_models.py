"""Models that need no network: scripts, recordings, a folder with a tiny causal model."""

from __future__ import annotations

import json

import pytest
import torch

from holdfast.errors import InputError
from holdfast.language import (
    Completion,
    LanguageModel,
    LocalModel,
    Message,
    ModelError,
    Recorder,
    Replayed,
    Scripted,
    wait_for,
)
from holdfast.language.budget import Budget


def ask(model, prompt="Q: one?", **options):
    return wait_for(model.complete(prompt, **options))


# ------------------------------------------------------------------------------------------------- scripts, recordings
def test_a_script_answers_in_order_and_counts():
    model = Scripted(["SELECT 1\n\nrest", Completion("SELECT 2", -1.5, 3)])
    with Budget() as budget:
        first, second = ask(model, n=2, stop=["\n\n"])
        assert budget.spent.completion_tokens == 2 + 3
    assert (first.text, second.logprob) == ("SELECT 1", -1.5)
    assert model.prompts == ["Q: one?"]
    with pytest.raises(ModelError, match="all are given"):
        ask(model)


def test_recordings_repeat_a_run_without_its_model(tmp_path):
    file = tmp_path / "run.jsonl"
    answers = iter(["a", "b", "c", "d"])
    recorder = Recorder(Scripted(lambda prompt: next(answers), name="m", chat=True), file)
    prompt = [Message("system", "be brief"), Message("user", "ä\n?")]
    said = [
        ask(recorder, temperature=0.4)[0].text,
        ask(recorder, temperature=0.4)[0].text,
        ask(recorder, prompt)[0].text,
    ]
    assert said == ["a", "b", "c"]
    replayed = Replayed(file)
    assert isinstance(replayed, LanguageModel)
    assert (replayed.name, replayed.chat) == ("m", True)
    assert [ask(replayed, temperature=0.4)[0].text for _ in range(2)] == ["a", "b"]
    assert [ask(replayed, prompt)[0].text for _ in range(3)] == ["c", "c", "c"]  # temperature 0: the same each time
    with pytest.raises(ModelError, match="2 answers to a request that is made once more"):
        ask(replayed, temperature=0.4)
    with pytest.raises(ModelError, match="holds no answer to 'another'"):
        ask(replayed, "x\nQ: another")
    with pytest.raises(ModelError, match="holds no answer to"):
        ask(replayed, prompt, n=2)
    assert replayed.spending.tokens == 0


def test_a_recording_is_written_answer_by_answer(tmp_path):
    file = tmp_path / "deep" / "run.jsonl"
    recorder = Recorder(Scripted(["a", ModelError("gone")]), file)
    ask(recorder)
    with pytest.raises(ModelError):
        ask(recorder)
    (line,) = file.read_text().splitlines()
    entry = json.loads(line)
    assert (entry["prompt"], entry["completions"][0]["text"], entry["n"]) == ("Q: one?", "a", 1)
    ask(Recorder(Scripted(["b"]), file), "other")
    assert len(file.read_text().splitlines()) == 2  # appended


def test_a_recording_cut_short_by_a_kill_is_used_up_to_there(tmp_path):
    file = tmp_path / "run.jsonl"
    recorder = Recorder(Scripted(["a", "b"]), file)
    ask(recorder)
    ask(recorder, "two")
    text = file.read_text()
    file.write_text(text[:-20])
    assert ask(Replayed(file))[0].text == "a"
    file.write_text("{}\n" + text)
    with pytest.raises(InputError, match="line 1"):
        Replayed(file)
    file.write_text("")
    with pytest.raises(InputError, match="at least one answer"):
        Replayed(file)
    with pytest.raises(InputError, match="readable recording"):
        Replayed(tmp_path / "nowhere.jsonl")
    with pytest.raises(InputError, match="a file to write to"):
        Recorder(Scripted(["a"]), tmp_path)


def test_waiting_works_inside_a_running_loop():
    import asyncio

    async def notebook():
        return ask(Scripted(["a"]))[0].text

    assert asyncio.run(notebook()) == "a"


# ---------------------------------------------------------------------------------------------------------- a folder
@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A tiny Llama with random weights and a byte-level tokenizer, saved as such models are."""
    transformers = pytest.importorskip("transformers")
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    where = tmp_path_factory.mktemp("tiny model")
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: i for i, token in enumerate(["<s>", "</s>", *alphabet])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    wrapped = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>")
    wrapped.save_pretrained(where)
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=len(vocabulary), hidden_size=16, intermediate_size=32, num_hidden_layers=2,
        num_attention_heads=2, max_position_embeddings=128, bos_token_id=0, eos_token_id=1,
    )  # fmt: skip
    transformers.LlamaForCausalLM(config).save_pretrained(where)
    return where


def test_a_folder_continues_text(folder):
    model = LocalModel(folder, device="cpu")
    with Budget() as budget:
        answers = ask(model, "SELECT", n=3, temperature=0.8, max_tokens=12)
        assert budget.spent.prompt_tokens == 6
        assert budget.spent.completion_tokens == sum(a.tokens for a in answers)
    assert len({a.text for a in answers}) > 1
    assert all(0 < a.tokens <= 12 and a.logprob < 0 for a in answers)
    assert isinstance(model, LanguageModel)
    assert not model.chat


def test_log_probabilities_are_the_models_own(folder):
    model = LocalModel(folder, device="cpu")
    (answer,) = ask(model, "SELECT", max_tokens=5)
    assert answer.cut
    network, tokenizer = model._model, model._tokenizer
    tokens = tokenizer("SELECT", return_tensors="pt")["input_ids"]
    total = 0.0
    for _ in range(5):  # greedy, one token at a time
        with torch.no_grad():
            logprobs = network(tokens).logits[0, -1].float().log_softmax(-1)
        best = int(logprobs.argmax())
        total += float(logprobs[best])
        tokens = torch.cat([tokens, torch.tensor([[best]])], 1)
    assert answer.logprob == pytest.approx(total, abs=1e-4)
    assert answer.text == tokenizer.decode(tokens[0, 6:], skip_special_tokens=True)
    assert ask(model, "SELECT", n=2, max_tokens=5) == [answer, answer]  # temperature 0: all alike


def test_sampling_is_repeatable_and_leaves_torchs_generator_alone(folder):
    before = torch.get_rng_state()
    one = [ask(LocalModel(folder, device="cpu", seed=3), "Q", n=2, temperature=1.0, max_tokens=8) for _ in range(2)]
    assert one[0] == one[1]
    assert torch.equal(torch.get_rng_state(), before)
    assert ask(LocalModel(folder, device="cpu", seed=4), "Q", n=2, temperature=1.0, max_tokens=8) != one[0]


def test_a_stop_text_ends_a_completion(folder):
    model = LocalModel(folder, device="cpu")
    (whole,) = ask(model, "SELECT", max_tokens=8)
    stop = whole.text[3:5]
    (cut,) = ask(model, "SELECT", max_tokens=8, stop=[stop])
    assert cut.text == whole.text[: whole.text.find(stop)]
    assert not cut.cut


def test_a_prompt_beyond_the_context_is_refused(folder):
    with pytest.raises(ModelError, match="200 tokens does not fit into a context of 128"):
        ask(LocalModel(folder, device="cpu"), "x" * 200)
    (answer,) = ask(LocalModel(folder, device="cpu"), "x" * 120, max_tokens=50)
    assert answer.tokens <= 8


def test_a_chat_template_is_used_where_there_is_one(folder, tmp_path):
    import shutil

    copy = shutil.copytree(folder, tmp_path / "chat model")
    settings = json.loads((copy / "tokenizer_config.json").read_text())
    settings["chat_template"] = "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}"
    (copy / "tokenizer_config.json").write_text(json.dumps(settings))
    model = LocalModel(copy, device="cpu")
    assert model.chat
    ask(model, [Message("system", "a"), Message("user", "b")], max_tokens=2)
    assert model.spending.prompt_tokens == len("[system]a[user]b")
    assert not LocalModel(copy, device="cpu", chat=False).chat


def test_folders_without_a_model_are_named(folder, tmp_path):
    with pytest.raises(InputError, match=r"config\.json"):
        LocalModel(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(InputError, match="that can be read"):
        LocalModel(tmp_path)


def test_weights_that_could_run_code_are_not_read(folder, tmp_path):
    import shutil

    copy = shutil.copytree(folder, tmp_path / "pickled")
    (copy / "model.safetensors").unlink()
    torch.save({}, copy / "pytorch_model.bin")
    with pytest.raises(InputError, match="that can be read"):
        LocalModel(copy)
