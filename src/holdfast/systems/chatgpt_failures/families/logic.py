"""Category 2, logic: deduction and inference."""

from __future__ import annotations

import itertools
from random import Random
from typing import Any

from holdfast.systems.chatgpt_failures.families.words import NONSENSE, PEOPLE, said
from holdfast.systems.chatgpt_failures.tool.cases import Family, P

FORMS = {"A": "All {}s are {}s.", "E": "No {} is a {}.", "I": "Some {}s are {}s.", "O": "Some {}s are not {}s."}
CONTRARY = {"A": "O", "E": "I", "I": "E", "O": "A"}
KIN = ["parent", "child", "sibling", "grandparent", "grandchild", "aunt or uncle", "niece or nephew", "cousin"]


# -------------------------------------------------------------------------------------------------------- syllogisms
def draw_syllogism(rng: Random, level: int) -> P:
    a, b, c = rng.sample(NONSENSE, 3)
    pairs = [rng.sample(pair, 2) for pair in ([a, b], [b, c], [a, c])]
    return {"said": [[rng.choice("AAEIO"), *pair] for pair in pairs[:2]], "asked": [rng.choice("AEIO"), *pairs[2]]}


def ask_syllogism(p: P) -> str:
    told = " ".join(FORMS[form].format(a, b) for form, a, b in p["said"])
    form, a, b = p["asked"]
    exist = f"There is at least one of each kind: {', '.join(kinds_of(p))}."
    return f"{told} {exist} Is this true: '{FORMS[form].format(a, b)}' Say yes, no, or cannot tell."


def kinds_of(p: P) -> list[str]:
    return sorted({kind for _, *pair in p["said"] for kind in pair})


def true_in(statement: list[str], world: list[frozenset[str]]) -> bool:
    form, a, b = statement
    both, alone = any(a in r and b in r for r in world), any(a in r and b not in r for r in world)
    return {"A": not alone, "E": not both, "I": both, "O": alone}[form]


def all_worlds(p: P) -> str:
    kinds, verdicts = kinds_of(p), set()
    regions = [frozenset(itertools.compress(kinds, bits)) for bits in itertools.product((0, 1), repeat=3)]
    for chosen in itertools.product((False, True), repeat=len(regions)):  # who exists: each kind does
        world = list(itertools.compress(regions, chosen))
        if all(any(k in r for r in world) for k in kinds) and all(true_in(s, world) for s in p["said"]):
            verdicts.add(true_in(p["asked"], world))
    return "cannot tell" if len(verdicts) != 1 else "yes" if verdicts == {True} else "no"


def deduce(p: P) -> str:
    facts = {tuple(s) for s in p["said"]} | {(form, k, k) for k in kinds_of(p) for form in "AI"}
    while True:  # conversion, and what goes through All and No
        new = {(form, b, a) for form, a, b in facts if form in "EI"}
        for (f, a, b), (g, c, d) in itertools.product(facts, repeat=2):
            if b == c and f in "AI" and g in "AE":
                new.add(({"AA": "A", "AE": "E", "IA": "I", "IE": "O"}[f + g], a, d))
            if f == "O" and g == "A" and d == b:
                new.add(("O", a, c))  # some a are no b, and all c are b
            if f == "A" and g == "O" and a == c:
                new.add(("O", b, d))  # some a are no d, and all a are b
        if new <= facts:
            break
        facts |= new
    form, a, b = p["asked"]
    return "yes" if (form, a, b) in facts else "no" if (CONTRARY[form], a, b) in facts else "cannot tell"


# ------------------------------------------------------------------------------------------------ knights and knaves
def draw_island(rng: Random, level: int) -> P:
    n = 2 + level // 2
    while True:
        claims = []
        for i in range(n):
            others = [j for j in range(n) if j != i]
            kind = rng.choice(("knight", "knave", "same" if n > 2 else "like me"))
            claims.append([kind, *rng.sample(others, 2 if kind == "same" else 1)])
        p = {"people": rng.sample(PEOPLE, n), "claims": claims}
        if len(consistent(p)) == 1:
            return p


