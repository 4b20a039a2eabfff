"""Facts and neurons on disk, the published formats, and the verbs."""

import json
import os
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.toy_facts import taught
from typer.testing import CliRunner

from holdfast.errors import InputError
from holdfast.systems.knowledge_neurons import Fact, load_bags, load_pararel, read_facts
from holdfast.systems.knowledge_neurons.cli import app
from holdfast.systems.knowledge_neurons.tool.files import neurons_document, read_neurons


def run(*words):
    return CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)


@pytest.fixture
def folder(tmp_path):
    """A model in half precision, as `[first]` has it, and its facts."""
    tokenizer, facts, model = taught()
    model.half().save_pretrained(tmp_path / "bert")
    tokenizer.save_pretrained(tmp_path / "bert")
    rows = ({"prompts": f.prompts, "answer": f.answer, "relation": f.relation} for f in facts)
    (tmp_path / "facts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


# --------------------------------------------------------------------------------------------------------------- files
CAPITAL = "P1376(capital of)"
BAG = [["Rome is the capital of [MASK].", "Italy", CAPITAL], ["[MASK]'s capital, Rome.", "Italy", CAPITAL]]


def test_the_authors_bags_are_read(tmp_path):
    path = tmp_path / "data.json"
    path.write_text(json.dumps([BAG]))
    wanted = [Fact(("Rome is the capital of {mask}.", "{mask}'s capital, Rome."), "Italy", "P1376")]
    assert load_bags(path) == read_facts(path) == wanted
    for content, words in (
        ("[]", "must be a list of facts"),
        ("{}", "must be a list of facts"),
        ("{", "must be JSON"),
        (json.dumps([BAG, [["a", "b"]]]), "fact 2: must be a list of"),
        (json.dumps([[*BAG, ["[MASK]", "Spain", "P1376(capital of)"]]]), "fact 1: must have one answer"),
        (json.dumps([[["no mask", "b", "c"]]]), "fact 1: prompts must each have"),
    ):
        path.write_text(content)
        with pytest.raises(InputError, match=words):
            load_bags(path)


@pytest.mark.skipif(not os.environ.get("HOLDFAST_DATA"), reason="needs HOLDFAST_DATA")
def test_the_published_files_are_read():
    data = Path(os.environ["HOLDFAST_DATA"]) / "knowledge_neurons"
    if not (data / "data_11.json").is_file():
        pytest.skip("no data_11.json")
    facts = load_bags(data / "data_11.json")
    assert len(facts) == 937
    assert {r: sum(f.relation == r for f in facts) for r in ("P36", "P1376")} == {"P36": 703, "P1376": 234}
    assert {len(fact.prompts) for fact in facts} == {14}
    made = load_pararel(data / "pararel_patterns", {"P1376": [("Edmonton", "Alberta")]})
    assert "Edmonton is the capital of {mask}." in made[0].prompts
    with pytest.raises(InputError, match="must have at least 4 patterns"):
        load_pararel(data / "pararel_patterns", {"P17": [("a", "b")]})


def test_pararels_patterns_are_filled_in(tmp_path):
    path = tmp_path / "P19.jsonl"
    patterns = ("[X] was born in [Y].", "[Y] is where [X] was born.", "[X], from [Y]", "[X] of [Y]")
    path.write_text("".join(json.dumps({"pattern": p, "lemma": "x"}) + "\n" for p in patterns))
    found = load_pararel(tmp_path, {"P19": [("Ada", "London"), ("[Y]", "Rome")]})
    assert found[0].prompts[:2] == ("Ada was born in {mask}.", "{mask} is where Ada was born.")
    assert [(f.answer, f.relation) for f in found] == [("London", "P19"), ("Rome", "P19")]
    assert found[1].prompts[0] == "[Y] was born in {mask}."
    for line in ('{"pattern": "[X] only"}', '{"pattern": 3}', "3", "", "{"):
        path.write_text('{"pattern": "[X] [Y]"}\n' + line + "\n")
        with pytest.raises(InputError, match=r"P19.jsonl, line 2: must|must have at least 4"):
            load_pararel(tmp_path, {"P19": [("a", "b")]})
    with pytest.raises(InputError, match="folder: must be a text file"):
        load_pararel(tmp_path, {"P20": [("a", "b")]})


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", "facts: must hold"),
        ("{", "line 1: must be JSON"),
        ("[1]", "line 1: must be an object"),
        ('{"answer": "a"}', "line 1: prompts must be a list of texts"),
        ('{"prompts": [], "answer": "a"}', "line 1: prompts must be a list of texts, at least one"),
        ('{"prompts": ["{mask} {mask}"], "answer": "a"}', "line 1: prompts must each have"),
        ('{"prompts": ["{mask}"], "answer": NaN}', "line 1: answer must be a text"),
        ('{"prompts": ["{mask}"], "answer": " "}', "line 1: answer must be a text"),
        ('{"prompts": ["{mask}"], "answer": "a", "relation": 3}', "line 1: relation must be a text"),
    ],
)
def test_broken_facts_are_named(line, words, tmp_path):
    (tmp_path / "f.jsonl").write_text(line + "\n")
    with pytest.raises(InputError, match=words):
        read_facts(tmp_path / "f.jsonl")


