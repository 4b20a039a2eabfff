"""Questions that need no language model: what is understood, what is refused, and what is said then."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import InputError
from holdfast.systems.binder import Table
from holdfast.systems.binder.experiment.itemtables import FUNCTIONS, ItemTables
from holdfast.systems.binder.method.program import BinderProgram
from holdfast.systems.binder.tool.questions import Choice, Membership, head_of, read_question
from holdfast.systems.binder.tool.repair import repaired
from holdfast.systems.binder.tool.templates import NoTemplate, read_request, singular, template_program

SALES = Table.from_dict(
    {"city": ["Lisbon", "Graz"], "product name": ["kettle", "drill"], "amount": [3.5, 2.0], "order": [1, 2]}
)
COASTAL = "QA(\"map@is it a coastal city?\"; `city`) = 'yes'"
ITEMS = Table.from_dict({"item": ["apple", "tram"], "price": [3, 4]})


@pytest.mark.parametrize(
    ("question", "program"),
    [
        ("how many orders went to coastal cities?", f"SELECT COUNT(*) FROM w WHERE {COASTAL}"),
        ("How many orders came from Graz", "SELECT COUNT(*) FROM w WHERE LOWER(`city`) = 'graz'"),
        ("what is the total amount of orders from coastal cities?", f"SELECT SUM(`amount`) FROM w WHERE {COASTAL}"),
        ("average amount for cities in the mountains", None),
    ],
)  # fmt: skip
def test_questions_about_sales(question, program):
    if program is None:
        assert template_program(question, SALES, column="city").startswith("SELECT AVG(`amount`)")
    else:
        assert template_program(question, SALES, column="city" if "Graz" in question else None) == program


@pytest.mark.parametrize(
    ("question", "start", "labels"),
    [
        ("how many items are fruit?", "SELECT COUNT(*)", ["a fruit"]),
        ("how many fruits are there?", "SELECT COUNT(*)", ["a fruit"]),
        ("number of items that are vehicles or animals", "SELECT COUNT(*)", ["a vehicle", "an animal"]),
        ("what is the total price of items that are fruit?", "SELECT SUM(`price`)", ["a fruit"]),
        ("What's the sum of the prices of musical instruments?", "SELECT SUM(`price`)", ["a musical instrument"]),
        ("mean price of items which are tools", "SELECT AVG(`price`)", ["a tool"]),
        ("what is the highest price of an item that is a vehicle?", "SELECT MAX(`price`)", ["a vehicle"]),
        ("lowest price among items that are fruit", "SELECT MIN(`price`)", ["a fruit"]),
        ("which items are fruit?", "SELECT `item` FROM", ["a fruit"]),
        ("list all items that are fruit, tools or toys", "SELECT `item` FROM", ["a fruit", "a tool", "a toy"]),
        ("how many items are not fruit?", "SELECT COUNT(*)", ["a fruit"]),
    ],
)
def test_every_function_and_wording(question, start, labels):
    program = template_program(question, ITEMS)
    assert program.startswith(start)
    asked = [call.question for call in BinderProgram.parse(program).calls]
    assert asked == [f"is it {label}?" for label in labels]
    assert ("= 'no'" in program) == (" not " in question)


def test_meanings_joined_by_or_are_all_included_and_negated_ones_all_excluded():
    assert " OR " in template_program("how many items are fruit or tools?", ITEMS)
    assert " AND " in template_program("how many items are not fruit or tools?", ITEMS)


@pytest.mark.parametrize(
    "question",
    [
        "who won?",
        "which item is best?",
        "which items are the newest?",
        "how many items are cheaper than 5?",
        "how many more fruits than tools are there?",
        "what is the difference in price between fruit and tools?",
        "which fruit is the most expensive one of all?",
        "is there a fruit?",
        "what is the first item?",
        "list everything",
        "how many orders were shipped to cities that have a harbour and an airport and a university nearby?",
        "?",
    ],
)
def test_other_questions_are_said_to_need_a_language_model(question):
    with pytest.raises(NoTemplate, match="needs a language model") as raised:
        template_program(question, ITEMS)
    assert "how many items are fruit?" in str(raised.value)  # an example of what would do


def test_the_column_has_to_be_clear():
    with pytest.raises(InputError, match=r"column: .* one of city, product name"):
        template_program("how many are nice?", SALES)
    assert "`product name`" in template_program("how many are tools?", SALES, column="Product names")
    with pytest.raises(InputError, match="did you mean 'amount'"):
        template_program("how many are tools?", SALES, column="amont")
    with pytest.raises(InputError, match="name a column of the table"):
        template_program("what is the total weight of items that are fruit?", ITEMS)
    with pytest.raises(InputError, match="column of numbers"):
        template_program("what is the total item of items that are fruit?", ITEMS)
    with pytest.raises(InputError, match="column of text"):
        template_program("how many are fruit?", Table.from_dict({"price": [1, 2]}))


@given(st.text(max_size=60))
def test_any_question_gives_a_program_that_parses_or_words(question):
    try:
        program = template_program(question, ITEMS)
    except InputError:
        return
    BinderProgram.parse(program)


@given(st.text(min_size=1, max_size=20), st.text(min_size=1, max_size=20))
def test_names_and_meanings_of_strangers_stay_what_they_are(name, meaning):
    table = Table.from_dict({name: ["x"], "price": [1]})
    try:
        program = template_program(f"how many are {meaning}?", table, column=table.columns[0])
    except InputError:
        return
    assert len(BinderProgram.parse(program).calls) <= 8
    assert program.startswith("SELECT COUNT(*) FROM w WHERE ")


def test_generated_questions_all_fit_their_template():
    for tables in (ItemTables(), ItemTables(kinds_asked=2, near_misses=4)):
        for case in tables.cases(np.random.default_rng(0), 60):
            asked = read_request(case.question)
            assert FUNCTIONS.index(asked.function) >= 0
            assert asked.meanings == case.asked
            assert asked.measure == ("" if case.function == "COUNT" else "price")


def test_singulars():
    for plural, noun in {"boxes": "box", "lorries": "lorry", "children": "child", "glass": "glass"}.items():
        assert singular(plural) == noun


# ------------------------------------------------------------------------------------------------- questions of cells
@pytest.mark.parametrize(
    ("question", "asked"),
    [
        ("is it a fruit?", Membership("fruit")),
        ("Is this an animal", Membership("animal")),
        ("is he/she a brazilian?", Membership("brazilian")),
        ("is the player from norway?", Membership("from norway")),
        ("is it red or green?", Choice(("red", "green"))),
        ("which of these: a, b or c?", Choice(("a", "b", "c"))),
        ("what is the year?", None),
        ("how many wins?", None),
        ("", None),
    ],
)
def test_questions_about_cells(question, asked):
    assert read_question(question) == asked


def test_nouns_of_labels():
    assert head_of("city on the coast") == "city"
    assert head_of("very old city") == "city"
    assert head_of("city") is None


# -------------------------------------------------------------------------------------------------------------- repair
GAMES = Table.from_dict(
    {
        "home team": ["Leeds Utd", "York City", "York Town"],
        "2001": ["2r", "qf", "w"],
        "goals": [2, 1, 0],
        "a`b": ["x", "y", "z"],
    }
)


@pytest.mark.parametrize(
    ("program", "mended"),
    [
        ("SELECT goals FROM w", "SELECT goals FROM w"),
        ("SELECT home team FROM w)", "SELECT `home team` FROM w"),
        ("SELECT HOME TEAM FROM w", "SELECT `home team` FROM w"),
        ("SELECT `home team` FROM w WHERE goals = 2001", "SELECT `home team` FROM w WHERE goals = 2001"),
        ("SELECT goals FROM w WHERE `home team` = 'leeds utd'", "SELECT goals FROM w WHERE `home team` = 'Leeds Utd'"),
        ('SELECT 1 FROM w WHERE "home team" = "leeds-utd"', "SELECT 1 FROM w WHERE \"home team\" = 'Leeds Utd'"),
        ("SELECT `home team` IN ('York City', 'leads utd')", "SELECT `home team` IN ('York City', 'Leeds Utd')"),
        ("SELECT `home team` NOT IN ('leeds utd') FROM w", "SELECT `home team` NOT IN ('Leeds Utd') FROM w"),
        ("SELECT 1 FROM w WHERE `home team` = 'york'", "SELECT 1 FROM w WHERE `home team` = 'york'"),
        ("SELECT 1 FROM w WHERE `home team` LIKE 'leeds utd'", "SELECT 1 FROM w WHERE `home team` LIKE 'leeds utd'"),
        ("""SELECT QA("map@home team a win?"; goals) = 'leeds utd' FROM w""", None),
        ("SELECT 'home team' FROM w -- home team", None),
        ("SELECT a`b FROM w", None),
    ],
)  # fmt: skip
def test_small_mistakes_are_mended_and_nothing_else(program, mended):
    if "a`b" in program:
        with pytest.raises(InputError):
            repaired(program, GAMES)
        return
    assert repaired(program, GAMES) == (program if mended is None else mended)


@given(st.text("SELECT()'\"`homeam= w2001-*/", max_size=40))
def test_repair_never_breaks(program):
    try:
        once = repaired(program, GAMES)
    except InputError:
        return
    assert isinstance(once, str)
