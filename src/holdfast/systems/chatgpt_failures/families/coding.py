"""Category 7, coding: what a program prints, where it is wrong, and programs to be written.

What is run here without a sandbox are programs of our own alone.
"""

from __future__ import annotations

from random import Random
from typing import Any

from holdfast.systems.chatgpt_failures.families.words import COMMON, NONSENSE, TABLES
from holdfast.systems.chatgpt_failures.tool.cases import Family, P

BUGGY, SPECS = TABLES["buggy"], TABLES["specs"]
STEP = "    # step"
SIGNS = {"balanced": "(()) ", "run_lengths": "aab"}  # texts that the others are not tried with


def scope(code: str) -> dict[str, Any]:
    """Names that a program of ours defines."""
    names: dict[str, Any] = {}
    exec(code, names)
    return names


# ----------------------------------------------------------------------------------------------------- what is printed
def draw_program(rng: Random, level: int) -> P:
    steps = []
    for _ in range(1 + level):
        kind = rng.choice(("loop", "if", "last", "set"))
        sign = rng.choice("+-*" if kind == "set" else "+-")
        steps.append([kind, rng.choice("xy"), sign, rng.choice("xy"), rng.randint(2, 5)])
    return {"x": rng.randint(1, 9), "y": rng.randint(1, 9), "steps": steps, "shown": rng.choice("xy")}


def program(p: P) -> str:
    lines = [f"x = {p['x']}", f"y = {p['y']}"]
    for kind, a, op, b, n in p["steps"]:
        lines += {
            "loop": [f"for i in range({n}):", f"    {a} = {a} {op} i"],
            "if": [f"if {b} % {n} == 0:", f"    {a} = {a} {op} {n}", "else:", f"    {a} = {a} {op} 1"],
            "last": [f"{a} = {a} {op} [{b}, {n}][-1]"],
            "set": [f"{a} = {a} {op} {n}"],
        }[kind]
    return "\n".join([*lines, f"print({p['shown']})"])


def interpret(p: P) -> int:
    value = {"x": p["x"], "y": p["y"]}
    for kind, a, op, b, n in p["steps"]:
        for by in range(n) if kind == "loop" else [1 if kind == "if" and value[b] % n else n]:
            value[a] = value[a] + by if op == "+" else value[a] - by if op == "-" else value[a] * by
    return int(value[p["shown"]])


def execute(p: P) -> int:
    return int(scope(program(p).replace("print(", "printed = ("))["printed"])


# ------------------------------------------------------------------------------------------------------ what is wrong
def draw_bug(rng: Random, level: int) -> P:
    which = rng.randrange(len(BUGGY))
    lines, bugs = len(BUGGY[which]["right"].splitlines()), len(BUGGY[which]["wrong"])
    notes = sorted(rng.sample(range(1, lines), min(level - 1, 4)))
    return {"which": which, "bug": rng.randrange(bugs), "name": rng.choice(NONSENSE), "notes": notes}


def right_lines(p: P) -> list[str]:
    return str(BUGGY[p["which"]]["right"]).format(f=p["name"]).splitlines()


def wrong_lines(p: P) -> list[str]:
    lines, (number, wrong) = right_lines(p), BUGGY[p["which"]]["wrong"][p["bug"]]
    lines[number - 1] = wrong
    for at in reversed(p["notes"]):
        lines.insert(at, STEP)
    return lines


def ask_bug(p: P) -> str:
    numbered = "\n".join(f"{i:2} {line}" for i, line in enumerate(wrong_lines(p), 1))
    what = f"This should return {BUGGY[p['which']]['what']}, but one line is wrong"
    return f"{what}. Which number has the line?\n```\n{numbered}\n```"


def number_of_bug(p: P) -> int:
    number = BUGGY[p["which"]]["wrong"][p["bug"]][0]
    return int(number + sum(at < number for at in p["notes"]))


def mend_by_trying(p: P) -> int:
    shown, good = wrong_lines(p), iter(right_lines(p))
    for i, line in enumerate(shown):
        mended = shown if line == STEP else [*shown[:i], next(good), *shown[i + 1 :]]
        if results(mended, p) == results(right_lines(p), p):
            return i + 1
    return 0


def results(lines: list[str], p: P) -> list[Any]:
    function, found = scope("\n".join(lines))[p["name"]], []
    for arguments in BUGGY[p["which"]]["tests"]:
        try:
            found.append(function(*arguments))
        except (IndexError, TypeError):
            found.append("an error")
    return found


# --------------------------------------------------------------------------------------------------- what is written
def draw_calls(rng: Random, level: int) -> P:
    which = rng.randrange(len(SPECS))
    kinds = SPECS[which]["arguments"].split(", ")
    return {"which": which, "calls": [[value(rng, kind, SPECS[which]["name"]) for kind in kinds] for _ in range(12)]}


def value(rng: Random, kind: str, name: str) -> Any:
    if kind == "n":
        return rng.randint(1, 60)
    size = rng.randint(0, 8)
    if kind == "text":
        return "".join(map(rng.choice, [SIGNS[name]] * size)) if name in SIGNS else " ".join(rng.sample(COMMON, size))
    values = [rng.randint(-9, 9) for _ in range(size)]
    return [[v, v + 1] if v % 3 == 0 else v for v in values] if name == "flatten" else values


def written(p: P, which: str) -> str:
    spec = SPECS[p["which"]]
    return f"def {spec['name']}({spec['arguments']}):\n    return {spec[which]}"


def expected(p: P) -> P:
    name = SPECS[p["which"]]["name"]
    function = scope(written(p, "code"))[name]
    return {"function": name, "calls": p["calls"], "results": [function(*call) for call in p["calls"]]}


FAMILIES = (
    Family(
        "trace_output", "coding", "reading", draw_program,
        lambda p: f"What does this Python program print?\n```python\n{program(p)}\n```", interpret, execute,
    ),
    Family("find_bug", "coding", "reading", draw_bug, ask_bug, number_of_bug, mend_by_trying),
    Family(
        "implement_function", "coding", "writing", draw_calls,
        lambda p: "Write a Python function {name}({arguments}) that returns {what}.".format(**SPECS[p["which"]]),
        lambda p: written(p, "code"), lambda p: written(p, "again"), "program", expected,
    ),
)  # fmt: skip
