"""`holdfast probe run, compare, list, show` on files."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from typer.testing import CliRunner

from holdfast.cli.app import app
from holdfast.errors import InputError
from holdfast.language import BudgetExceeded
from holdfast.systems.chatgpt_failures import Suite
from scripted_server import Server, says

FEW = ["--per-family", "2", "--canonical", "0", "--category", "ethics", "--category", "other"]
OPTIONS = ["--per-family", "12", "--canonical", "1", "--category", "logic", "--category", "spelling"]


def probe(*words: object):
    return CliRunner().invoke(app, ["probe", *map(str, words)])


@pytest.fixture
def answered(tmp_path: Path, monkeypatch) -> Path:
    """Answers of a good version and of one that cannot spell."""
    monkeypatch.chdir(tmp_path)
    cases = Suite.default(12, categories=["logic", "spelling"], canonical=1).cases
    for name, wrong in (("good", 0.0), ("bad", 0.7)):
        rng = random.Random(0)
        texts = {}
        for case in cases:
            right = case.category != "spelling" or rng.random() >= wrong
            texts |= dict(zip(case.ask_ids(), case.texts(right), strict=True))
        lines = [json.dumps({"id": key, "answer": text}) for key, text in texts.items()]
        Path(f"{name}.jsonl").write_text("\n".join(lines))
    return tmp_path


def test_run_and_compare_and_show(answered: Path) -> None:
    for name in ("good", "bad"):
        done = probe("run", "--answers", f"{name}.jsonl", "-o", name, *OPTIONS, "-q")
        assert done.exit_code == 0, done.output
        assert {p.name for p in Path(name).iterdir()} == {
            "manifest.json", "suite.jsonl", "outcomes.jsonl", "report.md", "report.json", "report.svg"
        }  # fmt: skip
    assert "tokens in" in done.output
    assert "logic" in done.output
    plain = probe("compare", "good", "bad")
    assert plain.exit_code == 0
    assert "regressed: spelling" in plain.output
    assert probe("compare", "good", "bad", "--fail-on", "regressed").exit_code == 2
    assert probe("compare", "bad", "good", "--fail-on", "regressed").exit_code == 0
    found = json.loads(CliRunner().invoke(app, ["probe", "compare", "good", "bad", "--json"]).stdout)
    assert {c["category"]: c["verdict"] for c in found} == {"logic": "no evidence", "spelling": "regressed"}
    rows = json.loads(Path("bad/report.json").read_text())["rows"]
    failed = [row for row in rows if row["family"] and row["rate"]]
    assert {row["category"] for row in failed} == {"spelling"}
    shown = probe("show", "bad", "--family", "letter_count", "--rows", "1")
    assert shown.exit_code == 0
    line = next(line for line in shown.stdout.splitlines() if "letter_count" in line)
    case = probe("show", "bad", line.split()[0])
    assert "[user] How many times" in case.stdout
    assert "outcome: fail" in case.stdout


def test_questions_are_written_for_a_program_of_ones_own(answered: Path) -> None:
    assert probe("list", "-o", "q.jsonl", *OPTIONS).exit_code == 0
    lines = [json.loads(line) for line in Path("q.jsonl").read_text().splitlines()]
    known = {json.loads(line)["id"] for line in Path("good.jsonl").read_text().splitlines()}
    assert {line["id"] for line in lines} == known
    assert all(line["messages"][-1]["role"] == "user" for line in lines)
    assert not any("answer" in line for line in lines)
    listed = probe("list")
    assert listed.exit_code == 0
    assert "knights_knaves" in listed.stdout


def test_a_run_stopped_by_its_budget_goes_on(answered: Path, monkeypatch) -> None:
    folder = answered / "half"
    assert probe("run", "--answers", "good.jsonl", "-o", folder, *OPTIONS, "-q").exit_code == 0
    lines = (folder / "outcomes.jsonl").read_text().splitlines(keepends=True)
    (folder / "outcomes.jsonl").write_text("".join(lines[:5]))
    again = probe("run", "--answers", "good.jsonl", "-o", folder, *OPTIONS, "-q", "--resume")
    assert again.exit_code == 0, again.output
    assert len((folder / "outcomes.jsonl").read_text().splitlines()) == len(lines)


def test_a_budget_that_ends_a_run_says_how_to_go_on(answered: Path) -> None:
    with Server(says("ANSWER: 3")).running() as server:
        words = ["run", "--endpoint", server.url, "--model", "m", "-o", "x", "--at-once", "1", "-q", *FEW]
        done = probe(*words, "--max-calls", "4")
        assert isinstance(done.exception, BudgetExceeded)
        assert "--resume goes on" in done.output
        assert len(server.requests) == 4
        again = probe(*words, "--resume")
    assert again.exit_code == 0, again.output
    assert Path("x/report.md").is_file()


@pytest.mark.slow
def test_a_model_on_disk_answers(answered: Path) -> None:
    import torch
    import transformers
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace

    words = ["<unk>", "</s>", "ANSWER", ":", "yes", "no", "1", "2", "3"]
    tokenizer = Tokenizer(WordLevel({w: i for i, w in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = Whitespace()
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<unk>", eos_token="</s>", pad_token="</s>"
    ).save_pretrained("model")
    config = transformers.LlamaConfig(
        vocab_size=9, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1
    )
    torch.manual_seed(0)
    transformers.LlamaForCausalLM(config).save_pretrained("model")
    options = ["--category", "self-awareness", "--per-family", "2", "--canonical", "0", "--answer-tokens", "3"]
    done = probe("run", "--local", "model", "-o", "x", *options, "-q")
    assert done.exit_code == 0, done.output
    outcomes = [json.loads(line) for line in Path("x/outcomes.jsonl").read_text().splitlines()]
    assert len(outcomes) == 6
    assert all(len(text.split()) <= 3 for line in outcomes for text in line["texts"])


@pytest.mark.parametrize(("words", "why"), [
    (["run", "-o", "x"], "--endpoint"),
    (["run", "-o", "x", "--endpoint", "http://127.0.0.1:1", "--answers", "good.jsonl"], "give one"),
    (["run", "-o", "x", "--endpoint", "http://127.0.0.1:1"], "--model"),
    (["run", "-o", "x", "--endpoint", "ftp://x", "--model", "m"], "--endpoint: must start with http"),
    (["run", "-o", "x", "--endpoint", "http://x", "--model", "m", "--key-env", "NO_SUCH_KEY"], "--key-env"),
    (["run", "-o", "x", "--local", "nosuch"], "--local"),
    (["run", "-o", "x", "--answers", "nosuch.jsonl"], "nosuch.jsonl"),
    (["run", "-o", "x", "--answers", "other.jsonl"], "questions of this suite"),
    (["run", "-o", "x", "--answers", "empty.jsonl"], "at least one"),
    (["run", "-o", "x", "--answers", "nan.jsonl"], "line 1"),
    (["run", "-o", "x", "--answers", "good.jsonl", "--category", "logik"], "must be one of"),
    (["run", "-o", "good.jsonl", "--answers", "good.jsonl", *OPTIONS], "folder"),
    (["compare", "nosuch", "nosuch"], "folder of a run"),
    (["show", "nosuch"], "folder of a run"),
    (["compare", "a", "b", "--fail-on", "always"], "--fail-on"),
])  # fmt: skip
def test_what_is_wrong_is_said(answered: Path, words: list[str], why: str) -> None:
    Path("other.jsonl").write_text('{"id": "x", "answer": "y"}\n')
    Path("empty.jsonl").write_text("")
    Path("nan.jsonl").write_text('{"id": "x", "answer": NaN}\n')
    done = probe(*words)
    assert isinstance(done.exception, InputError), done.output
    assert why in str(done.exception)
    assert not Path("x").exists()
