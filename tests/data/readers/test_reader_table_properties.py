"""Tables written in every dialect and read back; both ways of dividing texts, and both of reading numbers, compared."""

import csv
import datetime as dt
import gzip
import io
import math
import tempfile
from decimal import Decimal
from pathlib import Path
from unittest import mock

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from holdfast.data.readers.tables import Table, TableOptions, read_table, textfiles
from holdfast.data.readers.tables.dialects import Dialect
from holdfast.data.readers.tables.encodings import to_utf8
from holdfast.data.readers.tables.splitting import split, split_exactly
from holdfast.errors import InputError

EXAMPLES = settings(max_examples=40)


def read(content, name="a.csv", **known):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_table(path, **known)


# -------------------------------------------------------------------------------------------- tables in all dialects
decimals = st.decimals(-9_999_999, 9_999_999, allow_nan=False, allow_infinity=False, places=None).map(
    lambda d: round(d, 4)
)
# Accents stand singly, as in Western languages: longer runs of them make a reader ask for the encoding.
syllables = st.sampled_from(["a", "be", "är", "öl", "né", "ñu", " ", ",", ";", "|", "\t", "'", '"', "-"])
words = st.lists(syllables, max_size=6).map(lambda parts: f"x{''.join(parts)}y")
days = st.dates(dt.date(1000, 1, 1), dt.date(9999, 12, 31))
MONEY = {"": "", "€": "EUR", "EUR": "EUR", "$": "$", "GBP": "GBP"}


@st.composite
def dialects(draw):
    delimiter = draw(st.sampled_from(",;\t|"))
    return {
        "delimiter": delimiter,
        "decimal": draw(st.sampled_from(".,")),
        "group": draw(st.sampled_from(["", "other", " ", "\u00a0", "'"])),
        "encoding": draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])),
        "end": draw(st.sampled_from(["\n", "\r\n", "\r"])),
        "quoting": draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])),
        "titles": draw(st.sampled_from([[], [["Report of sales"], []], [["x1", "", ""], [""]]])),
        "money": draw(st.sampled_from(sorted(MONEY))),
        "before": draw(st.booleans()),
        "brackets": draw(st.booleans()),
        "no value": draw(st.sampled_from(["", "n/a", "-", "NULL"])),
        "day": draw(st.sampled_from(["%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%Y-%m-%d"])),
        "packed": draw(st.booleans()),
    }


def amount(value, how, money=""):
    """A number as a person of that dialect writes it."""
    if value is None:
        return how["no value"]
    whole, _, part = f"{abs(Decimal(value)):f}".partition(".")
    group = {"other": "," if how["decimal"] == "." else "."}.get(how["group"], how["group"])
    if group:
        whole = f"{int(whole):,}".replace(",", group)
    text = whole + (how["decimal"] + part if part else "")
    if money:
        text = f"{money} {text}" if how["before"] else f"{text} {money}"
    return text if value >= 0 else f"({text})" if how["brackets"] else f"-{text}"


def share(value, how):
    return how["no value"] if value is None else amount(value, {**how, "group": "", "brackets": False}) + " %"


def day(value, how):
    # strftime leaves out leading zeros of years on some systems
    return how["no value"] if value is None else value.strftime(how["day"].replace("%Y", f"{value.year:04d}"))


@EXAMPLES
@given(
    how=dialects(),
    rows=st.lists(
        st.tuples(words, *(st.one_of(st.none(), s) for s in (decimals, st.integers(-(10**9), 10**9), decimals, days))),
        max_size=7,
    ),
)
def test_what_is_written_in_any_dialect_is_read_back(how, rows):
    # One row that leaves nothing open: which sign is the decimal one, and which number is the day.
    rows = [("name", Decimal("-1234.5"), 7, Decimal("0.25"), dt.date(2024, 1, 31)), *rows]
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter=how["delimiter"], lineterminator=how["end"], quoting=how["quoting"])
    writer.writerows([*how["titles"], ["Name", "price", "count", "share", "when"]])
    for name, price, count, part, when in rows:
        money = amount(price, how, how["money"])
        writer.writerow([name, money, amount(count, how), share(part, how), day(when, how)])
    content = stream.getvalue().encode(how["encoding"])
    ending = ".csv.gz" if how["packed"] else ".csv"
    table = read(gzip.compress(content) if how["packed"] else content, f"a{ending}")

    assert [column.kind for column in table.columns] == ["text", "real", "integer", "real", "time"], table.notes
    assert table.column("Name").values.tolist() == [row[0] for row in rows]
    assert table.column("price").unit == MONEY[how["money"]]
    assert_equal(table.column("price"), [None if row[1] is None else float(row[1]) for row in rows])
    assert_equal(table.column("count"), [row[2] for row in rows])
    assert_equal(table.column("share"), [None if row[3] is None else float(row[3] / 100) for row in rows])
    assert_equal(table.column("when"), [row[4] for row in rows])
    first = len(how["titles"]) + 2
    np.testing.assert_array_equal(table.rows, first + np.arange(len(rows)))


def assert_equal(column, wanted):
    assert column.missing.tolist() == [value is None for value in wanted]
    assert column.tolist() == wanted


# ------------------------------------------------------------------------------------------------------ exact numbers
numbers = st.floats(allow_nan=False, allow_infinity=False)


