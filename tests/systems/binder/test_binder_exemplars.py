"""Every packaged example is right: its program parses, runs on its table, and gives its answer from its calls."""

from __future__ import annotations

import json

import pytest

from holdfast.errors import InputError
from holdfast.systems.binder.method.program import BinderProgram
from holdfast.systems.binder.tool.executor import Executor
from holdfast.systems.binder.tool.exemplars import load_calls, load_programs
from holdfast.systems.binder.tool.mappers import FunctionAnswerer, ReplayMapper
from holdfast.systems.binder.tool.repair import repaired

EXAMPLES = [*load_programs("questions"), *load_programs("statements")]


@pytest.fixture(scope="module")
def executor(kept_engines):
    """One engine for all; its mapper is set for each example."""
    with Executor() as shared:
        yield shared


@pytest.mark.parametrize("example", EXAMPLES, ids=[f"{i}-{e.title[:12]}" for i, e in enumerate(EXAMPLES)])
def test_the_program_gives_the_answer(executor, example):
    maps = [call for call in example.calls if call.kind == "map"]
    known = {call.question: dict(zip(call.rows, call.answers, strict=True)) for call in maps}
    values = {call.question: call.answers for call in example.calls if call.kind == "ans"}
    executor.mapper = ReplayMapper(known, name=f"{example.title} {example.question}")
    executor.answerer = FunctionAnswerer(lambda question, rows, header: values[question], f"gold {example.question}")
    assert {call.question for call in BinderProgram.parse(example.program).calls} == {*known, *values}
    assert repaired(example.program, example.table) == example.program
    assert tuple(executor.run(example.program, example.table).answer) == example.answer


def test_examples_are_of_both_kinds_and_tables():
    questions, statements = load_programs("questions"), load_programs("statements")
    assert len(questions) >= 14
    assert len(statements) >= 18
    assert {example.answer for example in statements} == {(0,), (1,)}
    with_calls = [example for example in questions if example.calls]
    assert 8 <= len(with_calls) < len(questions), "some questions need no call"
    assert any('"ans@' in example.program for example in questions)
    assert any('"map@' in example.program and ";" in example.program.split("map@")[1] for example in questions)
    assert {call.kind for call in load_calls("map")} == {"map"}


def test_a_file_of_ones_own_is_checked(tmp_path):
    file = tmp_path / "own.jsonl"
    entry = {"title": "t", "header": ["a"], "rows": [["1"]], "question": "q", "program": "SELECT a FROM w"}
    file.write_text(json.dumps(entry) + "\n\n")
    assert load_programs(str(file))[0].program == "SELECT a FROM w"
    for wrong, words in [
        ({**entry, "rows": [["1", "2"]]}, "1 cells"),
        ({k: v for k, v in entry.items() if k != "program"}, "program: Field required"),
        ([1], "an object"),
        ("text", "an object"),
        ({**entry, "header": "a"}, "header: Input should be a valid array"),
        ({**entry, "rows": 5}, "rows: Input should be a valid array"),
        ({**entry, "rows": [[None]]}, r"rows\.0\.0"),
        ({**entry, "question": 5}, "question: Input should be a valid string"),
        ({**entry, "answer": {"x": 1}}, "answer: Input should be a valid array"),
        ({**entry, "calls": [{"kind": "sum", "question": "q", "answers": []}]}, r"calls\.0\.kind"),
        ({**entry, "calls": [{"kind": "map", "question": "q", "answers": [], "columns": ["b"]}]}, "in the header"),
        ({**entry, "calls": [{"kind": "map", "question": "q", "answers": [], "columns": ["a"]}]}, "one answer per row"),
        ({**entry, "calls": [3]}, r"calls\.0"),
    ]:
        file = tmp_path / f"{len(list(tmp_path.iterdir()))}.jsonl"
        file.write_text(json.dumps(wrong))
        with pytest.raises(InputError, match=words):
            load_programs(str(file))
    (tmp_path / "broken.jsonl").write_text("{")
    with pytest.raises(InputError, match=r"broken\.jsonl, line 1 must be .*Invalid JSON"):
        load_programs(str(tmp_path / "broken.jsonl"))
    with pytest.raises(InputError, match="packaged name"):
        load_programs(str(tmp_path / "none.jsonl"))
