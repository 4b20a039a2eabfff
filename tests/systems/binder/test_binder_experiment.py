"""The experiment's parts: made-up tables, laws of errors, mock programs, annotations in their published format."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest

from holdfast.data.location import data_folder
from holdfast.errors import InputError
from holdfast.ledger.freezing import configurations
from holdfast.systems.binder.experiment.arms import LetterMapper, NoCondition, SqlLike, table_of
from holdfast.systems.binder.experiment.benchmarktables import TabFactTest, WTQTest
from holdfast.systems.binder.experiment.declared import ARMS, ITEMS, experiment
from holdfast.systems.binder.experiment.errorlaw import RATES, all_right, closed_form, measured_accuracy
from holdfast.systems.binder.experiment.golddata import GoldColumns, WrittenPrograms, first_number, read_prompts
from holdfast.systems.binder.experiment.itemtables import (
    KINDS,
    NEAR_MISSES,
    VALIDATION,
    Case,
    ItemTables,
    aggregate,
    nouns,
)
from holdfast.systems.binder.experiment.measurements import by_recording
from holdfast.systems.binder.experiment.mockparser import CollapsingErrors, SpreadErrors, curve
from holdfast.systems.binder.method.voting import BiasedVote, SimpleVote

CASE = Case(("fig", "fox", "bus", "pear"), (3, 9, 5, 7), ("fruit", "animal", "vehicle", "fruit"), "COUNT", ("fruit",))


def with_function(function):
    return Case(CASE.items, CASE.prices, CASE.kinds, function, CASE.asked)


# ------------------------------------------------------------------------------------------------------- item tables
def test_answers_are_those_of_a_loop():
    tables = ItemTables(kinds_asked=2, near_misses=3)
    for case in tables.cases(np.random.default_rng(0), 60):
        prices = [p for p, kind in zip(case.prices, case.kinds, strict=True) if kind in case.asked]
        assert case.answer == {"COUNT": len(prices), "SUM": sum(prices), "MAX": max(prices)}[case.function]
        assert prices
        assert len(set(case.items)) == len(set(case.prices)) == 15
        assert len(set(case.asked)) == 2
        doubtful = {noun for noun, _ in nouns(NEAR_MISSES)}
        assert sum(item in doubtful for item in case.items) == 3


def test_nouns_for_tuning_are_in_no_test_table():
    lists = [{noun for noun, _ in nouns(each)} for each in (KINDS, VALIDATION, NEAR_MISSES)]
    assert all(not a & b for a, b in itertools.combinations(lists, 2))
    assert len(lists[0]) == 72
    tables = ItemTables(near_misses=4)
    for case in tables.cases(np.random.default_rng(1), 20, validation=True):
        assert set(case.items) <= lists[1]


def test_the_same_stream_gives_the_same_tables():
    first, again = (list(ItemTables().cases(np.random.default_rng(5), 6)) for _ in range(2))
    assert first == again


def test_sql_alone_answers_what_it_says():
    mango = Case(("fruit salad", "fox"), (4, 6), ("fruit", "animal"), "SUM", ("fruit",))
    assert SqlLike().answers([mango]) == [4]
    assert NoCondition().answers([mango, with_function("MAX")]) == [10, 9]
    assert LetterMapper(3).map("is it a fruit?", [("fruits",), ("fox",)], ("item",)) == ["yes", "no"]


# ----------------------------------------------------------------------------------------------------- laws of errors
@pytest.mark.parametrize("function", ["COUNT", "MAX", "SUM"])
@pytest.mark.parametrize("e", [0.0, 0.1, 0.3])
def test_closed_forms_are_sums_over_all_patterns_of_errors(function, e):
    case = with_function(function)
    prices, total = np.array(case.prices), 0.0
    for pattern in itertools.product([False, True], repeat=4):
        flipped = np.array(pattern)
        probability = np.prod(np.where(flipped, e, 1 - e))
        total += probability * (aggregate(function, prices, case.members ^ flipped) == case.answer)
    if function == "SUM":  # flips that cancel are left out
        assert closed_form(case, e) == pytest.approx(all_right(case, e))
        assert closed_form(case, e) <= total + 1e-12
    else:
        assert closed_form(case, e) == pytest.approx(total)


def test_measured_accuracy_is_that_of_the_law():
    cases = list(ItemTables(functions=("COUNT",)).cases(np.random.default_rng(0), 8))
    values = measured_accuracy(cases, RATES, 9, np.random.default_rng(1))
    assert values[0] == 1.0
    expected = [np.mean([closed_form(case, e) for case in cases]) for e in RATES]
    assert values == pytest.approx(expected, abs=0.16)  # 3.5 standard errors of 72 draws at one half
    assert values == sorted(values, reverse=True)


def test_tables_of_cases_have_their_rows():
    table = table_of(CASE)
    assert list(table.rows()) == list(zip(CASE.items, CASE.prices, strict=True))


# ------------------------------------------------------------------------------------------------------- mock programs
def test_more_programs_are_better_and_the_bias_helps_where_errors_agree():
    rng = np.random.default_rng(0)
    rising = curve(SpreadErrors(0.55).questions(500, rng, rng), SimpleVote(), (1, 5, 20))
    assert rising[0] < rising[1] < rising[2]
    collapsed = CollapsingErrors().questions(500, rng, rng)
    assert collapsed.accuracy(20, BiasedVote()) > collapsed.accuracy(20, SimpleVote()) + 0.1
    assert set(np.unique(collapsed.answers)) == {-1, 0, 1}
    assert collapsed.truth.mean() == pytest.approx(0.5, abs=0.1)


# ---------------------------------------------------------------------------------------------------- real annotations
PROMPT = """Some instruction.

