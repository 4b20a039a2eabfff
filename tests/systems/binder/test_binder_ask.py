"""From a question to an answer: sampling, mending, running, voting; what happens when a part of it fails."""

from __future__ import annotations

import json

import pytest

from holdfast.errors import InputError
from holdfast.language import Completion, ModelError, Recorder, Replayed, Scripted
from holdfast.language.budget import BudgetExceeded, Limits
from holdfast.language.cache import AnswerCache
from holdfast.systems.binder import Table
from holdfast.systems.binder.tool.answering import LanguageModelAnswerer, LanguageModelMapper
from holdfast.systems.binder.tool.asking import Binder, NoAnswer
from holdfast.systems.binder.tool.callrunner import CallFailed
from holdfast.systems.binder.tool.executor import Executor
from holdfast.systems.binder.tool.mappers import FunctionMapper
from holdfast.systems.binder.tool.templates import NoTemplate

pytestmark = pytest.mark.usefixtures("kept_engines")
GAMES = Table.from_dict(
    {
        "Opponent": ["Leeds", "York", "Hull", "Bath"],
        "Result": ["W 3-1", "L 0-2", "W 2-0", "D 1-1"],
        "Crowd": [10, 20, 30, 40],
    },
    title="season",
)
WINS = "SELECT COUNT(*) FROM w WHERE QA(\"map@is it a win?\"; result) = 'yes'"


def says_wins(prompt):
    """Answers call prompts: every row whose cell begins with w is a win."""
    rows = prompt.rsplit("/*", 1)[1].split("*/")[0].splitlines()[1:]
    cells = [line.split("\t") for line in rows if line[:1].isdigit()]
    return "\n".join(f"{number}\t{cell}\t{'Yes' if cell.startswith('w') else 'No'}" for number, cell in cells)


def model(programs, calls=says_wins, name="scripted"):
    """A script: the first prompt asks for programs, all others are calls."""
    given = list(programs)

    def script(prompt):
        return given if prompt.endswith("NeuralSQL:") else calls(prompt)

    return Scripted(script, name=name)


def binder(lm, n, **options):
    executor = Executor(mapper=LanguageModelMapper(lm), answerer=LanguageModelAnswerer(lm))
    return Binder(lm, n_samples=n, executor=executor, **options)


def test_a_question_is_sampled_run_and_voted_on():
    programs = [
        Completion(WINS, -2.0),
        Completion("SELECT 7", -1.0),
        Completion(WINS.replace("COUNT(*)", "SUM(1)"), -3.0),
    ]
    lm = model(programs)
    steps = []
    answer = binder(lm, 3).ask("how many games were won?", GAMES, progress=lambda *step: steps.append(step))
    assert (answer.answer, answer.program) == ([2], WINS)
    assert answer.scores == {(2,): 2, (7,): 1}
    assert list(answer.result.columns["col_1"]) == ["yes", "no", "yes", "no"]
    assert len(lm.prompts) == 2, "the second program's call is in the cache"
    assert answer.cost.calls == 2
    assert answer.cost.tokens == lm.spending.tokens > 1000
    assert steps[-1] == (3, 3)
    assert answer.notes == ()


def test_the_prompt_shows_the_normalised_table_and_the_nearest_examples():
    lm = model([WINS])
    binder(lm, 1, shots=3).ask("how many games did they win?", GAMES)
    prompt = lm.prompts[0]
    assert "0\tleeds\tw 3-1\t10\n" in prompt
    assert prompt.count("NeuralSQL:") == 4
    assert "how many games did the team win at rover park?" in prompt


def test_equal_programs_run_once_and_count_as_often_as_they_came():
    answer = binder(model([WINS] * 5 + ["SELECT 1"]), 6).ask("?", GAMES)
    assert answer.scores == {(2,): 5, (1,): 1}
    assert len(answer.samples) == 6


def test_programs_that_fail_cost_their_vote_only():
    bad = ["SELECT nothing FROM w", "DROP TABLE w", "SELECT (", "", "I am sorry.", 'SELECT QA("map@"; result) FROM w']
    answer = binder(model([*bad, "SELECT MAX(crowd) FROM w"]), 7).ask("largest crowd?", GAMES)
    assert answer.answer == [40]
    assert sum(bool(sample.error) for sample in answer.samples) == 6
    assert answer.notes[0].startswith("6 of 7 programs failed; the first:")


def test_small_mistakes_are_mended_before_running():
    answer = binder(model(["```sql\nSELECT crowd FROM w WHERE opponent = 'Leeds');\n```"]), 1).ask("?", GAMES)
    assert answer.answer == [10]
    assert answer.program == "SELECT crowd FROM w WHERE opponent = 'leeds'"


def test_if_all_programs_fail_the_reasons_are_told():
    with pytest.raises(NoAnswer, match="none of 3 programs gave an answer; 2 times") as raised:
        binder(model(["DROP TABLE w", "SELECT (", "DROP TABLE w"]), 3).ask("?", GAMES)
    assert [bool(sample.error) for sample in raised.value.samples] == [True] * 3
    with pytest.raises(InputError, match="crowd"):  # a single program: its own error
        binder(model(["SELECT crowds FROM w"]), 1).ask("?", GAMES)


def test_programs_that_find_nothing_answer_nothing():
    answer = binder(model(["SELECT crowd FROM w WHERE crowd > 99"] * 2), 2).ask("?", GAMES)
    assert (answer.answer, answer.scores) == ([], {})