def test_neurons_come_back(tmp_path):
    facts, path = [Fact(("a {mask}",), "b", "r")], tmp_path / "n.json"
    path.write_text(neurons_document(facts, [[(0, 3), (1, 2)]], {"t": 0.2}))
    assert read_neurons(path, 2, 4) == (facts, [[(0, 3), (1, 2)]])
    with pytest.raises(InputError, match="must have neurons of this model"):
        read_neurons(path, 2, 3)
    row = {"prompts": ["{mask}"], "answer": "a", "relation": "r"}
    for content, words in (
        ("[]", "must be a file of neurons"),
        ('{"facts": [3]}', "must be a file of neurons"),
        (json.dumps({"facts": [row]}), "fact 1: must have neurons as"),
        (json.dumps({"facts": [{**row, "neurons": [[1]]}]}), "fact 1: must have neurons as"),
        (json.dumps({"facts": [{**row, "neurons": [[True, 1]]}]}), "fact 1: must have neurons as"),
        (json.dumps({"facts": [{**row, "neurons": [[-1, 1]]}]}), "must have neurons of this model"),
    ):
        path.write_text(content)
        with pytest.raises(InputError, match=words):
            read_neurons(path, 2, 4)


# --------------------------------------------------------------------------------------------------------------- verbs
def test_the_verbs_from_model_to_edited_model(folder):
    model, neurons = folder / "bert", folder / "neurons.json"
    found = run("find", "--model", model, "--facts", folder / "facts.jsonl", "-o", neurons, "--steps", 5,
                "--figure", folder / "f.svg", "-q")  # fmt: skip
    assert found.exit_code == 0, found.stderr
    assert "16 facts" in found.stderr
    assert (folder / "f.svg").stat().st_size > 1000
    facts, sets = read_neurons(neurons, 2, 64)
    assert facts == taught()[1]
    assert all(sets)
    done = run("effect", "--model", model, "--neurons", neurons, "-o", folder / "e.csv")
    assert "mean change" in done.stderr
    table = pd.read_csv(folder / "e.csv")
    assert table["change"].mean() < 0
    assert table["neurons"].tolist() == [len(one) for one in sets]
    new = next(f.answer for f in facts if f.relation == facts[1].relation and f.answer != facts[1].answer)
    done = run("edit", "--model", model, "--neurons", neurons, "--fact", 2, "--new", new, "--out", folder / "new")
    assert f"{len(sets[1])} value vector" in done.stderr
    changes = load_file(folder / "new" / "edit.safetensors")
    assert changes["neurons"].tolist() == [list(n) for n in sets[1]]
    again = run("effect", "--model", folder / "new", "--neurons", neurons, "-o", folder / "e2.csv")
    assert again.exit_code == 0
    assert pd.read_csv(folder / "e2.csv")["before"][1] < table["before"][1]
    erased = run("edit", "--model", model, "--neurons", neurons, "--out", folder / "gone")
    assert "after" in erased.stderr
    assert not load_file(folder / "gone" / "edit.safetensors")["after"].any()


def test_what_is_wrong_is_said_in_one_line(folder):
    model, facts, neurons = folder / "bert", folder / "facts.jsonl", folder / "n.json"
    neurons.write_text(neurons_document(taught()[1][:1], [[(0, 0)]], {}))
    (folder / "empty.jsonl").write_text("")
    (folder / "other.jsonl").write_text('{"prompts": ["x {mask}"], "answer": "Nowhere", "relation": "r"}\n')
    (folder / "damaged").mkdir()
    for file in model.iterdir():
        (folder / "damaged" / file.name).write_bytes(file.read_bytes())
    state = load_file(model / "model.safetensors")
    first = next(iter(state))
    save_file(
        state | {first: torch.full_like(state[first], float("nan"))},
        folder / "damaged/model.safetensors",
        {"format": "pt"},
    )
    find, effect, edit = (("find", "--model", model, "--facts"), ("effect", "--model", model, "--neurons"),
                          ("edit", "--model", model, "--neurons", neurons))  # fmt: skip
    for words, said in (
        (("find", "--model", folder, "--facts", facts), "--model: must hold a model"),
        (("find", "--model", folder / "damaged", "--facts", facts), "--model: must have finite weights"),
        ((*find, folder / "empty.jsonl"), "--facts: must hold"),
        ((*find, folder / "other.jsonl"), "answer: must be made of tokens"),
        ((*find, facts, "--ffn", "x"), "--ffn: must name"),
        ((*find, facts, "-o", facts), "facts.jsonl"),
        ((*effect, facts), "facts.jsonl"),
        ((*edit, "--out", model), "--out: must be a folder that is not there"),
        ((*edit, "--fact", 2, "--out", folder / "o"), "--fact: must be at most 1"),
        ((*edit, "--new", "Nowhere", "--out", folder / "o"), "must be made of tokens"),
    ):
        done = CliRunner().invoke(app, [str(word) for word in words])
        text = done.stderr + str(done.exception or "")
        assert done.exit_code != 0, words
        assert said in text.replace("\n", " "), (words, text)
        assert not (folder / "o").exists()
