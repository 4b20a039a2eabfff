"""Small mistakes of generated programs, mended before they run: the post-processing of the reference code.

Three things are mended and nothing else: closing parentheses that nothing opens are dropped; names of columns that SQL
cannot read bare (`home team`, `2001`) are quoted; and a text compared with a column, but not a cell of it, becomes the
cell it must have meant ("new york" for "New-York"), if exactly one is near enough.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence

from holdfast.sql.table import SQLTable
from holdfast.sql.tokens import Token, tokenize
from holdfast.systems.binder.tool.calls import cell_text

NEAR = 0.85  # ratio of difflib: two letters of twelve may differ
MOST_CELLS = 5_000  # different cells of a column that a text is compared with
MOST_PAIRS = 5_000  # of text and cell in one program: cells are a stranger's, and comparing takes a while
LONGEST = 80  # characters of a text that is compared; longer ones must fold to the same
BARE = re.compile(r"[A-Za-z_]\w*\Z", re.ASCII)


def repaired(program: str, table: SQLTable) -> str:
    """The program, mended where it has to be; a correct program comes back as it is.

    Raises:
        ParseError: a quote or comment is never closed.

    Example:
        >>> table = SQLTable.from_dict({"home team": ["Leeds Utd", "York City"], "goals": [2, 1]})
        >>> repaired("SELECT goals FROM w WHERE home team = 'leeds utd')", table)
        "SELECT goals FROM w WHERE `home team` = 'Leeds Utd'"
    """
    return _with_cells(_with_quoted_names(drop_surplus_parentheses(program), table), table)


def drop_surplus_parentheses(program: str) -> str:
    """The program without closing parentheses that nothing opens; generated programs have them now and then.

    Example:
        >>> from holdfast.systems.binder.tool.repair import drop_surplus_parentheses
        >>> drop_surplus_parentheses("SELECT (SELECT ')' FROM w)) = 1")
        "SELECT (SELECT ')' FROM w) = 1"
    """
    kept, depth = [], 0
    for token in tokenize(program):
        depth += (token.kind == "(") - (token.kind == ")")
        if depth < 0:
            depth = 0
            continue
        kept.append(token.text)
    return "".join(kept)


def _with_quoted_names(program: str, table: SQLTable) -> str:
    names = sorted((name for name in table.columns if not BARE.match(name)), key=len, reverse=True)
    if not names:
        return program
    either = "|".join(re.escape(name) for name in names)
    pattern = re.compile(rf"(?<![\w`]){'(' + either + ')'}(?![\w`])", re.IGNORECASE)
    known = {name.casefold(): name for name in names}
    return "".join(
        piece if quoted else pattern.sub(lambda found: _name(found[0], known), piece)
        for quoted, piece in _pieces(tokenize(program))
    )


def _name(found: str, known: dict[str, str]) -> str:
    """A name in back-ticks; a bare number stays what it is, as 2001 is more often a number than a column."""
    return found if found.isdigit() else "`" + known[found.casefold()].replace("`", "``") + "`"


def _pieces(tokens: Sequence[Token]) -> Iterator[tuple[bool, str]]:
    """Runs of text outside of quotes and comments, and what is inside of them."""
    run = ""
    for token in tokens:
        if token.kind in ("string", "double", "name", "comment"):
            yield False, run
            yield True, token.text
            run = ""
        else:
            run += token.text
    yield False, run


def _with_cells(program: str, table: SQLTable) -> str:
    tokens = tokenize(program)
    columns = {name.casefold(): name for name in table.columns}
    meaning = [i for i, token in enumerate(tokens) if not token.idle]
    texts = [token.text for token in tokens]
    cells: dict[str, dict[str, list[str]]] = {}
    pairs = 0
    for place, i in enumerate(meaning):
        token = tokens[i]
        if token.kind not in ("string", "double") or token.value.casefold() in columns:
            continue
        column = _compared(tokens, meaning, place, columns)
        if column is None:
            continue
        if column not in cells:
            cells[column] = _cells(table, column)
        pairs += len(cells[column])
        if (cell := _nearest(token.value, cells[column], pairs <= MOST_PAIRS)) is not None:
            texts[i] = "'" + cell.replace("'", "''") + "'"
    return "".join(texts)


def _compared(tokens: Sequence[Token], meaning: Sequence[int], place: int, columns: dict[str, str]) -> str | None:
    """The column before `= 'text'`, `<> 'text'` or `IN ('text', ...`; None before anything else."""
    at = place - 1
    before = tokens[meaning[at]] if at >= 0 else None
    if before is not None and before.kind in ("(", ","):
        while at >= 0 and (tokens[meaning[at]].kind in (",", "string", "double", "number")):
            at -= 1
        at -= 1  # the opening parenthesis
        if at < 1 or not tokens[meaning[at]].is_word("IN"):
            return None
        at -= 1 + int(tokens[meaning[at - 1]].is_word("NOT"))
    else:
        signs = 0
        while at >= 0 and tokens[meaning[at]].text in ("=", "!", "<", ">"):
            at, signs = at - 1, signs + 1
        if not signs:
            return None
    if at < 0 or tokens[meaning[at]].kind not in ("word", "name", "double"):
        return None
    return columns.get(tokens[meaning[at]].value.casefold())


def _cells(table: SQLTable, column: str) -> dict[str, list[str]]:
    """Different cells of a column of text by their folded form; nothing where there are too many."""
    kind = dict(zip(table.columns, table.types, strict=True))[column]
    if kind not in ("text", "date"):
        return {}
    folded: dict[str, list[str]] = {}
    for cell in table.frame[column].dropna().unique():
        folded.setdefault(_folded(cell_text(cell)), []).append(cell_text(cell))
        if len(folded) > MOST_CELLS:
            return {}
    return folded


def _nearest(text: str, cells: dict[str, list[str]], similar: bool = True) -> str | None:
    """The one cell that a text must mean; None if it is a cell already, or it is not clear which.

    Args:
        similar: whether cells that are only similar are looked at too.
    """
    key = _folded(text)
    if key in cells:
        return None if text in cells[key] or len(cells[key]) > 1 else cells[key][0]
    if not similar or len(key) > LONGEST:
        return None
    near = difflib.get_close_matches(key, [cell for cell in cells if len(cell) <= LONGEST], n=2, cutoff=NEAR)
    if len(near) == 1 and len(cells[near[0]]) == 1 and not any(c.isdigit() for c in key + near[0]):
        return cells[near[0]][0]
    return None


def _folded(text: str) -> str:
    """Without regard to case, and to what stands between words."""
    return " ".join(re.findall(r"\w+", text.casefold()))


__all__ = ["drop_surplus_parentheses", "repaired"]