CREATE TABLE A season(
\trow_id int,
\tdate text,
\tresult text)
/*
3 example rows:
SELECT * FROM w LIMIT 3;
row_id\tdate\tresult
0\t2007-9-6\tl 41
1\t2007-9-16\tw 31
*/
Q: how many losses?
NeuralSQL: SELECT COUNT(*) FROM w WHERE QA("map@is it a loss?"; result) = 'yes'


CREATE TABLE B(
\trow_id int,
\ta int)
/*
3 example rows:
SELECT * FROM w LIMIT 3;
row_id\ta
0\t1
*/
Q: sum?
NeuralSQL: SELECT SUM(a) FROM w
"""


@pytest.fixture
def annotations(tmp_path):
    """The authors' files, tiny, in their format."""
    (tmp_path / "wikitq_binder.txt").write_text(PROMPT)
    (tmp_path / "tab_fact_binder.txt").write_text(PROMPT.split("CREATE TABLE B")[0])
    (tmp_path / "nsql_annotations_tab_fact_train.json").write_text(json.dumps({"7": "SELECT (", "8": "SELECT 1"}))
    two = {"header": ["a", "b"], "rows": [["1", "x"], ["2", "y"]]}
    one = {"header": ["a"], "rows": [["1,200 km"], ["-"]]}
    entries = [
        {"qa_question": "map@is it?", "qa_column": "b", "qa_answer": ["Yes", " no"], "table": two},
        {"qa_question": "map@km?", "qa_column": "a", "qa_answer": ["1,200", "/"], "table": one},
    ]
    (tmp_path / "qa_retrieve_pool.json").write_text(json.dumps(entries))
    return tmp_path


def test_written_programs_are_read_with_their_tables(annotations):
    problem = WrittenPrograms(folder=str(annotations))
    assert problem.available()
    assert problem.programs()[-2:] == ["SELECT (", "SELECT 1"]
    assert len(problem.programs()) == 5
    written = problem.prompts()
    assert [w.table.title for w in written] == ["A season", "B", "A season"]
    assert written[0].table.columns == ("date", "result")
    assert len(written[0].table) == 2
    assert written[1].question == "sum?"
    before = problem.fingerprint()
    (annotations / "wikitq_binder.txt").write_text(PROMPT + " ")
    assert problem.fingerprint() != before
    with pytest.raises(InputError, match="CREATE TABLE"):
        read_prompts("nothing")


def test_gold_columns_are_read_and_replayed_without_loss(annotations):
    (yes_no,) = GoldColumns(folder=str(annotations)).columns()
    (free,) = GoldColumns(folder=str(annotations), yes_no=False).columns()
    assert (yes_no.cells, yes_no.answers) == (("x", "y"), ("yes", "no"))
    assert first_number(free) == ["1200", "/"]
    for column in (yes_no, free):
        assert by_recording(column) == list(column.answers)
    assert not GoldColumns(folder=str(annotations / "nowhere")).available()


