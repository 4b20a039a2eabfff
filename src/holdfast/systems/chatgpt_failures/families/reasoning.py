"""Category 1, reasoning: space, time, bodies, minds, common sense."""

from __future__ import annotations

import datetime
import itertools
from fractions import Fraction
from random import Random

from holdfast.systems.chatgpt_failures.families.words import PEOPLE, PLACES, TABLES, THINGS, said
from holdfast.systems.chatgpt_failures.tool.cases import Family, P

MONTHS, DAYS = TABLES["months"].split(), TABLES["days"].split()
ROOMS = ["kitchen", "attic", "garage", "office", "cellar"]
SHARED = ("paint {} equal fences", "dig {} equal holes", "pack {} equal boxes")
WAITING = ("shirts dry on a line in the sun", "eggs boil together in a pot", "seeds sprout in a warm room")


# ------------------------------------------------------------------------------------------------------------- space


def draw_row(rng: Random, level: int) -> P:
    row = rng.sample(THINGS, 3 + level // 2)
    facts = [[a, "left", b] if rng.random() < 0.5 else [b, "right", a] for a, b in itertools.pairwise(row)]
    return {"things": sorted(row), "facts": rng.sample(facts, len(facts))}


def follow_row(p: P) -> list[str]:
    after = dict((a, b) if side == "left" else (b, a) for a, side, b in p["facts"])
    row = [next(thing for thing in p["things"] if thing not in after.values())]
    while row[-1] in after:
        row.append(after[row[-1]])
    return row


def try_rows(p: P) -> list[str]:
    steps = {"left": -1, "right": 1}
    rows = itertools.permutations(p["things"])
    return list(next(r for r in rows if all(r.index(a) - r.index(b) == steps[side] for a, side, b in p["facts"])))


# -------------------------------------------------------------------------------------------------------------- time
def draw_order(rng: Random, level: int) -> P:
    order = rng.sample(PEOPLE, 3 + level // 2)
    links = list(itertools.pairwise(order)) + [sorted(rng.sample(order, 2), key=order.index) for _ in range(level)]
    facts = [[a, "before", b] if rng.random() < 0.5 else [b, "after", a] for a, b in links]
    return {"people": sorted(order), "facts": rng.sample(facts, len(facts)), "which": rng.choice(("first", "last"))}


def never_second(p: P) -> str:
    pairs = [(a, b) if when == "before" else (b, a) for a, when, b in p["facts"]]
    other_end = {pair[1 if p["which"] == "first" else 0] for pair in pairs}
    return next(person for person in p["people"] if person not in other_end)


def try_orders(p: P) -> str:
    orders = itertools.permutations(p["people"])
    fits = (o for o in orders if all((o.index(a) < o.index(b)) == (when == "before") for a, when, b in p["facts"]))
    return next(fits)[0 if p["which"] == "first" else -1]


def ask_date(p: P) -> str:
    year, month, day = p["date"]
    known = f"{day} {MONTHS[month - 1]} {year} is a {DAYS[datetime.date(year, month, day).weekday()]}"
    return f"{known}. Which day of the week is it {p['days']} days later?"


def zeller(p: P) -> str:
    year, month, day = p["date"]  # Zeller's congruence, where 0 is Saturday
    year, month = (year - 1, month + 12) if month < 3 else (year, month)
    weekday = day + 13 * (month + 1) // 5 + year + year // 4 - year // 100 + year // 400
    return DAYS[(weekday + 5 + p["days"]) % 7]


# ------------------------------------------------------------------------------------------------------------ bodies
def draw_boxes(rng: Random, level: int) -> P:
    boxes = rng.sample(PLACES, 3)
    moves = [[box, rng.choice(ROOMS)] for box in boxes] + [["coin", rng.choice(boxes)]]
    for _ in range(level + 1):
        i = rng.randrange(4)
        moves.append(["coin", rng.choice(boxes)] if i == 3 else [boxes[i], rng.choice((*boxes[i + 1 :], *ROOMS))])
    return {"moves": moves}


def follow_coin(p: P) -> str:
    inside, at = dict(p["moves"]), "coin"  # the last place of each thing
    while at in inside:
        at = inside[at]
    return at


def carry_along(p: P) -> str:
    room: dict[str, str] = {}
    inside: dict[str, set[str]] = {}
    for thing, place in p["moves"]:
        for content in inside.values():
            content.discard(thing)
        inside.setdefault(place, set()).add(thing)
        moved = {thing}
        while grown := {x for m in moved for x in inside.get(m, ())} - moved:
            moved |= grown
        room.update(dict.fromkeys(moved, room.get(place, place)))
    return room["coin"]


# ------------------------------------------------------------------------------------------------------------- minds
def draw_beliefs(rng: Random, level: int) -> P:
    people, places = rng.sample(PEOPLE, 2 + level // 2), rng.sample(PLACES, 3 + level // 2)
    moves = [[people[0], places[0], people]]
    for _ in range(level):
        mover = rng.choice(people)
        seen = [person for person in people if person == mover or rng.random() < 0.4]
        moves.append([mover, rng.choice([place for place in places if place != moves[-1][1]]), seen])
    return {"places": places, "moves": moves, "about": rng.choice(people)}


def ask_belief(p: P) -> str:
    rows = [[m, at, " and ".join(x for x in seen if x != m) or "nobody else"] for m, at, seen in p["moves"]]
    told = said("{} moves the ball to the {}; {} can see that.", rows)
    return f"{told} Nobody talks about it. Where does {p['about']} think that the ball is?"


def believe(p: P) -> str:
    belief: dict[str, str] = {}
    for _, place, seen in p["moves"]:
        belief.update(dict.fromkeys(seen, place))
    return belief[p["about"]]


def last_witnessed(p: P) -> str:
    return str(next(place for _, place, seen in reversed(p["moves"]) if p["about"] in seen))


# ------------------------------------------------------------------------------------------------------ common sense
def draw_work(rng: Random, level: int) -> P:
    n, factor = rng.randint(2, 4 + 3 * level), rng.randint(2, 2 + level)
    p = {"shared": rng.random() < 0.5, "kind": rng.randrange(3)}
    return {**p, "n": n, "m": n * factor, "minutes": factor * rng.randint(2, 30)}


def ask_work(p: P) -> str:
    n, m, t = p["n"], p["m"], p["minutes"]
    if p["shared"]:
        job = SHARED[p["kind"]].format(m)
        return f"{n} workers take {t} minutes to {job}. How many minutes do {m} equally fast workers take for that?"
    return f"{n} {WAITING[p['kind']]} in {t} minutes. How many minutes do {m} take, all at once, with room for all?"


def work_until_done(p: P) -> int:
    left, minutes = Fraction(1), 0
    rate = Fraction(1, p["minutes"]) * (Fraction(p["m"], p["n"]) if p["shared"] else 1)
    while left > 0:
        left, minutes = left - rate, minutes + 1
    return minutes


FAMILIES = (
    Family(
        "relative_layout", "reasoning", "spatial", draw_row,
        lambda p: f"Things lie in a row. {said('The {} is directly {} of the {}.', p['facts'])} List them, left first.",
        follow_row, try_rows, "list",
    ),
    Family(
        "event_order", "reasoning", "temporal", draw_order,
        lambda p: f"{said('{} arrived {} {}.', p['facts'])} Who arrived {p['which']}?",
        never_second, try_orders, "word", lambda p: {"choices": p["people"]}, "temporal reasoning",
    ),
    Family(
        "date_shift", "reasoning", "temporal",
        lambda rng, n: {"date": [rng.randint(1950, 2050), rng.randint(1, 12), rng.randint(1, 28)],
                        "days": rng.randint(2, 10**n)},
        ask_date, lambda p: DAYS[(datetime.date(*p["date"]) + datetime.timedelta(p["days"])).weekday()], zeller,
        "word", lambda p: {"choices": DAYS}, "temporal reasoning",
    ),
    Family(
        "container_chain", "reasoning", "physical", draw_boxes,
        lambda p: f"{said('The {} is put into the {}.', p['moves'])} What is in a thing moves with it. "
        "In which room is the coin now?",
        follow_coin, carry_along, "word", lambda p: {"choices": ROOMS}, "physical reasoning",
    ),
    Family(
        "false_belief", "reasoning", "psychological", draw_beliefs, ask_belief, believe, last_witnessed, "word",
        lambda p: {"choices": p["places"]},
    ),
    Family(
        "parallel_work", "reasoning", "common sense", draw_work, ask_work,
        lambda p: p["minutes"] * p["n"] // p["m"] if p["shared"] else p["minutes"], work_until_done,
        tag="common sense",
    ),
)  # fmt: skip
