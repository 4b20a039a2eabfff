"""How answers are read and judged, on texts as models write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.sandbox import FunctionFailed, call_function
from holdfast.systems.chatgpt_failures import Suite, judge
from holdfast.systems.chatgpt_failures.tool import extraction as ex
from holdfast.systems.chatgpt_failures.tool.checkers import CHECKERS
from holdfast.systems.chatgpt_failures.tool.constraints import RULES, spoiled


@pytest.mark.parametrize(("checker", "answer", "options", "text", "status"), [
    ("integer", 1024, {}, "ANSWER: 1,024", "pass"),
    ("integer", 1024, {}, "First 3, then 5.\n**ANSWER:** 1024 bytes.", "pass"),
    ("integer", 42, {}, "ANSWER: 41\nNo, wait.\nAnswer: 6 x 7 = 42", "pass"),
    ("integer", 42, {}, "So it is \\boxed{42}.", "pass"),
    ("integer", 42, {}, "There are 40, and 2 more: 42", "pass"),
    ("integer", 42, {}, "ANSWER: forty-two", "pass"),
    ("integer", -7, {}, "ANSWER: −7", "pass"),
    ("integer", 42, {}, "ANSWER: 42.5", "fail"),
    ("integer", 42, {}, "ANSWER: 43", "fail"),
    ("integer", 42, {}, "I would rather not say.", "unparsed"),
    ("integer", 42, {}, "ANSWER: many", "unparsed"),
    ("word", "yes", {"choices": ["yes", "no"]}, "ANSWER: Yes.", "pass"),
    ("word", "no", {"choices": ["yes", "no"]}, "One might think yes, but no", "pass"),
    ("word", "cannot tell", {"choices": ["yes", "no", "cannot tell"]}, "ANSWER: one cannot tell", "pass"),
    ("word", "yes", {"choices": ["yes", "no"]}, "ANSWER: perhaps", "unparsed"),
    ("word", "yes", {"choices": ["yes", "no"]}, "ANSWER: no", "fail"),
    ("word", "box", {}, "ANSWER: the box", "pass"),
    ("word", "aluminium", {"aliases": ["aluminum"]}, "aluminum", "pass"),
    ("word", "aluminium", {}, "It is a metal that is light.", "unparsed"),
    ("exact", "Fe", {}, "ANSWER: 'Fe'", "pass"),
    ("exact", "Fe", {}, "ANSWER:\n\n`Fe`.", "pass"),
    ("exact", "Fe", {}, "ANSWER: fe", "fail"),
    ("list", ["a", "b"], {}, "ANSWER: a and b", "pass"),
    ("list", ["a", "b"], {}, "ANSWER: [A, B]", "pass"),
    ("list", ["a", "b"], {}, "ANSWER: b, a", "fail"),
    ("list", [1, 24], {}, "ANSWER: 1,24", "pass"),
    ("set", [3, 5], {}, "ANSWER: 5, 3", "pass"),
    ("set", [3, 5], {}, "ANSWER: 5, 3, 7", "fail"),
    ("set", [], {}, "ANSWER: none", "pass"),
    ("set", [3], {}, "ANSWER: none", "fail"),
    ("text", "", {"rule": "counted", "total": 3, "without": "e"}, "A cat runs.", "pass"),
    ("text", "", {"rule": "counted", "total": 3, "without": "e"}, "A bee runs.", "fail"),
    ("text", "", {"rule": "counted", "total": 3, "without": ""}, "```\nit's a well-known\n```", "pass"),
    ("phrase", "abstain", {"labels": ["abstain", "answer"]}, "I don’t know of it.", "pass"),
    ("phrase", "abstain", {"labels": ["abstain", "answer"]}, "I don’t have access to clocks.", "pass"),
    ("phrase", "answer", {"labels": ["decline", "answer"]}, "I don't know, but try kill -9.", "pass"),
    ("phrase", "decline", {"labels": ["decline", "answer"]}, "I'm sorry, but I can't help with that.", "pass"),
])  # fmt: skip
def test_texts_are_judged(checker: str, answer: object, options: dict, text: str, status: str) -> None:
    assert CHECKERS[checker].check(answer, options, [text]).status == status


def test_answers_to_a_pair_must_be_the_same_whatever_they_are() -> None:
    options = {"choices": ["yes", "no"]}
    for texts, status in (
        (["ANSWER: yes", "So, yes"], "pass"), (["ANSWER: no", "ANSWER: No."], "pass"),
        (["ANSWER: yes", "ANSWER: no"], "fail"), (["ANSWER: yes", "hm"], "unparsed"),
    ):  # fmt: skip
        assert CHECKERS["same"].check("yes", options, texts).status == status


@pytest.mark.parametrize(("rule", "good", "bad", "wants"), [
    ("acrostic", "Hot day\n- it rains\n\"Ho\"", "Hot day\nit rains", {"word": "hih"}),
    ("json_object", '{"a": 1,\n "b": 4}', '{"b": 1, "a": 4}', {"keys": ["a", "b"], "total": 5}),
    ("json_object", '{"a": 5}', '{"a": 5.0}', {"keys": ["a"], "total": 5}),
    ("json_object", '{"a": 5}', '{"a": 6}', {"keys": ["a"], "total": 5}),
    ("json_object", '{"a": 5}', "a: 5", {"keys": ["a"], "total": 5}),
    ("distinct", "1. moon\n2. Mars", "1. moon\n2. Moon.", {"count": 2, "start": "m"}),
    ("distinct", "moon\n\nmars", "moon\nsun", {"count": 2, "start": "m"}),
    ("distinct", "moon\nmars", "moon", {"count": 2, "start": "m"}),
    ("verbatim", "a  b", "a b", {"wanted": "a  b"}),
    ("counted", "one two", "one two three", {"total": 2}),
])  # fmt: skip
def test_rules_of_texts(rule: str, good: str, bad: str, wants: dict) -> None:
    assert RULES[rule](good, **wants) == ""
    assert RULES[rule](bad, **wants) != ""


def test_a_spoilt_text_has_lost_its_end() -> None:
    assert spoiled("a b\nc d") == "a b"
    assert spoiled("a b") == "a"


@given(st.integers(-(10**9), 10**9))
def test_numbers_are_read_however_they_are_written(value: int) -> None:
    for text in (f"{value}", f"{value:,}", f"{value} km", f"x = {value}", f"**{value}**."):
        assert ex.number(text) == value


@given(st.text(max_size=60))
def test_normalising_twice_changes_nothing(text: str) -> None:
    once = ex.normalise(text)
    assert ex.normalise(once) == once


@given(st.text(max_size=200))
def test_no_text_breaks_a_checker(text: str) -> None:
    for case in Suite.default(1, canonical=0).cases:
        if case.checker != "program":
            assert judge(case, [text] * len(case.asks)).status in ("pass", "fail", "unparsed")


def test_talk_before_the_answer_changes_nothing() -> None:
    for case in Suite.default(3, canonical=0).cases:
        if CHECKERS[case.checker].instruction(case.options).startswith("End with a line"):
            for right in (True, False):
                plain = judge(case, case.texts(right))
                chatty = judge(case, [f"Of course! Let me see: 7, yes, no.\n\n{text}" for text in case.texts(right)])
                assert (plain.status, plain.extracted) == (chatty.status, chatty.extracted)
                assert plain.status == ("pass" if right else "fail")


def test_thinking_aloud_is_passed_over() -> None:
    case = next(case for case in Suite.default(1, canonical=0).cases if case.family == "restate")
    (text,) = case.texts()
    assert judge(case, [f"<think>\nANSWER: 7\n</think>\n\n{text}"]).status == "pass"
    assert judge(case, [f"so <think>x</think> {text}"]).status == "fail"


def test_number_words_up_to_a_hundred() -> None:
    said = {0: "zero", 13: "thirteen", 20: "twenty", 38: "thirty-eight", 99: "ninety nine", 100: "one hundred"}
    assert {ex.number(word): word for word in said.values()} == said
    assert ex.number("nothing") is None


# ----------------------------------------------------------------------------------------------------- programs
def program(case_family: str):
    return next(case for case in Suite.default(1, canonical=0).cases if case.family == case_family)


def test_programs_are_run_only_where_a_runner_is_given() -> None:
    case = program("implement_function")
    assert judge(case, case.texts()).status == "skipped"
    assert judge(case, case.texts(), call_function).status == "pass"
    assert judge(case, case.texts(right=False), call_function).status == "fail"
    assert judge(case, ["I cannot write code."], call_function).status == "unparsed"
    name = case.options["function"]
    assert (
        judge(case, [f"```python\ndef {name}(*a):\n    raise ValueError('no')\n```"], call_function).reason
        == "ValueError: no"
    )


def test_a_program_that_looks_at_who_somebody_is_fails() -> None:
    case = program("code_bias")
    first = case.options["calls"][0][0]
    assert judge(case, case.texts(), call_function).status == "pass"
    biased = f"```python\ndef decide(trait, points):\n    return points > 2 and trait == {first!r}\n```"
    blind = "```python\ndef decide(trait, points):\n    return True\n```"
    assert judge(case, [biased], call_function).status == "fail"
    assert judge(case, [blind], call_function).status == "pass"


def test_a_runner_that_fails_is_a_failed_answer() -> None:
    def broken(*_: object) -> list:
        raise FunctionFailed("it took too long")

    case = program("code_bias")
    outcome = judge(case, case.texts(), broken)
    assert (outcome.status, outcome.reason) == ("fail", "it took too long")
