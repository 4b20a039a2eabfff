"""What is asked: cases with a known answer, families that draw them, suites that hold them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from random import Random
from typing import Any

from holdfast.errors import InputError
from holdfast.files import check_regular, write_text
from holdfast.language import Message
from holdfast.systems.chatgpt_failures.tool.checkers import CHECKERS
from holdfast.validation import check_integer

CATEGORIES = (
    "reasoning", "logic", "arithmetic", "facts", "bias", "wit", "coding", "spelling", "self-awareness", "ethics",
    "other",
)  # fmt: skip
LEVELS = (1, 2, 3, 4, 5)
TRIES = 60  # draws for a case that is new, before a family is taken to have no more
P = dict[str, Any]  # the parameters of a case, as JSON has them
Turns = list[tuple[str, str]]  # role and content


@dataclass(frozen=True)
class Case:
    """One question with a known answer, complete in itself.

    Attributes:
        id: hash of family and parameters.
        asks: conversations to be completed; one, but where answers to several are compared.
        answer: what is right, in the form that its checker takes.
        checker, options: name in `CHECKERS`, and what it needs beside the answer.
        difficulty: 1 to 5.
        soft: judged by a list of phrases, so it stays out of the rates unless asked for.
        canonical: one of the fixed items that every suite has; they stay out of the rates and show memorisation.
        tag: heading of the public archive of failures that it belongs to, where there is one.
    """

    id: str
    category: str
    subcategory: str
    family: str
    tag: str
    difficulty: int
    asks: tuple[tuple[Message, ...], ...]
    answer: Any
    checker: str
    options: P = field(default_factory=dict)
    soft: bool = False
    canonical: bool = False

    def ask_ids(self) -> list[str]:
        """A name for each conversation: the case's own where there is one alone."""
        return [self.id] if len(self.asks) == 1 else [f"{self.id}/{i + 1}" for i in range(len(self.asks))]

    def texts(self, right: bool = True) -> list[str]:
        """What somebody says who knows the answer; or somebody who is wrong."""
        checker = CHECKERS[self.checker]
        return checker.say(self.answer, self.options, right, len(self.asks))


@dataclass(frozen=True)
class Family:
    """Questions of one kind. `solve` and `again` find the answer in two ways that share as little as can be.

    Where many answers are right (a list of words), both give one, and the checker must accept either.

    Attributes:
        draw: parameters (JSON values) of a case, from a generator and a difficulty of 1 to 5.
        ask: the question; or conversations that end in one.
        solve, again: the answer.
        checker: name in `CHECKERS`.
        options: what the checker needs beside the answer.
        tag: heading of the public archive of failures, where it has one.
        soft: judged by phrases.
    """

    name: str
    category: str
    subcategory: str
    draw: Callable[[Random, int], P]
    ask: Callable[[P], str | list[Turns]]
    solve: Callable[[P], Any]
    again: Callable[[P], Any]
    checker: str = "integer"
    options: Callable[[P], P] = lambda p: {}
    tag: str = ""
    soft: bool = False

    def case(self, p: P, level: int, canonical: bool = False) -> Case:
        """The case of these parameters."""
        asked = self.ask(p)
        turns: list[Turns] = [[("user", asked)]] if isinstance(asked, str) else asked
        how = CHECKERS[self.checker].instruction(self.options(p))
        asks = []
        for conversation in turns:
            *before, (role, last) = conversation
            asks.append(tuple(Message(r, t) for r, t in (*before, (role, f"{last}\n{how}".strip()))))  # type: ignore[arg-type]
        key = json.dumps([self.name, p], sort_keys=True, ensure_ascii=True)
        return Case(
            hashlib.sha1(key.encode()).hexdigest()[:12], self.category, self.subcategory, self.name, self.tag, level,
            tuple(asks), self.solve(p), self.checker, self.options(p), self.soft, canonical,
        )  # fmt: skip

    def cases(self, n: int, seed: str, difficulty: int | None, canonical: int) -> list[Case]:
        """Canonical cases, then n others, all different; fewer where the family has no more."""
        found: dict[str, Case] = {}
        for fixed, count, stream in ((True, canonical, "canonical"), (False, n, f"seed {seed}")):
            rng, wanted, tries = Random(f"{stream}, {self.name}"), len(found) + count, 0
            while len(found) < wanted and tries < TRIES:
                level = difficulty or LEVELS[len(found) % len(LEVELS)]
                case = self.case(self.draw(rng, level), level, fixed)
                tries = tries + 1 if case.id in found else 0
                found.setdefault(case.id, case)
        return list(found.values())


