"""Category 7, coding: what a program prints, and programs to be written.

What is run here without a sandbox are programs of our own alone.
"""

from __future__ import annotations

from random import Random
from typing import Any

from holdfast.systems.chatgpt_failures.families.words import COMMON, TABLES
from holdfast.systems.chatgpt_failures.tool.cases import Family, P

SPECS = TABLES["specs"]
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
    Family(
        "implement_function", "coding", "writing", draw_calls,
        lambda p: "Write a Python function {name}({arguments}) that returns {what}.".format(**SPECS[p["which"]]),
        lambda p: written(p, "code"), lambda p: written(p, "again"), "program", expected,
    ),
)  # fmt: skip
