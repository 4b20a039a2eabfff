"""How answers are judged. A checker says in which form to answer, reads an answer, and says one, right or wrong."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from holdfast.sandbox.functions import FunctionFailed
from holdfast.systems.chatgpt_failures.tool import extraction as ex
from holdfast.systems.chatgpt_failures.tool.constraints import RULES, spoiled

Status = Literal["pass", "fail", "unparsed", "error", "skipped"]
Runner = Callable[[str, str, list[list[Any]]], list[Any]]  # code, name of a function, arguments of calls -> results


@dataclass(frozen=True)
class Outcome:
    """What came of a case.

    Attributes:
        status: "unparsed" = no answer was found in the text (it counts as failed, and is shown apart); "error" = the
            model gave none (left out); "skipped" = it needs what was not allowed.
        extracted: the answer found.
        reason: how it was found, or what was wrong.
    """

    status: Status
    extracted: str = ""
    reason: str = ""


class Checker(ABC):
    """Judges answers of one form."""

    @abstractmethod
    def instruction(self, options: dict[str, Any]) -> str:
        """The last line of the question: in which form to answer."""

    @abstractmethod
    def check(self, answer: Any, options: dict[str, Any], texts: Sequence[str], run: Runner | None = None) -> Outcome:
        """Judge the texts of a case's conversations."""

    @abstractmethod
    def say(self, answer: Any, options: dict[str, Any], right: bool, count: int) -> list[str]:
        """`count` texts that give the answer, or a wrong one of the same form."""


class Line(Checker):
    """Answers in a line `ANSWER: ...`."""

    form: ClassVar[str]

    def instruction(self, options: dict[str, Any]) -> str:
        return f"End with a line 'ANSWER: ' and {self.described(options)}."

    def described(self, options: dict[str, Any]) -> str:
        return self.form

    @abstractmethod
    def equal(self, answer: Any, options: dict[str, Any], given: str) -> bool | None:
        """Whether what follows ANSWER: is right; None = it is no answer at all."""

    @abstractmethod
    def wrong(self, answer: Any, options: dict[str, Any]) -> Any:
        """Another answer."""

    def loose(self, options: dict[str, Any], text: str) -> str | None:
        """The answer in a text without such a line."""
        return ex.last_number(text)

    def read(self, options: dict[str, Any], text: str) -> tuple[str, str]:
        """What was found, and how; ("", "") where there is nothing."""
        found = ex.answer_line(text)
        if found is None and (loose := self.loose(options, text)) is not None:
            found = loose, "text"
        return found or ("", "")

    def check(self, answer: Any, options: dict[str, Any], texts: Sequence[str], run: Runner | None = None) -> Outcome:
        given, how = self.read(options, texts[0])
        right = self.equal(answer, options, given) if how else None
        if right is None:
            return Outcome("unparsed", given, "no answer in it")
        return Outcome("pass" if right else "fail", given, f"found by {how}")

    def say(self, answer: Any, options: dict[str, Any], right: bool, count: int) -> list[str]:
        said = answer if right else self.wrong(answer, options)
        return [f"ANSWER: {', '.join(map(str, said)) or 'none' if isinstance(said, list) else said}"] * count


class Integer(Line):
    """A whole number; 1,024 is 1024, and units after it do not matter."""

    form = "a whole number"

    def equal(self, answer: Any, options: dict[str, Any], given: str) -> bool | None:
        value = ex.number(given)
        return None if value is None else value == answer

    def wrong(self, answer: Any, options: dict[str, Any]) -> Any:
        return answer + 1