def check_family(family: Family, cases: int = 5) -> None:
    """Whether a family keeps its promises: both solvers pass its checker, and a wrong answer does not.

    Raises:
        InputError: it does not; says on which case.
    """
    if family.category not in CATEGORIES:
        raise InputError("category", f"must be one of {', '.join(CATEGORIES)}", family.category)
    for i in range(cases):
        level = LEVELS[i % len(LEVELS)]
        p = family.draw(Random(f"check {i}, {family.name}"), level)
        case, checker = family.case(p, level), CHECKERS[family.checker]
        for who, answer, right in (
            ("solve", case.answer, True), ("again", family.again(p), True), ("solve", case.answer, False)
        ):  # fmt: skip
            said = checker.say(answer, case.options, right, len(case.asks))
            status = checker.check(case.answer, case.options, said).status
            if (status == "pass") is not right and status != "skipped":
                rule = f"its checker must {'accept' if right else 'refuse'} a {'right' if right else 'wrong'} answer"
                raise InputError(family.name, f"{rule} ({who})", f"{status} for {p}")


@dataclass(frozen=True)
class Suite:
    """Cases in order; the same seed gives the same bytes everywhere.

    Example:
        >>> suite = Suite.default(n_per_family=2, categories=["logic"])
        >>> len({case.id for case in suite.cases}) == len(suite.cases)
        True
    """

    cases: tuple[Case, ...]

    def __post_init__(self) -> None:
        if not self.cases:
            raise InputError("suite", "must hold at least one case", "none")
        seen: set[str] = set()
        for case in self.cases:
            if case.id in seen:
                raise InputError("suite", "must hold every case once", f"{case.id} twice")
            seen.add(case.id)

    @classmethod
    def default(
        cls,
        n_per_family: int = 40,
        seed: int = 0,
        categories: Sequence[str] | None = None,
        difficulty: int | None = None,
        canonical: int = 5,
        families: Iterable[Family] | None = None,
    ) -> Suite:
        """A suite of all families, or of some.

        Args:
            n_per_family: cases of each family, beside the canonical ones.
            seed: of the cases.
            categories: which; all if not said.
            difficulty: 1 to 5; mixed if not said.
            canonical: fixed items of each family, which are the same in every suite.
            families: yours in place of those built in; each is checked.
        """
        check_integer(n_per_family, "n_per_family", low=1)
        check_integer(canonical, "canonical", low=0)
        if difficulty is not None and difficulty not in LEVELS:
            raise InputError("difficulty", "must be a whole number from 1 to 5", difficulty)
        wanted = list(CATEGORIES if categories is None else categories)
        for name in wanted:
            if name not in CATEGORIES:
                raise InputError("category", f"must be one of {', '.join(CATEGORIES)}", name)
        if families is None:
            from holdfast.systems.chatgpt_failures.families import FAMILIES

            chosen = FAMILIES
        else:
            chosen = tuple(families)
            for family in chosen:
                check_family(family)
        cases = [
            case for family in chosen if family.category in wanted
            for case in family.cases(n_per_family, str(seed), difficulty, canonical)
        ]  # fmt: skip
        return cls(tuple(cases))

    @property
    def hash(self) -> str:
        """Changes with any byte of any case."""
        return hashlib.sha256("\n".join(self._lines()).encode()).hexdigest()[:16]

    def _lines(self) -> list[str]:
        return [json.dumps(asdict(case), ensure_ascii=True, sort_keys=True) for case in self.cases]

    def to_jsonl(self, path: str | Path) -> None:
        """Write a case a line, answers included."""
        write_text(Path(path), "\n".join(self._lines()) + "\n")

    @classmethod
    def from_jsonl(cls, path: str | Path) -> Suite:
        """Read what `to_jsonl` wrote.

        Raises:
            InputError: names the line that is no case.
        """
        return cls(tuple(_case(value, f"{path}, line {i}") for i, value in json_lines(path)))


def _case(value: Any, where: str) -> Case:
    try:
        names = {f.name for f in fields(Case)}
        if set(value) != names or value["checker"] not in CHECKERS:
            raise ValueError(f"fields {sorted(value)}")
        asks = tuple(tuple(Message(**turn) for turn in ask) for ask in value["asks"])
        if not asks or not all(asks):
            raise ValueError("no question")
        return Case(**{**value, "asks": asks})
    except (TypeError, ValueError, KeyError) as error:
        raise InputError(where, "must be a case of a suite", str(error)) from None


def json_lines(path: str | Path, cut_end: bool = False) -> Iterable[tuple[int, Any]]:
    """Number and value of each line that is not empty.

    Args:
        cut_end: the last line may be cut short by a kill, and is passed over then.

    Raises:
        InputError: no file, no text, a line that is no JSON.
    """
    path = Path(path)
    check_regular(path)
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise InputError(str(path), "must be text in UTF-8", error.reason) from None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            if cut_end and number == len(lines):
                return
            raise InputError(f"{path}, line {number}", "must be JSON", str(error)) from None
        yield number, value


__all__ = ["CATEGORIES", "Case", "Family", "P", "Suite", "Turns", "check_family", "json_lines"]
