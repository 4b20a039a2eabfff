"""Questions that need no language model: count, sum, average, maximum, minimum or list of the rows of some meaning.

"how many orders went to coastal cities?" becomes
`SELECT COUNT(*) FROM w WHERE QA("map@is it a coastal city?"; `city`) = 'yes'`. What follows "that are", "from", "in"
and the like is the meaning; several, joined by "or", are all included. A meaning that is a cell of the column is
compared as text. Whatever does not fit is refused, and said to need a language model.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass

from holdfast.errors import InputError
from holdfast.sql.table import SQLTable
from holdfast.systems.binder.tool.calls import cell_text

AGGREGATES = {
    "SUM": "total|sum|combined|overall|summed",
    "AVG": "average|mean",
    "MAX": "maximum|max|highest|largest|biggest|greatest|longest|top",
    "MIN": "minimum|min|lowest|smallest|least|shortest",
}
OPENING = r"(?:what(?:'s| is| are| was| were)|give me|tell me|find|compute|calculate|show(?: me)?)?\s*"
COUNT = re.compile(
    r"^(?:how many|(?:what is|what's)?\s*(?:the )?(?:number|count) of|count(?: of)?)\s+(?:the |all )*(.+)$"
)
AGGREGATE = {
    name: re.compile(
        rf"^{OPENING}(?:the )?(?:{words})\s+(?:of\s+)?(?:the\s+)?(.+?)\s+(?:of|for|in|over|across|among)\s+(.+)$"
    )
    for name, words in AGGREGATES.items()
}
LIST = re.compile(r"^(?:which|list|name|show(?: me)?|what are|find|give me)\s+(?:the |all |of )*(.+)$")
RELATION = re.compile(
    r"\b(?:(?:that|which|who|whose)\s+)?(?:are|is|were|was|went to|go to|goes to|come from|comes from|came from|"
    r"belong to|belongs to|live in|lives in|lived in|shipped to|sent to|about|from|in|to|of|for|with)\s+"
    r"(?P<not>not\s+)?"
    r"(?:(?:an?|the|any|some|kinds? of|types? of)\s+)*(?P<meaning>.+)$"
)
ENDING = re.compile(
    r"\s+(?:in all|in total|altogether|overall|are there|is there|do we have|did we have|in the table)$"
)
BEYOND = re.compile(
    r"\d|\b(?:more|less|fewer|greater|higher|lower|before|after|between|than|most|least|first|last|same|both|per|each|every|"
    r"best|better|worst|worse|(?:cheap|earli|fast|late|near|new|old|slow|strong|weak|young)est|"
    r"percent|percentage|difference|ratio|and not|but|except)\b"
)
IRREGULAR = {"people": "person", "men": "man", "women": "woman", "children": "child", "mice": "mouse", "feet": "foot"}


class NoTemplate(InputError):
    """A question that fits no template, and so needs a language model to write its program."""

    def __init__(self, question: str, why: str) -> None:
        rule = (
            f"needs a language model (--endpoint and --model, or --local), as {why}; without one, count, sum, average, "
            "maximum, minimum and list of the rows of some meaning are understood, such as 'how many items are fruit?' "
            "or 'what is the average price of items that are tools?'"
        )
        super().__init__("question", rule, question)
        self.question, self.why = question, why

    def __reduce__(self) -> tuple[type[NoTemplate], tuple[str, str]]:
        return type(self), (self.question, self.why)


@dataclass(frozen=True)
class Request:
    """What a question asks for.

    Attributes:
        function: "COUNT", "SUM", "AVG", "MAX", "MIN" or "LIST".
        measure: name of the column to be aggregated, as the question has it; "" for COUNT and LIST.
        noun: what rows are called in the question; "" where it does not say.
        meanings: rows of any of these are meant.
        negated: rows of none of these are meant.
    """

    function: str
    measure: str
    noun: str
    meanings: tuple[str, ...]
    negated: bool = False


def read_request(question: str) -> Request:
    """What a question asks for.

    Raises:
        NoTemplate: it is none of the forms understood.

    Example:
        >>> read_request("What is the total price of items that are fruit or vehicles?")
        Request(function='SUM', measure='price', noun='items', meanings=('fruit', 'vehicle'), negated=False)
    """
    printable = "".join(c if c.isprintable() else " " for c in question.lower())
    plain = " ".join(printable.split()).rstrip("?.! ")
    while (shorter := ENDING.sub("", plain)) != plain:
        plain = shorter
    function, measure, rest = _function(plain, question)
    if BEYOND.search(rest):
        raise NoTemplate(question, "it compares or counts in a way that no template has")
    found = RELATION.search(rest)
    noun, meaning = (rest[: found.start()].strip(), found["meaning"]) if found else ("", rest)
    if function == "LIST" and not found:
        raise NoTemplate(question, "it does not say of what meaning the rows are")
    parts = re.split(r"\s*,\s*(?:or\s+|and\s+)?|\s+or\s+(?:an?\s+)?|\s+and\s+(?:an?\s+)?", meaning)
    meanings = tuple(dict.fromkeys(singular(part) for part in parts if part.strip()))
    if not meanings or any(len(one.split()) > 6 for one in meanings):
        raise NoTemplate(question, "what is meant by the rows is no short phrase")
    return Request(function, measure, noun, meanings, bool(found and found["not"]))


def _function(plain: str, question: str) -> tuple[str, str, str]:
    if match := COUNT.match(plain):
        return "COUNT", "", match[1]
    for name, pattern in AGGREGATE.items():
        if match := pattern.match(plain):
            return name, match[1], match[2]
    if match := LIST.match(plain):
        return "LIST", "", match[1]
    raise NoTemplate(question, "it is none of the forms that templates understand")


def template_program(question: str, table: SQLTable, column: str | None = None) -> str:
    """The program for a question.

    Args:
        question: in plain English.
        table: whose columns it is about.
        column: the column whose meaning is asked for; None = the one that the question names, or the only column of
            text.

    Raises:
        NoTemplate: the question needs a language model.
        InputError: it is not clear which column is meant, or the column to be aggregated holds no numbers.

    Example:
        >>> table = SQLTable.from_dict({"item": ["apple", "tram"], "price": [3, 4]})
        >>> print(template_program("how many items are fruit?", table))
        SELECT COUNT(*) FROM w WHERE QA("map@is it a fruit?"; `item`) = 'yes'
    """
    asked = read_request(question)
    about = _meaning_column(asked, table, column)
    wanted = "no" if asked.negated else "yes"
    conditions = [_condition(meaning, about, wanted, table) for meaning in asked.meanings]
    where = (" AND " if asked.negated else " OR ").join(conditions)
    if asked.function == "COUNT":
        return f"SELECT COUNT(*) FROM w WHERE {where}"
    if asked.function == "LIST":
        return f"SELECT {_quoted(about)} FROM w WHERE {where}"
    return f"SELECT {asked.function}({_quoted(_measure_column(asked, table))}) FROM w WHERE {where}"


def _condition(meaning: str, column: str, wanted: str, table: SQLTable) -> str:
    cells = table.frame[column].map(lambda cell: cell_text(cell).casefold())
    if (cells == meaning).any():
        sign = "=" if wanted == "yes" else "<>"
        return f"LOWER({_quoted(column)}) {sign} '{_text(meaning)}'"
    article = "an" if meaning[0] in "aeiou" else "a"
    return f"""QA("map@is it {article} {meaning.replace('"', "")}?"; {_quoted(column)}) = '{wanted}'"""


def _meaning_column(asked: Request, table: SQLTable, column: str | None) -> str:
    if column is not None:
        return _named(column, table, "column")
    texts = [name for name, kind in zip(table.columns, table.types, strict=True) if kind in ("text", "date")]
    for words in (" ".join(asked.meanings), asked.noun):
        said = {singular(word) for word in words.split()}
        named = [name for name in texts if singular(name.lower()) in said]
        if len(named) == 1:
            return named[0]
    if len(texts) == 1:
        return texts[0]
    if not texts:
        raise InputError("table", "must have a column of text whose meaning can be asked for", f"{list(table.columns)}")
    shown = ", ".join(texts[:8]) + (", ..." if len(texts) > 8 else "")
    raise InputError("column", f"must name the column that is meant: one of {shown}", "nothing")


def _measure_column(asked: Request, table: SQLTable) -> str:
    kinds = dict(zip(table.columns, table.types, strict=True))
    name = _named(asked.measure, table, "question")
    if kinds[name] not in ("int", "real"):
        raise InputError("question", f"must aggregate a column of numbers, which {name!r} is not", asked.measure)
    return name


def _named(name: str, table: SQLTable, argument: str) -> str:
    """The column that is meant by a name: the same but for case and number, else refused with the nearest."""
    plain = {singular(column.lower()): column for column in table.columns}
    if (key := singular(name.lower())) in plain:
        return plain[key]
    near = difflib.get_close_matches(key, plain, n=1, cutoff=0.75)
    if near and argument == "question":
        return plain[near[0]]
    suggestion = table.nearest(name)
    rule = f"must name a column of the table{f'; did you mean {suggestion!r}?' if suggestion else ''}"
    raise InputError(argument, rule, name)


def singular(phrase: str) -> str:
    """A noun phrase with its noun in the singular, as far as regular endings tell.

    Example:
        >>> [singular(p) for p in ("coastal cities", "buses", "glass", "people", "cities on the coast")]
        ['coastal city', 'bus', 'glass', 'person', 'city on the coast']
    """
    words = phrase.split()
    stops = [i for i, word in enumerate(words) if i and word in ("on", "in", "of", "at", "by", "from", "with", "near")]
    place = (stops[0] if stops else len(words)) - 1
    if place >= 0:
        words[place] = _singular_word(words[place])
    return " ".join(words)


def _singular_word(word: str) -> str:
    if word in IRREGULAR:
        return IRREGULAR[word]
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 3 and word.endswith(("sses", "shes", "ches", "xes", "zes", "uses")):
        return word[:-2]
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


def _quoted(column: str) -> str:
    return "`" + column.replace("`", "``") + "`"


def _text(value: str) -> str:
    return value.replace("'", "''")


__all__ = ["NoTemplate", "Request", "read_request", "singular", "template_program"]
