"""Category 3, mathematics and arithmetic."""

from __future__ import annotations

import math
from fractions import Fraction
from random import Random

from holdfast.systems.chatgpt_failures.families.words import YES_NO
from holdfast.systems.chatgpt_failures.tool.cases import Family, P

KINDS = {
    "length": "centimetre inch mile kilometre yard micrometre", "mass": "kilogram ounce tonne milligram pound carat",
    "time": "second hour fortnight microsecond decade minute", "area": "hectare acre are barn",
    "volume": "litre gallon pint millilitre bushel", "energy": "joule calorie electronvolt erg",
    "force": "newton dyne", "power": "watt horsepower kilowatt", "pressure": "pascal bar torr",
    "temperature": "kelvin", "electric charge": "coulomb", "frequency": "hertz megahertz",
}  # fmt: skip


def digits(rng: Random, count: int) -> int:
    """A number of so many digits."""
    return rng.randint(10 ** (count - 1), 10**count - 1)


def column_sum(p: P) -> int:
    a, b, carry, out = str(p["a"])[::-1], str(p["b"])[::-1], 0, ""
    for i in range(max(len(a), len(b)) + 1):
        column = carry + sum(int(x[i]) for x in (a, b) if i < len(x))
        carry, out = column // 10, str(column % 10) + out
    return int(out)


def halve_and_double(p: P) -> int:
    a, b, total = abs(p["a"]), abs(p["b"]), 0
    while b:
        total, a, b = total + (a if b & 1 else 0), a << 1, b >> 1
    return total if (p["a"] < 0) == (p["b"] < 0) else -total


def draw_percent(rng: Random, level: int) -> P:
    percent = rng.choice((10, 20, 25, 40, 50) if level < 4 else (5, 15, 35, 45, 60))
    before = 20 * rng.randint(1, 20 * level)
    way, after = rng.choice((("rose", 100 + percent), ("fell", 100 - percent)))
    return {"before": before, "percent": percent, "way": way, "now": before * after // 100}


def draw_range(rng: Random, level: int) -> P:
    low = rng.randint(1, 40 * level)
    p, q = rng.sample((2, 3, 4, 5, 6, 7, 9), 2)
    return {"low": low, "high": low + rng.randint(5, 12 * level), "p": p, "q": q}


def by_multiples(p: P) -> list[int]:
    multiples = [{d * k for k in range(-(-p["low"] // d), p["high"] // d + 1)} for d in (p["p"], p["q"])]
    return sorted(multiples[0] - multiples[1])


FAMILIES = (
    Family(
        "add_digits", "arithmetic", "calculation", lambda rng, n: {"a": digits(rng, 2 * n), "b": digits(rng, 2 * n)},
        lambda p: f"What is {p['a']} + {p['b']} ?", lambda p: p["a"] + p["b"], column_sum, tag="arithmetic",
    ),
    Family(
        "mul_digits", "arithmetic", "calculation",
        lambda rng, n: {"a": rng.choice((1, -1)) * digits(rng, n), "b": rng.choice((1, -1)) * digits(rng, 1 + n // 2)},
        lambda p: f"What is ({p['a']}) x ({p['b']}) ?", lambda p: p["a"] * p["b"], halve_and_double, tag="arithmetic",
    ),
    Family(
        "greatest_divisor", "arithmetic", "number theory",
        lambda rng, n: {"a": rng.randint(2, 9) * (k := rng.randint(1, 3 * 2**n)), "b": rng.randint(2, 4**n + 4) * k},
        lambda p: f"What is the greatest common divisor of {p['a']} and {p['b']}?", lambda p: math.gcd(p["a"], p["b"]),
        lambda p: max(d for d in range(1, p["a"] + 1) if p["a"] % d == 0 and p["b"] % d == 0), tag="arithmetic",
    ),
    Family(
        "percent_back", "arithmetic", "calculation", draw_percent,
        lambda p: f"A price {p['way']} by {p['percent']} %. It is {p['now']} now. What was it before?",
        lambda p: p["before"],
        lambda p: int(Fraction(100 * p["now"], 100 + (p["percent"] if p["way"] == "rose" else -p["percent"]))),
    ),
    Family(
        "range_filter", "arithmetic", "ranges", draw_range,
        lambda p: f"List all whole numbers from {p['low']} to {p['high']}, both included, that {p['p']} divides and "
        f"{p['q']} does not.",
        lambda p: [n for n in range(p["low"], p["high"] + 1) if n % p["p"] == 0 and n % p["q"] != 0],
        by_multiples, "set", tag="ranges",
    ),
    Family(
        "unit_dimension", "arithmetic", "units",
        lambda rng, n: {"unit": rng.choice(" ".join(KINDS.values()).split()), "kind": rng.choice(sorted(KINDS))},
        lambda p: f"Is the {p['unit']} a unit of {p['kind']}?",
        lambda p: "yes" if p["unit"] in KINDS[p["kind"]].split() else "no",
        lambda p: "yes" if {u: k for k, us in KINDS.items() for u in us.split()}[p["unit"]] == p["kind"] else "no",
        "word", lambda p: {"choices": YES_NO}, "units",
    ),
)  # fmt: skip
