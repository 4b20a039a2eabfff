"""Reading what a language model wrote: a program, answers row by row, values. It may be wrapped, cut short or wrong."""

from __future__ import annotations

import re
from collections.abc import Sequence

FENCED = re.compile(r"```[a-zA-Z]*[ \t]*\n(.*?)(?:\n[ \t]*```|\Z)", re.DOTALL)
# Possessive (*+): a completion may be all blanks, and trying every way to share them out would take for ever.
BEGINS = re.compile(
    r"(?im)^[ \t]*+(?:neuralsql|sql|query|program)?[ \t]*+:?[ \t]*+((?:select|with|qa[ \t]*+\()[\s\S]*)"
)
LABEL = re.compile(r"(?i)^\s*(?:answers?|a|neuralsql)\s*:\s*")


def read_program(text: str) -> str:
    """The program in a completion: what a fence encloses, else what begins like one, to the next empty line.

    Example:
        >>> read_program("Here it is:\\n```sql\\nSELECT COUNT(*) FROM w;\\n```\\nDone.")
        'SELECT COUNT(*) FROM w'
        >>> read_program(" SELECT name FROM w\\n\\nQ: the next one")
        'SELECT name FROM w'
    """
    fenced = [part for part in FENCED.findall(text) if part.strip()]
    source = fenced[-1] if fenced else text
    found = BEGINS.search(source)
    program = found[1] if found else source
    program = re.split(r"\n[ \t]*\n", program.strip(), maxsplit=1)[0]
    return program.strip().strip("`").rstrip("; \n\t")


def read_rows(text: str, count: int) -> list[str | None]:
    """Answers of `count` rows from lines of tab-separated fields: number first, answer last, in lower case.

    Lines may come in any order. Rows without a line, with a line that has fewer fields than others, or with several
    that differ have None; lines without numbers count only if there are exactly as many as rows.

    Example:
        >>> read_rows("1\\tlorry\\tNo\\n0\\tapple\\tYes", 3)
        ['yes', 'no', None]
        >>> read_rows("yes\\nno", 2)
        ['yes', 'no']
    """
    fenced = FENCED.findall(text)
    lines = [line.strip("\r\n ") for line in (fenced[-1] if fenced else text).splitlines()]
    lines = [line for line in lines if line and line not in ("/*", "*/") and not line.startswith("row_id")]
    numbered = [[field.strip() for field in line.split("\t")] for line in lines]
    numbered = [fields for fields in numbered if len(fields) > 1 and re.fullmatch(r"\d{1,9}", fields[0])]
    width = max(map(len, numbered), default=0)
    answers: dict[int, set[str]] = {}
    for number, *fields in numbered:
        if len(fields) + 1 == width:  # a shorter line repeats the row and leaves out the answer
            answers.setdefault(int(number), set()).add(fields[-1].lower())
    if answers:
        return [next(iter(answers[i])) if len(answers.get(i, ())) == 1 else None for i in range(count)]
    plain = [line.split("\t")[-1].strip().lower() for line in lines]
    return list(plain) if len(plain) == count else [None] * count


def read_values(text: str) -> list[str]:
    """Values from the last line that says something: separated by tabs, in lower case.

    Example:
        >>> read_values("A: Anna Roe\\tPaul Greer\\n")
        ['anna roe', 'paul greer']
    """
    fenced = FENCED.findall(text)
    lines = [line for line in (fenced[-1] if fenced else text).splitlines() if line.strip() not in ("", "/*", "*/")]
    if not lines:
        return []
    values: Sequence[str] = LABEL.sub("", lines[-1]).split("\t")
    return [value.strip().lower() for value in values if value.strip()]


__all__ = ["read_program", "read_rows", "read_values"]