def ask_island(p: P) -> str:
    who, rows = p["people"], []
    for name, (kind, *about) in zip(who, p["claims"], strict=True):
        names = " and ".join(who[j] for j in about)
        same = {"same": f"{names} are of the same kind", "like me": f"{names} and I are of the same kind"}
        rows.append([name, same.get(kind, f"{names} is a {kind}")])
    kinds = "Knights always tell the truth, knaves always lie."
    return f"{kinds} {said('{} says: {}.', rows)} What are {', '.join(who)}, in this order (knight or knave for each)?"


def consistent(p: P) -> list[tuple[bool, ...]]:
    def true(world: tuple[bool, ...], i: int, kind: str, of: list[int]) -> bool:
        first = world[of[0]]
        return {"knight": first, "knave": not first, "same": first == world[of[-1]], "like me": first == world[i]}[kind]

    worlds = itertools.product((True, False), repeat=len(p["claims"]))
    return [w for w in worlds if all(w[i] == true(w, i, kind, of) for i, (kind, *of) in enumerate(p["claims"]))]


def eliminate(p: P) -> list[str]:
    n, rows = len(p["claims"]), []  # equations over GF(2), 1 = knight; bit n is the right side
    for i, (kind, *of) in enumerate(p["claims"]):
        if kind == "like me":
            rows.append(1 << of[0] | 1 << n)  # i = (i = j) means that j is a knight
        elif kind == "same":
            rows.append((1 << i ^ 1 << of[0] ^ 1 << of[1]) | 1 << n)
        else:
            rows.append((1 << i ^ 1 << of[0]) | (kind == "knave") << n)
    for column in range(n):
        pivot = next(k for k in range(column, n) if rows[k] >> column & 1)
        rows[column], rows[pivot] = rows[pivot], rows[column]
        rows = [r ^ rows[column] if k != column and r >> column & 1 else r for k, r in enumerate(rows)]
    return ["knight" if row >> n & 1 else "knave" for row in rows]


# ------------------------------------------------------------------------------------------------------------ family
def draw_family(rng: Random, level: int) -> P:
    a, b, c, *grandchildren = rng.sample(PEOPLE, 7)
    parents = [[a, b], [a, c], *([b if i < 2 else c, name] for i, name in enumerate(grandchildren))]
    while True:
        p = {"parents": rng.sample(parents, 6), "a": rng.choice(PEOPLE), "b": rng.choice(PEOPLE)}
        if kin_by_steps(p):
            return p


def kin_by_steps(p: P) -> str:
    up = {child: parent for parent, child in p["parents"]}
    lines: list[list[str]] = [[p["a"]], [p["b"]]]
    for line in lines:
        while line[-1] in up:
            line.append(up[line[-1]])
    shared = next((x for x in lines[0] if x in lines[1]), None)
    steps = (0, 0) if shared is None else (lines[0].index(shared), lines[1].index(shared))
    known = [(0, 1), (1, 0), (1, 1), (0, 2), (2, 0), (1, 2), (2, 1), (2, 2)]
    return KIN[known.index(steps)] if steps in known else ""


def kin_by_relations(p: P) -> str:
    def after(r: set[Any], s: set[Any]) -> set[Any]:
        return {(a, c) for a, b in r for b2, c in s if b == b2}

    parent = {tuple(pair) for pair in p["parents"]}
    child = {(b, a) for a, b in parent}
    sibling = {(a, b) for a, b in after(child, parent) if a != b}
    aunt, niece = after(sibling, parent), after(child, sibling)
    found = (parent, child, sibling, after(parent, parent), after(child, child), aunt, niece, after(niece, parent))
    return next(word for word, relation in zip(KIN, found, strict=True) if (p["a"], p["b"]) in relation)


FAMILIES = (
    Family(
        "syllogism", "logic", "deduction", draw_syllogism, ask_syllogism, all_worlds, deduce, "word",
        lambda p: {"choices": ["yes", "no", "cannot tell"]},
    ),
    Family(
        "knights_knaves", "logic", "deduction", draw_island, ask_island,
        lambda p: ["knight" if truthful else "knave" for truthful in consistent(p)[0]], eliminate, "list",
        lambda p: {"choices": ["knight", "knave"]}, "riddles",
    ),
    Family(
        "kinship", "logic", "inference", draw_family,
        lambda p: f"{said('{} is a parent of {}.', p['parents'])} What is {p['a']} to {p['b']}?",
        kin_by_steps, kin_by_relations, "word", lambda p: {"choices": KIN}, "family relationships",
    ),
)  # fmt: skip