def test_statements_vote_with_a_bias_for_true():
    lm = model(["SELECT 0", "SELECT 1", "SELECT crowd FROM w WHERE crowd > 99"])
    answer = binder(lm, 3, exemplars="statements", vote="biased").ask("they won twice", GAMES)
    assert (answer.answer, answer.scores) == ([1], {(1,): 3, (0,): 2})  # an empty answer counts as 0
    assert "gives 1 if the statement is true" in lm.prompts[0]


def test_fewer_samples_than_asked_for_are_noted():
    class Short(Scripted):
        async def complete(self, prompt, **options):
            return (await super().complete(prompt, **options))[:2]

    answer = binder(Short(lambda prompt: "SELECT 5"), 4).ask("?", GAMES)
    assert answer.notes == ("2 of 4 programs could not be sampled",)


# --------------------------------------------------------------------------------------------------- limits, failures
def test_a_limit_stops_with_what_is_done():
    programs = ["SELECT 3", WINS, WINS.replace("win", "draw"), "SELECT 4"]
    answer = binder(model(programs), 4, limits=Limits(max_calls=2)).ask("?", GAMES)
    assert answer.scores == {(3,): 1, (2,): 1}
    assert any("stopped with 2 programs left: max_calls" in note for note in answer.notes)


def test_a_limit_before_the_first_answer_is_an_error():
    with pytest.raises(BudgetExceeded, match="max_calls"):
        binder(model([WINS]), 1, limits=Limits(max_calls=1)).ask("?", GAMES)


def test_an_endpoint_that_dies_between_calls_leaves_what_is_done(tmp_path):
    def dies(prompt):
        raise ModelError("http://x: no usable answer after 6 attempts")

    with pytest.raises(CallFailed, match="no usable answer"):
        binder(model([WINS, "SELECT 1"], dies), 2).ask("?", GAMES)
    answer = binder(model(["SELECT 1", WINS, "SELECT 2"], dies), 3).ask("?", GAMES)
    assert answer.answer == [1]
    assert "stopped with 2 programs left" in answer.notes[0]


def test_paid_answers_survive_and_are_not_paid_for_twice(tmp_path):
    lm = model([WINS])
    for _ in range(2):
        executor = Executor(mapper=LanguageModelMapper(lm), cache=AnswerCache(tmp_path / "c.sqlite"))
        assert Binder(lm, n_samples=1, executor=executor).ask("?", GAMES).answer == [2]
    assert len([p for p in lm.prompts if not p.endswith("NeuralSQL:")]) == 1


def test_missing_rows_are_asked_again():
    seen = []

    def forgets(prompt):
        lines = says_wins(prompt).splitlines()
        seen.append(len(lines))
        return "\n".join(lines[: max(1, len(lines) - 2)])

    answer = binder(model([WINS], forgets), 1).ask("?", GAMES)
    assert answer.answer == [2]
    assert seen == [4, 2, 1]


def test_a_recorded_run_is_repeated_without_the_model(tmp_path):
    file = tmp_path / "run.jsonl"
    recorder = Recorder(model([WINS, "SELECT 9", WINS], name="paid"), file)
    first = binder(recorder, 3).ask("how many?", GAMES)
    again = binder(Replayed(file), 3).ask("how many?", GAMES)
    assert (again.answer, again.scores, again.program) == (first.answer, first.scores, first.program)
    assert (again.cost.tokens, first.cost.tokens > 0) == (0, True)
    with pytest.raises(ModelError, match="no answer to 'another question\\?'"):
        binder(Replayed(file), 3).ask("another question?", GAMES)


# ---------------------------------------------------------------------------------------------------- without a model
def offline(answers):
    return Executor(mapper=FunctionMapper(lambda question, cell: answers.get(cell, "no"), "known"))


def test_templates_need_no_model_and_keep_the_table_as_it_is():
    answer = Binder(executor=offline({"York": "yes"})).ask("which opponents are towns?", GAMES, column="Opponent")
    assert answer.answer == ["York"]
    assert answer.cost.tokens == 0
    with pytest.raises(NoTemplate):
        Binder(executor=offline({})).ask("who scored first?", GAMES)


@pytest.mark.parametrize("question", ["", "  \n"])
def test_empty_questions_and_tables_are_refused(question):
    with pytest.raises(InputError, match="question: must not be empty"):
        Binder(executor=offline({})).ask(question, GAMES)
    with pytest.raises(InputError, match="at least one row"):
        Binder(executor=offline({})).ask("how many are x?", Table.from_dict({"a": []}))


@pytest.mark.parametrize(("option", "value"), [("n_samples", 0), ("temperature", -1), ("vote", "loud"), ("shots", -1)])
def test_strange_settings_are_refused(option, value):
    with pytest.raises(InputError, match=option):
        Binder(executor=offline({}), **{option: value})


def test_the_answer_shows_itself_in_a_notebook_and_as_json():
    nasty = Table.from_dict({"<i>": ["<b>x</b>", "y"], "n": [1, 2]}, title="t")
    answer = Binder(executor=offline({"<b>x</b>": "yes"})).ask("how many are tags?", nasty)
    page = answer._repr_html_()
    assert "<b>x</b>" not in page
    assert "<i>" not in page
    assert "where &lt;i&gt; is a tag, asked of each" in page
    told = json.loads(json.dumps(answer.to_json()))
    assert told["answer"] == [1]
    assert told["columns"] == {"col_1": ["yes", "no"]}
