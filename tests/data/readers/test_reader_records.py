import datetime as dt
import json

import numpy as np
import pytest

from holdfast.data.readers.records import read_records
from holdfast.data.readers.roles import Role, assign, parse_columns
from holdfast.data.readers.tables import TableOptions
from holdfast.errors import InputError

ROLES = (
    Role("text"),
    Role("label", also=("y", "class")),
    Role("group", required=False),
    Role("score", kind="number", required=False, missing=True),
    Role("time", kind="time", required=False),
    Role("metadata", required=False, several=True),
)
REVIEWS = "id;review;class;country;score;when\n007;good;1;NA;1.200,50;01/02/2024\n008;bad;0;US;2.500;25/02/2024\n"


@pytest.fixture
def reviews(tmp_path):
    (tmp_path / "reviews.csv").write_text(REVIEWS)
    return tmp_path / "reviews.csv"


# -------------------------------------------------------------------------------------------------------------- roles
def test_a_user_maps_columns_and_the_rest_go_by_their_names(reviews):
    found = read_records(reviews, ROLES, ["text=review", "group=country", "metadata=id", "metadata=country"])
    assert found["text"].tolist() == ["good", "bad"]
    assert found["label"].tolist() == ["1", "0"]  # text, as labels are
    assert found["group"].tolist() == ["NA", "US"]
    assert found["score"].tolist() == [1200.5, 2500.0]
    assert found["time"] is None
    assert "time" not in found
    assert found.frame("metadata").to_dict("list") == {"id": ["007", "008"], "country": ["NA", "US"]}
    np.testing.assert_array_equal(found.rows, [2, 3])
    assert found.place(1) == f"{reviews}, row 3"
    with pytest.raises(KeyError, match="2 columns have this role"):
        found["metadata"]


def test_times_and_options(reviews):
    found = read_records(reviews, [Role("when", kind="time")])
    assert found["when"].tolist() == [dt.date(2024, 2, 1), dt.date(2024, 2, 25)]
    with pytest.raises(InputError, match="month first, as --month-first says"):
        read_records(reviews, [Role("when", kind="time")], options=TableOptions(day_first=False))


def test_names_are_matched_exactly_then_by_letters_then_by_other_names():
    roles = [Role("label", also=("y", "class"))]
    for names, wanted in (
        (["Label", "label"], "label"), (["LABEL", "y"], "LABEL"), (["class", "y"], "y"), (["Class", "x"], "Class"),
    ):  # fmt: skip
        assert assign({}, roles, names, "a.csv") == {"label": [wanted]}
    with pytest.raises(InputError, match=r"which column of a\.csv is the label"):
        assign({}, roles, ["Label", "LABEL"], "a.csv")  # which of the two?


def test_a_column_that_the_user_gave_to_another_role_is_not_taken():
    roles = [Role("text"), Role("label", required=False)]
    assert assign({"text": ["label"]}, roles, ["label", "x"], "a.csv") == {"text": ["label"]}


def test_the_rest_is_what_no_other_role_has():
    roles = [Role("label"), Role("feature", kind="number", rest=True)]
    assert assign({}, roles, ["a", "label", "b"], "a.csv") == {"label": ["label"], "feature": ["a", "b"]}
    assert assign({"feature": ["b"]}, roles, ["a", "label", "b"], "a.csv") == {"label": ["label"], "feature": ["b"]}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["review"], r"^--column: must be role=column, with a role out of text, label, .*received 'review'"),
        (["=review"], "must be role=column"),
        (["text="], "must be role=column"),
        (["lable=class"], r"one of the roles .* \(did you mean 'label'\?\)"),
        (["text=review", "text=id"], "one column only for text; received review and id"),
        (
            ["text=reviews"],
            r"must name a column of .*reviews\.csv for text \(did you mean 'review'\?\).*'reviews'; the",
        ),
        (["label=class"], r"must say which column of .*reviews\.csv is the text: --column text=COLUMN.*'id', 'review'"),
        (["text=review", "label=score", "score=score"], r"one column to label \(text\) and to score \(number\)"),
    ],
)
def test_wrong_mappings_are_explained(reviews, given, words):
    with pytest.raises(InputError, match=words):
        read_records(reviews, ROLES, given)


def test_the_nearest_name_is_suggested_for_a_role_that_is_missing(tmp_path):
    (tmp_path / "a.csv").write_text("text,lable\nx,1\n")
    with pytest.raises(InputError, match=r"is the label: --column label=COLUMN \(did you mean 'lable'\?\)"):
        read_records(tmp_path / "a.csv", ROLES)


def test_roles_may_be_mapped_to_columns_in_python(reviews):
    found = read_records(reviews, ROLES, {"text": "review", "metadata": ["id", "country"]})
    assert found["text"].tolist() == ["good", "bad"]
    assert list(found.columns["metadata"]) == ["id", "country"]
    with pytest.raises(InputError, match=r"one of the roles .* \(did you mean 'label'\?\); received lable=class"):
        parse_columns({"lable": "class"}, ROLES)
    with pytest.raises(InputError, match="one column only for text"):
        parse_columns({"text": ["a", "b"]}, ROLES)


def test_a_column_name_may_hold_an_equals_sign():
    assert parse_columns(["text = a=b "], ROLES) == {"text": ["a=b"]}