@pytest.mark.skipif(not GoldColumns().available(), reason="needs the authors' files in $HOLDFAST_DATA/binder")
def test_the_authors_files_have_the_published_counts():
    assert len(WrittenPrograms().programs()) == 227
    for yes_no, columns, cells in ((True, 25, 334), (False, 28, 438)):
        found = GoldColumns(yes_no=yes_no).columns()
        assert (len(found), sum(len(column.cells) for column in found)) == (columns, cells)
        assert all(by_recording(column) == list(column.answers) for column in found)
    assert data_folder("binder").is_dir()


# --------------------------------------------------------------------------------------------------------- declaration
def test_every_arm_tries_equally_many_settings_and_its_first_is_the_declared_one():
    spaces = {name: arm for name, arm in ARMS.items() if arm.space}
    assert len(spaces) == 7
    for name, arm in spaces.items():
        tried = configurations(name, arm, experiment.tuning.configurations)
        assert len({repr(t) for t in tried}) == 4
        for field, values in arm.space.items():
            assert getattr(arm.method, field) in values


def test_claims_name_what_they_rest_on():
    headline = next(claim for claim in experiment.claims if claim.role == "headline")
    assert set(headline.problems) == set(ITEMS)
    assert len(headline.arms) == 6
    assert {claim.expect for claim in experiment.claims if claim.role == "control"} == {"found", "not found"}


# ------------------------------------------------------------------------------------- data sets as they are published
@pytest.fixture
def published(tmp_path):
    """Tiny copies of both data sets' folders."""
    wtq, fact = tmp_path / "WikiTableQuestions", tmp_path / "Table-Fact-Checking"
    for folder in (
        wtq / "tagged" / "data",
        wtq / "csv" / "200-csv",
        fact / "tokenized_data",
        fact / "data" / "all_csv",
    ):
        folder.mkdir(parents=True)
    (wtq / "csv" / "200-csv" / "0.tsv").write_text("Rank\tName\\nand club\n1\tAnna\\nHarriers\n2\tBo\\pB\n3\n")
    header = "id\tutterance\tcontext\ttokens\ttargetValue\ttargetCanon\ttargetCanonType\n"
    lines = "nu-0\twho is first?\tcsv/200-csv/0.csv\t-\tAnna|B\\pC\tAnna|B\\pC\tstring\n"
    (wtq / "tagged" / "data" / "pristine-unseen-tables.tagged").write_text(header + lines)
    (fact / "data" / "all_csv" / "1-1.html.csv").write_text('team#score\nleeds#"3"\nyork#1\n')
    examples = {"1-1.html.csv": [["leeds win", "york win"], [1, 0], "cup"], "other": [["x"], [1], "y"]}
    (fact / "tokenized_data" / "test_examples.json").write_text(json.dumps(examples))
    (fact / "data" / "small_test_id.json").write_text(json.dumps(["1-1.html.csv"]))
    return tmp_path


def test_wikitablequestions_is_read_as_published(published):
    (task,) = WTQTest(folder=str(published / "WikiTableQuestions")).tasks()
    assert (task.id, task.text, task.target, task.canon) == ("nu-0", "who is first?", ("Anna", "B|C"), ("Anna", "B|C"))
    assert task.table.original_names == ("Rank", "Name\nand club")
    assert list(task.table.rows())[1] == ("2", "Bo|B")
    assert len(task.table) == 3  # the short last row is filled up


def test_tabfact_is_read_as_published(published):
    tasks = list(TabFactTest(folder=str(published / "Table-Fact-Checking")).tasks())
    assert [(task.text, task.target) for task in tasks] == [("leeds win", ("1",)), ("york win", ("0",))]
    assert tasks[0].table.title == "cup"
    assert next(iter(tasks[0].table.rows())) == ("leeds", '"3"')


def test_data_sets_without_their_files_or_endpoint_are_not_available(published, monkeypatch):
    problem = WTQTest(folder=str(published / "WikiTableQuestions"))
    monkeypatch.delenv("HOLDFAST_BINDER_ENDPOINT", raising=False)
    assert not problem.available()
    assert "HOLDFAST_BINDER_ENDPOINT" in problem.how_to_get
    before = problem.fingerprint()
    monkeypatch.setenv("HOLDFAST_BINDER_ENDPOINT", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("HOLDFAST_BINDER_MODEL", "m")
    assert problem.available()
    assert problem.fingerprint() != before
    assert not WTQTest(folder=str(published / "nowhere")).available()
    (published / "WikiTableQuestions" / "csv" / "200-csv" / "0.tsv").unlink()
    with pytest.raises(InputError, match=r"0\.tsv"):
        list(problem.tasks())
