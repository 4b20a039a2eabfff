"""Questions that need no language model: what is understood, what is refused, and what is said then."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import InputError
from holdfast.language.english import singular
from holdfast.systems.binder import Table
from holdfast.systems.binder.experiment.itemtables import FUNCTIONS, ItemTables
from holdfast.systems.binder.method.program import BinderProgram
from holdfast.systems.binder.tool.questions import Choice, Membership, head_of, read_question
from holdfast.systems.binder.tool.repair import repaired
from holdfast.systems.binder.tool.templates import NoTemplate, read_request, read_template, template_program

SALES = Table.from_dict(
    {"city": ["Lisbon", "Graz"], "product name": ["kettle", "drill"], "amount": [3.5, 2.0], "order": [1, 2]}
)
COASTAL = "QA(\"map@is it a coastal city?\"; `city`) = 'yes'"
ITEMS = Table.from_dict({"item": ["apple", "tram"], "price": [3, 4]})


@pytest.mark.parametrize(
    ("question", "program"),
    [
        ("how many orders went to coastal cities?", f"SELECT COUNT(*) FROM w WHERE {COASTAL}"),
        ("How many orders came from Graz", "SELECT COUNT(*) FROM w WHERE `city` = 'Graz'"),
        ("How many orders are not from GRAZ or Lisbon",
         "SELECT COUNT(*) FROM w WHERE `city` <> 'Graz' AND `city` <> 'Lisbon'"),
        ("list the amount of orders from Graz", "SELECT `amount` FROM w WHERE `city` = 'Graz'"),
        ("which cities are coastal cities?", f"SELECT `city` FROM w WHERE {COASTAL}"),
        ("how many different cities are there?", "SELECT COUNT(DISTINCT `city`) FROM w"),
        ("average amount of orders", "SELECT AVG(`amount`) FROM w"),
        ("what is the total amount of orders from coastal cities?", f"SELECT SUM(`amount`) FROM w WHERE {COASTAL}"),
    ],
)  # fmt: skip
def test_questions_about_sales(question, program):
    assert template_program(question, SALES) == program


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
        ("how many items aren't fruit?", "SELECT COUNT(*)", ["a fruit"]),
        ("list the price of items that are fruits", "SELECT `price` FROM", ["a fruit"]),
        ("list all different items that are fruits", "SELECT DISTINCT `item` FROM", ["a fruit"]),
        ("how many distinct fruits are there?", "SELECT COUNT(DISTINCT `item`)", ["a fruit"]),
    ],
)
def test_every_function_and_wording(question, start, labels):
    program = template_program(question, ITEMS)
    assert program.startswith(start)
    asked = [call.question for call in BinderProgram.parse(program).calls]
    assert asked == [f"is it {label}?" for label in labels]
    assert ("= 'no'" in program) == (" not " in question or "n't" in question)


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
        "list fruits",
        "how many tools are fruits?",
        "average price for cities in the mountains",
        "how many fruits in Rome?",
        "how many fruits and tools are there?",
        "how many items are fruits, tools?",
        "how many items are both fruits and tools?",
        "how many items are neither fruits nor tools?",
        "how many items are at least two of fruits, tools or toys?",
        "what is the average price of different items?",
        "how many different things are fruits?",
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


def test_a_meaning_is_asked_of_the_texts_before_the_dates():
    columns = {"item": ["apple", "nail"], "price": [1, 2], "bought": pd.to_datetime(["2026-02-01", "2026-02-03"])}
    bought = Table.from_pandas(pd.DataFrame(columns))
    assert bought.types == ("text", "int", "date")
    program = template_program("what is the total price of fruits?", bought)
    assert "`item`" in program
    assert "bought" not in program


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


UNDERSTOOD = [
    "how many items are fruits?", "what is the total price of items that are fruits or tools?",
    "how many fruits are there?",
    "highest price among items that are not fruits", "list the price of items that are fruits",
    "how many items are in Rome?",
    "how many different items are fruits?", "which items are fruits?", "what is the average price of fruits?",
]  # fmt: skip
WORDS = [
    "not", "never", "without", "excluding", "except", "no", "only", "both", "neither", "least", "most", "cheapest",
    "older", "3", "5%", "first", "twice", "and", "but", "with", "in", "near", "blue", "wooden", "sold", "yesterday",
    "broken", "than", "either", "half", "unsold", "doesn't", "non-red", "fruits", "Paris", "Rome", "kettles",
    "price's",
]  # fmt: skip
PLACES = Table.from_dict({"item": ["apple", "tram"], "price": [3, 4], "city": ["Rome", "Oslo"]})


@given(st.sampled_from(UNDERSTOOD), st.sampled_from(WORDS), st.integers(0, 12))
def test_a_word_more_is_refused_or_changes_the_program(question, word, place):
    """An answer to a part of the question would be wrong without a sign."""
    words = question.split()
    longer = " ".join([*words[:place], word, *words[place:]])
    try:
        changed = template_program(longer, PLACES, column=None if "Rome" in question else "item")
    except InputError:
        return
    assert changed != template_program(question, PLACES, column=None if "Rome" in question else "item")


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("how many items without fruits?", "'without' is not"),
        ("how many items except cheap fruits", "'except' is not"),
        ("how many items excluding fruits", "'excluding' is not"),
        ("how many items are only fruits?", "'only' is not"),
        ("which item is the cheapest fruit?", "'cheapest' is not"),
        ("how many items cost 3?", "'cost', '3' are not"),
        ("total price of items in France", "'in france' is not"),
        ("how many tools are fruits?", "'tools' is not"),
        ("how many items are Rome fruits?", "'rome' is not"),
        ("how many items are price fruits?", "'price' is not"),
        ("list the price of different items that are fruits", "'different items' is not"),
    ],
)
def test_words_that_are_not_understood_are_named(question, words):
    with pytest.raises(NoTemplate, match=f"as {words} understood"):
        template_program(question, PLACES)


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("how many items are fruits?", "number of rows where item is a fruit, asked of each item"),
        ("total price of items that are not fruits or tools",
         "sum of price over the rows where item is not a fruit and item is not a tool, asked of each item"),
        ("list the price of items from rome", "list of the values of price in the rows where city is 'Rome'"),
        ("how many distinct cities are there?", "number of different values of city"),
    ],
)  # fmt: skip
def test_what_was_understood_is_said(question, said):
    assert read_template(question, PLACES).understood == said


def test_cells_are_compared_as_they_are_written():
    """Lower case is not the same in Python and in SQLite: "how many in Åsa" was 0."""
    table = Table.from_dict({"city": ["Åsa", "ÅSA", "Trinidad and Tobago", None], "n": [1, 2, 3, 4]})
    assert template_program("how many are in åsa?", table).endswith("WHERE `city` IN ('Åsa', 'ÅSA')")
    assert template_program("how many from trinidad and tobago?", table).endswith(
        "WHERE `city` = 'Trinidad and Tobago'"
    )
    twice = Table.from_dict({"home": ["York"], "away": ["York"]})
    with pytest.raises(InputError, match="one of home, away"):
        template_program("how many rows are from York?", twice)


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