@EXAMPLES
@given(st.lists(numbers, min_size=1), st.sampled_from(["repr", "%.17g", "%.25e", "%f"]), st.booleans())
def test_doubles_come_back_to_the_last_bit(values, form, short):
    texts = [repr(v) if form == "repr" else form % v for v in values]
    texts = ["0.5", *texts]
    # A word that means nothing sends the file the long way.
    options = TableOptions(decimal=".", null=None if short else ["nothing"])
    found = read("a;b\n" + "".join(f"{t};1\n" for t in texts), options=options).column("a")
    if found.kind == "text":  # 00.5 and the like; no float is written so
        raise AssertionError(texts)
    wanted = [float(Decimal(t)) for t in texts]
    assert found.values.tolist() == wanted
    assert [math.copysign(1, v) for v in found.values] == [math.copysign(1, v) for v in wanted]


@EXAMPLES
@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1), st.booleans())
def test_whole_numbers_come_back_exactly(values, short):
    options = TableOptions(null=None if short else ["nothing"])
    found = read("a,b\n" + "".join(f"{v},x\n" for v in values), options=options).column("a")
    assert found.kind == "integer"
    assert found.values.tolist() == values


PLAIN = "0 7 -12 007 0.5 1.25 -0.001 1e3 1.234 +5 nan inf 0x1f 1e400 x 05:00 1,5 -0 00 1e-05 2024-01-05 -007"
plain_cells = st.sampled_from([*PLAIN.split(), "", " 5", " 01", "9223372036854775807", "9223372036854775808"])


@settings(max_examples=40)
@given(
    st.lists(st.tuples(plain_cells, plain_cells, plain_cells), min_size=1, max_size=6),
    st.sampled_from([";", "|", "\t"]),
    st.sampled_from([None, ".", ","]),
)
def test_the_short_way_and_the_long_way_agree(rows, delimiter, decimal):
    """Rows are repeated, so that more follows than the rows that are looked at first."""
    head = "a%sb%sc\n".replace("%s", delimiter) + (delimiter.join(["1", "0.5", "2"]) + "\n") * 220
    text = head + "".join(delimiter.join(row) + "\n" for row in rows)
    short = read(text, options=TableOptions(decimal=decimal))
    with mock.patch.object(textfiles, "plan", return_value=None):
        long = read(text, options=TableOptions(decimal=decimal))
    assert [c.kind for c in short.columns] == [c.kind for c in long.columns]
    for one, two in zip(short.columns, long.columns, strict=True):
        np.testing.assert_array_equal(one.values, two.values)
        np.testing.assert_array_equal(one.missing, two.missing)
    np.testing.assert_array_equal(short.rows, long.rows)
    assert set(short.notes) == set(long.notes)


# ----------------------------------------------------------------------------------------------------------- dividing
pieces = st.lists(st.sampled_from(['"', '""', ",", "\n", "\r\n", "\r", "a", "b c", " ", "0", "é"]), max_size=30)


@settings(max_examples=200)
@given(pieces.map("".join), st.integers(1, 3))
def test_arrow_divides_a_text_as_the_exact_reader_does(text, width):
    data = text.encode()
    dialect = Dialect(",", -1, tuple("abc"[:width]))
    found, exact = (outcome(lambda way=way: way(data, dialect, "a.csv")) for way in (split, split_exactly))
    assert (found is None) == (exact is None)
    if found is not None and exact is not None:
        assert [c.to_pylist() for c in found.columns] == [c.to_pylist() for c in exact.columns]
        np.testing.assert_array_equal(found.rows, exact.rows)


letters = st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from('\n\t",;|')
texts = st.text(letters, max_size=5).map(lambda text: f"x{text}")


@EXAMPLES
@given(
    st.lists(st.tuples(texts, texts), min_size=1, max_size=8),
    st.sampled_from(",;\t|"),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_texts_come_back_whatever_is_in_them(rows, delimiter, quoting):
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter=delimiter, quoting=quoting, lineterminator="\n")
    writer.writerows([["one", "two"], *rows])
    kinds = {"one": "text", "two": "text"}
    table = read(stream.getvalue(), kinds=kinds, options=TableOptions(delimiter=delimiter))
    assert list(zip(*(c.values.tolist() for c in table.columns), strict=True)) == rows


def outcome(call):
    try:
        return call()
    except InputError:
        return None


# ---------------------------------------------------------------------------------------------------------- encodings
@EXAMPLES
@given(st.text(min_size=1), st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]))
def test_encodings_with_a_mark_or_utf8_come_back(text, encoding):
    assume("\0" not in text and not text.startswith("\ufeff"))
    try:
        content = text.encode(encoding)
    except UnicodeEncodeError:
        return
    found = outcome(lambda: to_utf8(content, None, "a.csv"))
    if found is not None:  # control characters make a file binary
        assert found[0].decode() == text


# --------------------------------------------------------------------------------------------------------------- days
@EXAMPLES
@given(st.lists(st.tuples(st.integers(1, 31), st.integers(1, 31), st.integers(1, 9999)), min_size=1, max_size=6))
def test_days_and_months_are_told_apart_only_where_they_can_be(parts):
    """Against the calendar itself: every cell read with the day first, and with the month first."""
    text = "a;x\n" + "".join(f"{a:02d}/{b:02d}/{year:04d};z\n" for a, b, year in parts)
    orders = {}
    for day_first in (True, False):
        try:
            orders[day_first] = [dt.date(y, b, a) if day_first else dt.date(y, a, b) for a, b, y in parts]
        except ValueError:
            continue
    column = read(text).column("a")
    impossible = [any((b if day_first else a) > 12 for a, b, _ in parts) for day_first in (True, False)]
    same = all(a == b for a, b, _ in parts)
    if (same and orders) or (impossible == [False, True] and True in orders):
        assert column.values.tolist() == orders[True]
    elif impossible == [True, False] and False in orders:
        assert column.values.tolist() == orders[False]
    else:
        assert column.kind == "text"


def test_a_table_is_what_it_says(tmp_path):
    """The strategies above make tables at all."""
    assert isinstance(read("a,b\n1,2\n"), Table)