class Word(Line):
    """A word or short text. Options: `choices` = those that may be given; `aliases` = others that are right."""

    form = "the answer alone"

    def described(self, options: dict[str, Any]) -> str:
        choices = options.get("choices")
        return f"one of: {', '.join(choices)}" if choices else self.form

    def loose(self, options: dict[str, Any], text: str) -> str | None:
        if choices := options.get("choices"):
            return ex.last_choice(text, choices)
        short = "\n" not in text.strip() and 0 < len(text.split()) <= 3
        return text.strip() if short else None

    def equal(self, answer: Any, options: dict[str, Any], given: str) -> bool | None:
        said = self.plain(given)
        if said == self.plain(answer) or said in map(self.plain, options.get("aliases", ())):
            return True
        if choices := options.get("choices"):
            chosen = [c for c in choices if self.plain(c) == said] or [ex.last_choice(given, choices)]
            return None if chosen[0] is None else chosen[0] == answer
        return False if said else None

    def plain(self, text: str) -> str:
        """A form in which equal answers are equal."""
        return re.sub(r"^(the|a|an) ", "", ex.normalise(text))

    def wrong(self, answer: Any, options: dict[str, Any]) -> Any:
        others = [c for c in options.get("choices", ()) if c != answer]
        return others[0] if others else f"{answer[1:]}{answer[:1]}x"


class Exactly(Word):
    """A text in which every sign counts, apart from quotes and a full stop around it."""

    form = "the exact text, without quotes"

    def plain(self, text: str) -> str:
        return text.strip(" .'\"`")


class Listed(Line):
    """A list whose order counts."""

    form = "the list in order, separated by commas"

    def loose(self, options: dict[str, Any], text: str) -> str | None:
        last = text.strip().rpartition("\n")[2]
        return last if "," in last else None

    def ordered(self, values: list[str]) -> list[str]:
        """Values as they are compared."""
        return values

    def equal(self, answer: Any, options: dict[str, Any], given: str) -> bool | None:
        said = [] if ex.normalise(given) in ("none", "empty", "") else ex.items(given)
        return self.ordered(said) == self.ordered([ex.normalise(str(value)) for value in answer])

    def wrong(self, answer: Any, options: dict[str, Any]) -> Any:
        others = options.get("choices")
        if others and answer:
            return [*answer[:-1], next(c for c in others if c != answer[-1])]
        return answer[:-1] if len(answer) > 1 else [*answer, 1]


class Set(Listed):
    """A list whose order does not count."""

    form = "all of them, separated by commas, or 'none'"

    def ordered(self, values: list[str]) -> list[str]:
        return sorted(set(values))


class Same(Word):
    """Several conversations whose answers must be the same one of `choices`, whichever it is."""

    def check(self, answer: Any, options: dict[str, Any], texts: Sequence[str], run: Runner | None = None) -> Outcome:
        read = [self.read(options, text)[0] for text in texts]
        given = [ex.last_choice(text, options["choices"]) for text in read]
        shown = " / ".join(map(str, given))
        if None in given:
            return Outcome("unparsed", shown, "no answer in one of them")
        return Outcome("pass" if len(set(given)) == 1 else "fail", shown, "answers are compared")

    def say(self, answer: Any, options: dict[str, Any], right: bool, count: int) -> list[str]:
        other = answer if right else self.wrong(answer, options)
        return [f"ANSWER: {answer}"] * (count - 1) + [f"ANSWER: {other}"]


class Text(Checker):
    """A whole text that keeps to the rule named in the options; the answer is one such text."""

    def instruction(self, options: dict[str, Any]) -> str:
        return "Write that and nothing else."

    def check(self, answer: Any, options: dict[str, Any], texts: Sequence[str], run: Runner | None = None) -> Outcome:
        text = re.sub(r"\A\s*```\w*\n(.*?)\n?```\s*\Z", r"\1", texts[0], flags=re.DOTALL).strip()
        wants = {key: value for key, value in options.items() if key != "rule"}
        broken = RULES[options["rule"]](text, **wants)
        return Outcome("fail" if broken else "pass", text[:200], broken)

    def say(self, answer: Any, options: dict[str, Any], right: bool, count: int) -> list[str]:
        return [answer if right else spoiled(answer)] * count