def test_a_name_that_two_columns_have_is_nobodys(tmp_path):
    (tmp_path / "a.csv").write_text("text,label,label\nx,1,2\n")
    with pytest.raises(InputError, match=r"which column .* is the label.*'label_1', 'label_2'"):
        read_records(tmp_path / "a.csv", ROLES)
    assert read_records(tmp_path / "a.csv", ROLES, ["label=label_2"])["label"].tolist() == ["2"]


# ------------------------------------------------------------------------------------------------------------- values
def test_missing_labels_are_counted_and_the_first_row_named(tmp_path):
    (tmp_path / "a.csv").write_text("text,label\nx,1\ny,\nz,\n")
    with pytest.raises(
        InputError, match=r"column 'label' \(label\): must have a value.*2 cells have none, the first in row 3"
    ):
        read_records(tmp_path / "a.csv", ROLES)
    found = read_records(tmp_path / "a.csv", [Role("text"), Role("label", missing=True)])
    assert found["label"].tolist() == ["1", None, None]
    assert found.columns["label"]["label"].missing.tolist() == [False, True, True]


def test_labels_that_are_no_number_in_json_are_missing_too(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": "x", "label": 0}\n{"text": "y", "label": NaN}\n')
    with pytest.raises(InputError, match="1 cell has none, in row 2"):
        read_records(tmp_path / "a.jsonl", [Role("text"), Role("label", kind="number")])


def test_a_word_for_no_value_stays_a_label_and_is_said(tmp_path):
    (tmp_path / "a.csv").write_text("text,label\nx,nan\ny,1\n")
    found = read_records(tmp_path / "a.csv", ROLES)
    assert found["label"].tolist() == ["nan", "1"]
    assert found.notes == ("label: 'nan' in row 2 kept as text",)


def test_numbers_are_whole_while_they_can_be(tmp_path):
    roles = [
        Role("a", kind="number"),
        Role("b", kind="number", missing=True),
        Role("c", kind="any"),
        Role("d", kind="number"),
    ]
    (tmp_path / "a.csv").write_text(f"a,b,c,d\n{2**53 + 1},5,x,true\n2,,y,false\n")
    found = read_records(tmp_path / "a.csv", roles)
    assert found["a"].tolist() == [2**53 + 1, 2]
    np.testing.assert_array_equal(found["b"], [5.0, np.nan])
    assert found["c"].tolist() == ["x", "y"]
    assert found["d"].tolist() == [1.0, 0.0]
    (tmp_path / "b.csv").write_text(f"b\n{2**53 + 1}\n\n3\n")
    with pytest.raises(InputError, match="beyond 2\\^53; received 1 cells without"):
        read_records(tmp_path / "b.csv", [Role("b", kind="number", missing=True)])


def test_a_number_that_is_none_names_column_and_row(reviews):
    with pytest.raises(InputError, match=r"column 'review': must hold numbers; received 'good' in row 2"):
        read_records(reviews, [Role("x", kind="number")], ["x=review"])


# -------------------------------------------------------------------------------------------------------- several files
def test_files_of_several_formats_follow_each_other(tmp_path):
    (tmp_path / "a.csv").write_text("text;label;score\nx;1;1,5\n")
    (tmp_path / "b.jsonl").write_text(json.dumps({"label": "0", "text": "y", "score": 2}) + "\n")
    found = read_records([tmp_path / "a.csv", tmp_path / "b.jsonl"], ROLES)
    assert found["text"].tolist() == ["x", "y"]
    assert found["label"].tolist() == ["1", "0"]
    assert found["score"].tolist() == [1.5, 2.0]
    assert [found.place(i) for i in range(2)] == [f"{tmp_path / 'a.csv'}, row 2", f"{tmp_path / 'b.jsonl'}, row 1"]
    assert found.notes[0].startswith(f"{tmp_path / 'a.csv'}: ")


@pytest.mark.parametrize(
    ("second", "words"),
    [
        ("text,label\ny,0\n", "must all have a column for the role score"),
        ("text,label,score\ny,0,5 €\n", "must have one unit in the role score; received % in .*, EUR in"),
    ],
)
def test_files_that_do_not_go_together(tmp_path, second, words):
    (tmp_path / "a.csv").write_text("text,label,score\nx,1,5%\n")
    (tmp_path / "b.csv").write_text(second)
    with pytest.raises(InputError, match=words):
        read_records([tmp_path / "a.csv", tmp_path / "b.csv"], ROLES)


def test_kinds_and_columns_that_differ_between_files(tmp_path):
    (tmp_path / "a.csv").write_text("v,w\n1,2\n")
    (tmp_path / "b.csv").write_text("v,w\nx,y\n")
    (tmp_path / "c.csv").write_text("v,u\n1,2\n")
    with pytest.raises(InputError, match=r"one kind of the role v; received integer in .*, text in"):
        read_records([tmp_path / "a.csv", tmp_path / "b.csv"], [Role("v", kind="any")])
    with pytest.raises(InputError, match="must have the same columns for the role all"):
        read_records([tmp_path / "a.csv", tmp_path / "c.csv"], [Role("all", kind="any", rest=True)])


def test_nothing_to_read(tmp_path):
    (tmp_path / "a.csv").write_text("text,label\n")
    with pytest.raises(InputError, match="at least one row"):
        read_records(tmp_path / "a.csv", ROLES)
    with pytest.raises(InputError, match="at least one table"):
        read_records([], ROLES)
