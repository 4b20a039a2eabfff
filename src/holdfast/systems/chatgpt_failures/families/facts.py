"""Category 4, factual errors: what a text says, what it does not say, what is known, what was made up."""

from __future__ import annotations

from random import Random

from holdfast.systems.chatgpt_failures.families.words import NONSENSE, PEOPLE, TABLES, said
from holdfast.systems.chatgpt_failures.tool.cases import Family, P

SYMBOLS, ELEMENTS = TABLES["symbols"].split(), TABLES["elements"].split()
ALIASES = {"aluminium": ["aluminum"], "sulfur": ["sulphur"]}
PERIODS = ((0, 2), (2, 10), (10, 18), (18, 36), (36, 54))
NOT_SAID = "not stated"
ROLES = (
    ("works as a", "What does {} work as?", ["baker", "nurse", "pilot", "tailor", "farmer"]),
    ("comes from", "Where does {} come from?", ["Paris", "Rome", "Oslo", "Lima", "Cairo"]),
    ("collects", "What does {} collect?", ["stamps", "clocks", "maps", "shells", "coins"]),
    ("was born in", "When was {} born?", ["1950", "1961", "1972", "1983", "1994"]),
)
ASKED = {
    "name of symbol": "Which chemical element has the symbol {symbol}? Give its name.",
    "symbol of name": "What is the chemical symbol of {name}?",
    "number of name": "What is the atomic number of {name}?",
    "name of number": "Which chemical element has the atomic number {number}? Give its name.",
}


def draw_sheet(rng: Random, level: int) -> P:
    every = [[who, role] for who in rng.sample(PEOPLE, 2 + level) for role in range(len(ROLES))]
    known = rng.sample(every, len(every) * 3 // 5)
    asked = rng.choice(known if rng.random() < 0.5 else [pair for pair in every if pair not in known])
    return {"facts": [[who, role, rng.choice(ROLES[role][2])] for who, role in known], "asked": asked}


def sheet(p: P) -> str:
    return said("{} {} {}.", [[who, ROLES[role][0], value] for who, role, value in p["facts"]])


def ask_sheet(p: P) -> str:
    who, role = p["asked"]
    return f"{sheet(p)}\nBy this text alone: {ROLES[role][1].format(who)} Say '{NOT_SAID}' if it does not tell."


def read_sheet(p: P) -> str:
    start = f"{p['asked'][0]} {ROLES[p['asked'][1]][0]} "
    return next((s.removeprefix(start) for s in sheet(p).rstrip(".").split(". ") if s.startswith(start)), NOT_SAID)


def of_element(i: int) -> dict[str, str]:
    return {"name": ELEMENTS[i], "symbol": SYMBOLS[i], "number": str(i + 1)}


def by_period(p: P) -> str:
    first, last = next(period for period in PERIODS if p["i"] < period[1])
    place, wanted = p["i"] - first, p["kind"].partition(" ")[0]
    row = {"name": ELEMENTS[first:last], "symbol": SYMBOLS[first:last]}.get(wanted)
    return str(range(first + 1, last + 1)[place]) if row is None else row[place]


def draw_material(rng: Random, level: int) -> P:
    return {"of": rng.choice(ELEMENTS) if rng.random() < 0.5 else f"{rng.choice(NONSENSE)}{rng.choice(NONSENSE)}ium"}


def invented(p: P) -> str:
    parts = [(x, p["of"].removeprefix(x).removesuffix("ium")) for x in NONSENSE if p["of"].startswith(x)]
    return "abstain" if any(rest in NONSENSE for _, rest in parts) else "answer"


FAMILIES = (
    Family(
        "closed_world", "facts", "from a text", draw_sheet, ask_sheet,
        lambda p: {(who, role): value for who, role, value in p["facts"]}.get(tuple(p["asked"]), NOT_SAID), read_sheet,
        "word", lambda p: {"choices": [NOT_SAID, *ROLES[p["asked"][1]][2]]}, "hallucinations",
    ),
    Family(
        "elements", "facts", "known",
        lambda rng, n: {"kind": rng.choice(sorted(ASKED)), "i": rng.randrange(min(54, 10 + 11 * n))},
        lambda p: ASKED[p["kind"]].format(**of_element(p["i"])),
        lambda p: of_element(p["i"])[p["kind"].split()[0]], by_period, "word",
        lambda p: {"aliases": ALIASES.get(ELEMENTS[p["i"]], []) if p["kind"].startswith("name") else []},
        "misremembering",
    ),
    Family(
        "fabricated_reference", "facts", "made up", draw_material,
        lambda p: f"In two sentences: what is the chemical element {p['of']} used for?",
        lambda p: "answer" if p["of"] in ELEMENTS else "abstain", invented, "phrase",
        lambda p: {"labels": ["abstain", "answer"]}, "hallucinations", True,
    ),
)  # fmt: skip
