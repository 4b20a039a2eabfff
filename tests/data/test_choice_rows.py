"""Rows with choices: plain jsonl, P3's fields, texts; broken files are named by line."""

import json

import pytest

from holdfast.data.choice_rows import ChoiceRow
from holdfast.data.readers.choice_rows import read_choice_rows
from holdfast.encoders.remembered import Remembered
from holdfast.errors import InputError


def file_of(tmp_path, *objects, name="task.jsonl"):
    path = tmp_path / name
    path.write_text("".join((o if isinstance(o, str) else json.dumps(o)) + "\n" for o in objects), encoding="utf-8")
    return path


def test_plain_fields_with_targets_as_text_or_place(tmp_path):
    x = {"choices": ["x", "y"]}
    path = file_of(tmp_path, {"input": "a", "target": "y", **x}, "", {"input": "b", "target": 0, **x})
    assert [(r.input, r.answer) for r in read_choice_rows(path)] == [("a", "y"), ("b", "x")]


def test_p3s_fields(tmp_path):
    path = file_of(
        tmp_path,
        {
            "inputs_pretokenized": "Is it?",
            "answer_choices": ["No", "Yes"],
            "targets_pretokenized": " Yes ",
            "inputs": [1],
        },
    )
    assert read_choice_rows(path) == [ChoiceRow("Is it?", ("No", "Yes"), 1)]


def test_texts_and_rows_without_choices_take_those_that_are_given(tmp_path):
    texts = file_of(tmp_path, "It rained.", "", "It snowed.", name="new.txt")
    assert [r.target for r in read_choice_rows(texts, choices=["no", "yes"], labelled=False)] == [None, None]
    rows = file_of(tmp_path, {"input": "a"}, {"input": "b", "choices": ["p", "q"]})
    found = read_choice_rows(rows, choices=["no", "yes"], labelled=False)
    assert [r.choices for r in found] == [("no", "yes"), ("p", "q")]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "line 2: must be JSON"),
        ("[1]", "line 2: must be an object"),
        ({"choices": ["a", "b"], "target": 0}, "line 2: must have a text as 'input'"),
        ({"input": "", "choices": ["a", "b"], "target": 0}, "line 2: input must be a text"),
        ({"input": "x", "choices": "a,b", "target": 0}, "must have a list of texts as 'choices'"),
        ({"input": "x", "target": 0}, "line 2: must have choices"),
        ({"input": "x", "choices": ["a", "a"], "target": 0}, "line 2: choices must be two or more different"),
        ({"input": "x", "choices": ["a", ""], "target": 0}, "line 2: choices must be texts that are not empty"),
        ({"input": "x", "choices": ["a", "b"]}, "line 2: must have 'target'"),
        ({"input": "x", "choices": ["a", "b"], "target": 2}, "must have a target among"),
        ({"input": "x", "choices": ["a", "b"], "target": True}, "must have a target among"),
        ({"input": "x", "choices": ["a", "b"], "target": "c"}, "must have a target among"),
    ],
)
def test_broken_lines_are_named(tmp_path, line, words):
    path = file_of(tmp_path, {"input": "x", "choices": ["a", "b"], "target": 1}, line)
    with pytest.raises(InputError, match=words):
        read_choice_rows(path)


def test_files_without_rows_and_texts_without_labels_are_refused(tmp_path):
    with pytest.raises(InputError, match="must hold"):
        read_choice_rows(file_of(tmp_path, ""))
    with pytest.raises(InputError, match="must be a text file"):
        read_choice_rows(tmp_path / "none.jsonl")
    with pytest.raises(InputError, match=r"line 1: must be in a \.jsonl file"):
        read_choice_rows(file_of(tmp_path, "It rained.", name="a.txt"))


def test_a_row_without_a_target_has_no_answer():
    with pytest.raises(InputError, match="target: must be known"):
        _ = ChoiceRow("a", ("b", "c")).answer
    with pytest.raises(InputError, match="target: must be a place"):
        ChoiceRow("a", ("b", "c"), 2)


def test_remembered_vectors_come_first_and_others_are_asked_for():
    class Other:
        def encode(self, texts):
            return [[7.0, float(len(text))] for text in texts]

    known = Remembered(["a", "b"], [[1.0, 0.0], [0.0, 1.0]], "mine", Other())
    assert known.encode(["b", "xyz", "a"]).tolist() == [[0.0, 1.0], [7.0, 3.0], [1.0, 0.0]]
    with pytest.raises(InputError, match="texts: must be among"):
        Remembered(["a"], [[1.0]], "mine").encode(["c"])
    with pytest.raises(InputError, match="vectors: must have as many rows"):
        Remembered(["a"], [[1.0], [2.0]], "mine")
