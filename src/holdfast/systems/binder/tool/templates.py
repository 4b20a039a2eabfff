"""Questions that need no language model: count, sum, average, maximum, minimum or list of the rows of some meaning.

"how many orders went to coastal cities?" becomes
`SELECT COUNT(*) FROM w WHERE QA("map@is it a coastal city?"; `city`) = 'yes'`. What follows "that are", "from" and the
like is the meaning; several, joined by "or", are all included. A meaning that is a cell is compared as text.

Every word of a question is accounted for: it is part of the form, names a column or rows, is a cell, or is asked about
each cell. Otherwise the question is refused with the words that are not understood: an answer to half of it would be
wrong without a sign.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

from holdfast.errors import InputError
from holdfast.language.english import beyond_names, singular
from holdfast.sql.table import SQLTable
from holdfast.systems.binder.tool.calls import cell_text

AGGREGATES = {
    "SUM": "total|sum|combined|summed",
    "AVG": "average|mean",
    "MAX": "maximum|max|highest|largest|biggest|greatest|longest",
    "MIN": "minimum|min|lowest|smallest|shortest",
}
SAID = {"SUM": "sum", "AVG": "average", "MAX": "maximum", "MIN": "minimum", "COUNT": "number"}
OPENING = r"(?:what(?:'s| is| are| was| were)|give me|tell me|find|compute|calculate|show(?: me)?)?\s*"
COUNT = re.compile(rf"^(?:how many|{OPENING}(?:the )?(?:number|count) of|count(?: of)?) (?:of |the |all )*(.+)$")
AGGREGATE = {
    name: re.compile(
        rf"^{OPENING}(?:the )?(?:{words}) (?:of )?(?:the )?(.+?) (?:(?:of|for|over|across|among) |(?=in ))(.+)$"
    )
    for name, words in AGGREGATES.items()
}
LIST = re.compile(r"^(?:which|list|name|show(?: me)?|what are|find|give me) (?:the |all |of )*(.+)$")
LISTED = re.compile(r"^((?:(?!(?:that|which|are|is|were|was|from) )\S+ ){1,4}?)(?:of|for) (?:the |all )*(.+)$")
PLACE = "went to|go to|goes to|come from|comes from|came from|live in|lives in|lived in|shipped to|sent to|from|in|to"
RELATION = re.compile(
    rf"(?:^|(?<= ))(?:(?:(?:that|which|who) )?(?:are|is|were|was) (?P<not>not )?(?:(?P<place>{PLACE}) )?|"
    rf"(?:(?:that|which|who) )?(?P<went>{PLACE}) |of )(?P<meaning>.+)$"
)
ARTICLES = re.compile(r"^(?:(?:an?|the|any|all) |(?:some )?(?:kinds?|types?|sorts?) of )+")
DIFFERENT = re.compile(r"^(?:different|distinct|unique) ")
ENDING = re.compile(r" (?:in all|in total|altogether|are there|is there|do we have|did we have|in the table)$")
# Words that say nothing more than "rows of the table".
ROWS = frozenset({"row", "item", "entry", "record", "line", "thing", "one", "order", "product", "object"})
LONGEST_MEANING = 6  # words


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


def _not_understood(question: str, words: list[str]) -> NoTemplate:
    shown = ", ".join(repr(word) for word in dict.fromkeys(words[:8]))
    return NoTemplate(question, f"{shown} {'is' if len(words) == 1 else 'are'} not understood")


@dataclass(frozen=True)
class Request:
    """What a question asks for, word by word; whether a table can answer it is not looked at.

    Attributes:
        function: "COUNT", "SUM", "AVG", "MAX", "MIN" or "LIST".
        measure: name of the column to be aggregated or listed, as the question has it; "" where it has none.
        noun: what rows are called in the question; "" where it does not say.
        meaning: what rows are meant.
        negated: rows that are not this are meant.
        place: the words between rows and meaning, if they are more than "are" or "of": "from", "went to", ...
        different: equal values count once.
        bare: nothing joins rows and meaning, as in "how many fruits": they may be the same.
    """

    function: str
    measure: str
    noun: str
    meaning: str
    negated: bool = False
    place: str = ""
    different: bool = False
    bare: bool = False

    @property
    def phrases(self) -> tuple[str, ...]:
        """The meanings that "or" joins, in the words of the question."""
        parts = (ARTICLES.sub("", part.strip()) for part in re.split(r", (?:or )?| or ", self.meaning))
        return tuple(dict.fromkeys(part for part in parts if part))

    @property
    def meanings(self) -> tuple[str, ...]:
        """The same, their nouns in the singular."""
        return tuple(dict.fromkeys(singular(part) for part in self.phrases))


@dataclass(frozen=True)
class Template:
    """A program, and in plain words what it does."""

    program: str
    understood: str


def read_request(question: str) -> Request:
    """What a question asks for.

    Raises:
        NoTemplate: it is none of the forms understood.

    Example:
        >>> asked = read_request("What is the total price of items that are fruit or vehicles?")
        >>> asked.function, asked.measure, asked.noun, asked.meanings
        ('SUM', 'price', 'items', ('fruit', 'vehicle'))
    """
    printable = "".join(c if c.isprintable() else " " for c in question.lower().replace("’", "'"))
    plain = re.sub(r" ?, ?", ", ", " ".join(printable.split())).rstrip("?.!, ")
    plain = re.sub(r"\b(are|is|were|was)n't\b", r"\1 not", plain)
    while (shorter := ENDING.sub("", plain)) != plain:
        plain = shorter
    function, measure, rest = _function(plain, question)
    different = function in ("COUNT", "LIST") and not measure and DIFFERENT.match(rest)
    rest = ARTICLES.sub("", rest[different.end() :] if different else rest)
    found = RELATION.search(rest)
    if not found:
        return Request(function, measure, "", rest, different=bool(different), bare=True)
    place = found["place"] or found["went"] or ""
    return Request(
        function, measure, rest[: found.start()].strip(), found["meaning"], bool(found["not"]), place, bool(different)
    )


def _function(plain: str, question: str) -> tuple[str, str, str]:
    if match := COUNT.match(plain):
        return "COUNT", "", match[1]
    for name, pattern in AGGREGATE.items():
        if match := pattern.match(plain):
            return name, match[1], match[2]
    if match := LIST.match(plain):
        listed = LISTED.match(match[1])
        return ("LIST", listed[1].strip(), listed[2]) if listed else ("LIST", "", match[1])
    raise NoTemplate(question, "it is none of the forms that templates understand")


def template_program(question: str, table: SQLTable, column: str | None = None) -> str:
    """The program for a question; see `read_template`.

    Example:
        >>> table = SQLTable.from_dict({"item": ["apple", "tram"], "price": [3, 4]})
        >>> print(template_program("how many items are fruit?", table))
        SELECT COUNT(*) FROM w WHERE QA("map@is it a fruit?"; `item`) = 'yes'
    """
    return read_template(question, table, column).program


def read_template(question: str, table: SQLTable, column: str | None = None) -> Template:
    """The program for a question, and what was understood.

    Args:
        question: in plain English.
        table: whose columns it is about.
        column: the column whose meaning is asked for; None = the one that the question names or that has the cell that
            it names, or the only column of text.

    Raises:
        NoTemplate: the question needs a language model: it has another form, or words that no part of the program
            stands for.
        InputError: it is not clear which column is meant, or the column to be aggregated holds no numbers.

    Example:
        >>> table = SQLTable.from_dict({"item": ["apple", "tram"], "price": [3, 4]})
        >>> read_template("what is the total price of fruits or nuts?", table).understood
        'sum of price over the rows where item is a fruit or item is a nut, asked of each item'
    """
    return _Reader(question, read_request(question), table, column).template()


class _Reader:
    """One question to one table."""

    def __init__(self, question: str, asked: Request, table: SQLTable, column: str | None) -> None:
        self.question, self.asked, self.table = question, asked, table
        self.texts = [n for n, kind in zip(table.columns, table.types, strict=True) if kind in ("text", "date")]
        self.given = None if column is None else self._named(column, "column")
        self.names = {singular(name.lower()): name for name in table.columns}

    def template(self) -> Template:
        asked, noun = self.asked, singular(ARTICLES.sub("", self.asked.noun))
        known = ROWS | set(self.names)
        if noun and noun not in known | {singular(self.table.title.lower())}:
            raise _not_understood(self.question, [asked.noun])
        about, conditions = "", list[tuple[str, str]]()
        if asked.bare and singular(asked.meaning) in known:
            noun = singular(asked.meaning)  # all of the rows
        else:
            about, conditions = self._conditions()
        chosen, said = self._chosen(self.names.get(noun, ""), noun, about)
        joined = ("AND", "and") if asked.negated else ("OR", "or")
        where = f" WHERE {f' {joined[0]} '.join(sql for sql, _ in conditions)}" if conditions else ""
        if conditions:
            said += f" where {f' {joined[1]} '.join(words for _, words in conditions)}"
        if "QA(" in where:
            said += f", asked of each {about}"
        return Template(f"SELECT {chosen} FROM w{where}", said)

    # ------------------------------------------------------------------------------------------------- what is chosen
    def _chosen(self, named: str, noun: str, about: str) -> tuple[str, str]:
        """What is selected, and how it is said; `named` is the column that the noun names."""
        asked = self.asked
        if asked.function in SAID and asked.function != "COUNT":
            measure = self._measure()
            return f"{asked.function}({_quoted(measure)})", f"{SAID[asked.function]} of {measure} over the rows"
        if asked.function == "LIST":
            if not asked.measure and not named and (not noun or asked.place):
                raise NoTemplate(self.question, "it does not say which column is to be listed")
            listed = self._named(asked.measure, "question") if asked.measure else named or about
            return f"{'DISTINCT ' * asked.different}{_quoted(listed)}", (
                f"list of the {'different ' * asked.different}values of {listed} in the rows"
            )
        if asked.different:
            if noun and not named:
                raise _not_understood(self.question, ["different"])
            return f"COUNT(DISTINCT {_quoted(named or about)})", f"number of different values of {named or about}"
        if named and not about:
            return f"COUNT({_quoted(named)})", f"number of values of {named}"
        return "COUNT(*)", "number of rows"

    def _measure(self) -> str:
        name = self._named(self.asked.measure, "question")
        if dict(zip(self.table.columns, self.table.types, strict=True))[name] not in ("int", "real"):
            raise InputError("question", f"must aggregate a column of numbers, which {name!r} is not", name)
        return name

    def _named(self, name: str, argument: str) -> str:
        """The column that is meant by a name: the same but for case and number, else refused with the nearest."""
        key = singular(name.lower())
        for column in self.table.columns:
            if singular(column.lower()) == key:
                return column
        suggestion = self.table.nearest(name)
        rule = f"must name a column of the table{f'; did you mean {suggestion!r}?' if suggestion else ''}"
        raise InputError(argument, rule, name)

    # ------------------------------------------------------------------------------------------------- what is meant
    def _conditions(self) -> tuple[str, list[tuple[str, str]]]:
        """The column that is asked about, and for each meaning SQL and words."""
        asked = self.asked
        about = self.given or self._about()
        whole = ARTICLES.sub("", asked.meaning)
        phrases = (whole,) if self._cells(whole, about)[1] else asked.phrases
        if "," in asked.meaning and len(phrases) > 1 and not re.search(r"\bor\b", asked.meaning):
            raise NoTemplate(self.question, "a list without 'or' could mean any or all of it")
        found = []
        for phrase in phrases:
            column, same = self._cells(phrase, about)
            about = about or column or None
            if not same:
                found.append(self._asked(phrase, about))
                continue
            listed, sign = ", ".join(f"'{_text(cell)}'" for cell in same), "<>" if asked.negated else "="
            if len(same) > 1:
                listed, sign = f"({listed})", "NOT IN" if asked.negated else "IN"
            found.append((f"{_quoted(column)} {sign} {listed}", f"{column} is {'not ' * asked.negated}{same[0]!r}"))
        if not found:
            raise NoTemplate(self.question, "it does not say of what meaning the rows are")
        return about or "", found

    def _about(self) -> str | None:
        """The column that words of the meaning name, or those of the rows; else the only one of text, or of dates."""
        for words in (" ".join(self.asked.meanings), self.asked.noun):
            said = {singular(word) for word in words.split()} | {singular(words)}
            named = [name for name in self.texts if singular(name.lower()) in said]
            if len(named) == 1:
                return named[0]
        if not self.texts:
            columns = f"{list(self.table.columns)}"
            raise InputError("table", "must have a column of text whose meaning can be asked for", columns)
        kinds = dict(zip(self.table.columns, self.table.types, strict=True))
        likely = [name for name in self.texts if kinds[name] == "text"] or self.texts
        return likely[0] if len(likely) == 1 else None

    def _cells(self, phrase: str, about: str | None) -> tuple[str, list[str]]:
        """The column that has a phrase as a cell, and all of its ways to write it; nothing where none has."""
        wanted, found = dict.fromkeys((phrase, singular(phrase))), dict[str, list[str]]()
        for name in [about] if self.given else [*([about] if about else []), *self.texts]:
            if name is not None and about not in found:
                same = [cell for key in wanted for cell in self._written(name).get(key, [])]
                found |= {name: same} if same else {}
        if len(found) > 1:
            raise InputError("column", f"must name the column that is meant: one of {', '.join(found)}", phrase)
        return next(iter(found.items()), ("", []))

    @functools.cache  # noqa: B019 a reader lives as long as its question
    def _written(self, column: str) -> dict[str, list[str]]:
        """Different cells of a column by their words in lower case."""
        found: dict[str, list[str]] = {}
        for cell in map(cell_text, self.table.frame[column].dropna().unique()):
            found.setdefault(" ".join(cell.lower().split()), []).append(cell)
        return found

    def _asked(self, phrase: str, about: str | None) -> tuple[str, str]:
        """A question about each cell, if it can be made of all words of the phrase."""
        others = [name for name in self.texts if name != about]
        taken = {name.lower() for name in self.table.columns if name != about}
        found = [w for w in phrase.split() if w in taken or any(w in self._written(name) for name in others)]
        if strange := beyond_names(phrase) or found:  # "Rome fruits": a city, and no kind of fruit
            raise _not_understood(self.question, strange)
        if about is None:
            shown = ", ".join(self.texts[:8]) + (", ..." if len(self.texts) > 8 else "")
            raise InputError("column", f"must name the column that is meant: one of {shown}", "nothing")
        meaning = singular(phrase)
        if len(phrase.split()) > LONGEST_MEANING:
            raise NoTemplate(self.question, "what is meant by the rows is no short phrase")
        if self.asked.place and not f" {meaning}".endswith(f" {singular(about.lower())}"):
            raise _not_understood(self.question, [f"{self.asked.place} {phrase}"])
        article = "an" if meaning[0] in "aeiou" else "a"
        sql = f"""QA("map@is it {article} {meaning}?"; {_quoted(about)}) = '{"no" if self.asked.negated else "yes"}'"""
        return sql, f"{about} is {'not ' * self.asked.negated}{article} {meaning}"


def _quoted(column: str) -> str:
    return "`" + column.replace("`", "``") + "`"


def _text(value: str) -> str:
    return value.replace("'", "''")


__all__ = ["NoTemplate", "Request", "Template", "read_request", "read_template", "template_program"]
