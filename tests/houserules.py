"""What the house asks of the rooms of systems, and which of the first rooms are let off, each with the reason.

An exception is lowered when its room gets smaller, and goes when the room keeps the rule. New systems have none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from holdfast.catalogue import System

# The doors of a room, the same in each; whatever else a system needs lies in tool/ and experiment/.
DOORS = {
    "__init__.py", "__init__.pyi", "card.toml", "method.py", "net.py", "estimator.py", "cli.py", "problems.py",
    "experiment.py", "py.typed",
}  # fmt: skip


@dataclass(frozen=True)
class Limits:
    """How large a room may be (DESIGN, section 2).

    Attributes:
        lines: of Python in the room.
        method_lines: of each file of its method.
        loose_files: files at the room's top that are none of the doors.
        verbs: of its command line.
        words: of its docs page that somebody wrote.
        ledger_seconds: of all trials in the ledger kept at "small".
        why: where a limit is not the house's.
    """

    lines: int = 1500
    method_lines: int = 400
    loose_files: int = 0
    verbs: int = 4
    words: int = 1500
    ledger_seconds: float = 3600
    why: str = ""


HOUSE = Limits()
FIRST_ROOMS = "one of the first six systems, built before there were limits: more verbs and ways in than a new room has"
PROBES = "forty families of questions, each with two solvers and a part of its own in the checkers"
LIBRARY = "a library that lives on disk, a classifier of vectors, and an experiment of fifteen arms"
EXCEPTIONS = {
    "binder": replace(HOUSE, lines=6250, why=FIRST_ROOMS),
    "chatgpt_failures": replace(HOUSE, lines=3210, why=PROBES),
    "expert_lms": replace(HOUSE, lines=1710, why=LIBRARY),
    "fct": replace(HOUSE, lines=4500, verbs=6, why=FIRST_ROOMS),
    "gbrt_forecasting": replace(HOUSE, lines=4400, ledger_seconds=4500, why=FIRST_ROOMS),
    "mutransfer": replace(HOUSE, lines=3350, ledger_seconds=8300, why=FIRST_ROOMS),
    "nonstationary_meta": replace(HOUSE, lines=4850, why=FIRST_ROOMS),
}
# Experiments whose headline is not put to a broken variant of the method, and why.
NEW_PLANS = "its plan was frozen before this was asked for; the next plan of this system has one"
FIRST_SIX = ("adamatch", "binder", "fct", "gbrt_forecasting", "mutransfer", "nonstationary_meta")
WITHOUT_BROKEN_ARM = dict.fromkeys(FIRST_SIX, NEW_PLANS)


def limits_of(system: System) -> Limits:
    """What a system's room has to keep to."""
    return EXCEPTIONS.get(system.id, HOUSE)


def sources(folder: Path) -> Iterator[Path]:
    """All Python files of a room, those of its sub-packages too."""
    return (path for path in sorted(folder.rglob("*.py")) if "__pycache__" not in path.parts)


def lines_of(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def method_files(folder: Path) -> list[Path]:
    """`method.py` or the modules of `method/`; a sub-package with a method of its own counts as well."""
    found = [*folder.rglob("method.py"), *(path for path in folder.rglob("*.py") if path.parent.name == "method")]
    return sorted(set(found))


def loose_files(folder: Path) -> list[str]:
    """Files at the room's top that are none of its doors."""
    return sorted(path.name for path in folder.iterdir() if path.is_file() and path.name not in DOORS)


def written_words(page: str) -> int:
    """Words of a docs page outside generated parts and code."""
    text = re.sub(r"<!-- (\w+)(?: \w+)? -->\n.*?<!-- /\1 -->", " ", page, flags=re.DOTALL)
    text = re.sub(r"^```.*?^```", " ", text, flags=re.DOTALL | re.MULTILINE)
    return len(re.findall(r"[^\W_]+(?:['’.-][^\W_]+)*", text))