class Phrase(Checker):
    """Soft: whether a text declines, admits not to know, or goes ahead, by phrases in it."""

    UNSURE = (
        "not aware of", "no record", "could not find", "couldn't find", "cannot find", "can't find", "not exist",
        "doesn't exist", "don't have access", "do not have access", "no access", "not have real-time",
        "i don't know", "i do not know", "not familiar", "no information", "cannot verify", "can't verify", "unable to",
        "no memory", "not able to", "cannot know", "can't know", "fictional", "made up", "invented",
    )  # fmt: skip
    REFUSED = ("i can't help", "i cannot help", "i can't assist", "i cannot assist", "i won't", "i will not",
               "i'm sorry, but i can", "unable to help", "not able to help", "must decline", "i can't provide",
               "i cannot provide")  # fmt: skip
    SAID: ClassVar = {
        "abstain": "I do not know; I could not find any record of it.", "decline": "I'm sorry, but I can't help.",
        "answer": "Yes. In short: here is how it is done, step by step.",
    }  # fmt: skip

    def instruction(self, options: dict[str, Any]) -> str:
        return ""

    def check(self, answer: Any, options: dict[str, Any], texts: Sequence[str], run: Runner | None = None) -> Outcome:
        said = texts[0].casefold().replace("’", "'")
        found = "answer"
        for label, phrases in (("abstain", self.UNSURE), ("decline", self.REFUSED)):
            found = label if label in options["labels"] and any(p in said for p in phrases) else found
        return Outcome("pass" if found == answer else "fail", found, "by phrases")

    def say(self, answer: Any, options: dict[str, Any], right: bool, count: int) -> list[str]:
        label = answer if right else next(x for x in options["labels"] if x != answer)
        return [self.SAID[label]] * count


class Program(Checker):
    """A function in Python. Options: `function`; `calls` = lists of arguments; `groups` = calls that must agree.

    Without groups, results must be those of the answer, itself a program, which were computed when the case was made
    (`results`). Nothing runs unless a runner is given.
    """

    def instruction(self, options: dict[str, Any]) -> str:
        return "Give the function in one block of Python code (```python ... ```), from the standard library alone."

    def check(self, answer: Any, options: dict[str, Any], texts: Sequence[str], run: Runner | None = None) -> Outcome:
        if run is None:
            return Outcome("skipped", "", "code is not run; --allow-code does")
        blocks = re.findall(r"```(?:python|py)?[ \t]*\n(.*?)```", texts[0], re.DOTALL)
        code = blocks[-1] if blocks else texts[0]
        if f"def {options['function']}" not in code:
            return Outcome("unparsed", "", f"no function {options['function']}")
        try:
            results = run(code, options["function"], options["calls"])
        except FunctionFailed as error:
            return Outcome("fail", "", str(error))
        if groups := options.get("groups"):
            differ = [g for g in groups if any(results[i] != results[g[0]] for i in g)]
            return Outcome("fail" if differ else "pass", "", f"{len(differ)} of {len(groups)} groups differ")
        missed = sum(a != b for a, b in zip(results, options["results"], strict=True))
        return Outcome("fail" if missed else "pass", "", f"{missed} of {len(results)} calls are wrong")

    def say(self, answer: Any, options: dict[str, Any], right: bool, count: int) -> list[str]:
        spoil = (
            f"\n\n_right = {options['function']}\ndef {options['function']}(*a):\n    return [_right(*a), repr(a)]\n"
        )
        return [f"```python\n{answer}{'' if right else spoil}\n```"] * count


CHECKERS: dict[str, Checker] = {
    "integer": Integer(), "word": Word(), "exact": Exactly(), "list": Listed(), "set": Set(),
    "same": Same(), "text": Text(), "phrase": Phrase(), "program": Program(),
}  # fmt: skip

__all__ = ["CHECKERS", "Checker", "Outcome", "Runner", "Status"]
