"""Category 3, mathematics and arithmetic."""

from __future__ import annotations

import math
from fractions import Fraction
from random import Random

from holdfast.systems.chatgpt_failures.families.words import YES_NO
from holdfast.systems.chatgpt_failures.tool.cases import Family, P

UNITS = (
    ("mm", "cm", 10), ("cm", "m", 100), ("m", "km", 1000), ("g", "kg", 1000), ("kg", "t", 1000),
    ("seconds", "minutes", 60), ("minutes", "hours", 60), ("hours", "days", 24), ("days", "weeks", 7),
    ("inches", "feet", 12), ("feet", "yards", 3), ("ml", "l", 1000),
)  # fmt: skip
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


def draw_row(rng: Random, level: int) -> P:
    signs = [rng.choice("+-xx") for _ in range(2 + level)]
    return {"first": rng.randint(2, 12), "rest": [[sign, rng.randint(2, 12)] for sign in signs]}


def written(p: P) -> str:
    return f"{p['first']}" + "".join(f" {sign} {value}" for sign, value in p["rest"])


def by_terms(p: P) -> int:
    terms = [p["first"]]
    for sign, value in p["rest"]:
        if sign == "x":
            terms[-1] *= value
        else:
            terms.append(value if sign == "+" else -value)
    return sum(terms)


def by_text(p: P) -> int:
    text = written(p).replace(" - ", " + -")
    return sum(math.prod(map(int, term.split(" x "))) for term in text.split(" + "))


def divide_out(p: P) -> list[int]:
    factors: list[int] = []
    n, d = p["n"], 2
    while n > 1:
        while n % d == 0:
            n, factors = n // d, [*factors, d]
        d = d + 1 if d * d <= n else n
    return factors


def sieve(p: P) -> list[int]:
    root = math.isqrt(p["n"])
    prime = [k > 1 for k in range(root + 1)]
    for k in range(2, root + 1):
        if prime[k]:
            prime[k * k :: k] = [False] * len(prime[k * k :: k])
    small = [q for q in range(root + 1) if prime[q] for e in range(1, 30) if p["n"] % q**e == 0]
    rest = p["n"] // math.prod(small)
    return [*small, *([rest] if rest > 1 else [])]


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


def draw_units(rng: Random, level: int) -> P:
    first = last = rng.randrange(len(UNITS))
    while last + 1 < len(UNITS) and UNITS[last + 1][0] == UNITS[last][1] and rng.random() < 0.7:
        last += 1
    amount, down = rng.randint(2, 50 * level), rng.random() < 0.7
    factor = math.prod(unit[2] for unit in UNITS[first : last + 1])
    return {"first": first, "last": last, "down": down, "given": amount if down else amount * factor}


def ask_units(p: P) -> str:
    ends = [UNITS[p["first"]][0], UNITS[p["last"]][1]]
    to, of = ends if p["down"] else ends[::-1]
    return f"How many {to} are {p['given']} {of}?"


def convert(p: P) -> float:
    factor = math.prod(unit[2] for unit in UNITS[p["first"] : p["last"] + 1])
    return float(p["given"] * factor if p["down"] else p["given"] / factor)


def convert_in_steps(p: P) -> float:
    to, of = ask_units(p).removeprefix("How many ").split(" are ")
    value, unit = Fraction(of.split()[0]), of.split()[1].rstrip("?")
    while unit != to:
        unit, value = next(
            (small, value * n) if p["down"] else (large, value / n)
            for small, large, n in UNITS if unit == (large if p["down"] else small)
        )  # fmt: skip
    return float(value)


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
        "order_of_operations", "arithmetic", "calculation", draw_row, lambda p: f"What is {written(p)} ?", by_terms,
        by_text, tag="arithmetic",
    ),
    Family(
        "prime_factors", "arithmetic", "number theory", lambda rng, n: {"n": digits(rng, 1 + n) + 4},
        lambda p: f"Give the prime factors of {p['n']}, each as often as it divides it, smallest first.",
        divide_out, sieve, "list", tag="arithmetic",
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
        "unit_convert", "arithmetic", "units", draw_units, ask_units, convert, convert_in_steps, "number", tag="units"
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
