"""Category 11, other failures: formats, lengths, repetition, restating, other languages."""

from __future__ import annotations

import json
import re
from random import Random

from holdfast.systems.chatgpt_failures.families.words import COMMON, NONSENSE
from holdfast.systems.chatgpt_failures.tool.cases import Family, P

SUMS = (
    "What is {} plus {}?", "Was ist {} plus {}?", "Combien font {} plus {} ?", "¿Cuánto es {} más {}?",
    "Quanto fa {} più {}?", "{} 加 {} 等于多少？", "ما هو ناتج {} زائد {}؟",
)  # fmt: skip
ARABIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")


def ones_and_rest(p: P) -> str:
    ones = [1] * (len(p["keys"]) - 1)
    pairs = zip(p["keys"], [*ones, p["total"] - len(ones)], strict=True)
    return "{" + ",\n".join(f'"{key}":{value}' for key, value in pairs) + "\n}"


def draw_line(rng: Random, level: int) -> P:
    words = [rng.choice((*NONSENSE, *COMMON)) for _ in range(3 * level)]
    words[rng.randrange(len(words))] += f"  {rng.randint(10, 99)}-{rng.choice(NONSENSE).upper()}"
    return {"text": " ".join([*words, rng.choice(NONSENSE)])}


def ask_line(p: P) -> str:
    return f"Repeat this line sign by sign, double spaces too:\n{p['text']}"


def ask_sum(p: P) -> str:
    text = SUMS[p["language"]].format(p["a"], p["b"])
    return text.translate(ARABIC) if p["language"] == 6 else text


FAMILIES = (
    Family(
        "json_object", "other", "format",
        lambda rng, n: {"keys": rng.sample(COMMON, 1 + n), "total": rng.randint(10, 100)},
        lambda p: f"Write a JSON object with the keys {', '.join(p['keys'])}, in this order; values are whole numbers "
        f"of sum {p['total']}.",
        lambda p: json.dumps({key: 0 if i else p["total"] for i, key in enumerate(p["keys"])}), ones_and_rest, "text",
        lambda p: {"rule": "json_object", **p},
    ),
    Family(
        "exact_words", "other", "length",
        lambda rng, n: {"words": rng.randint(4, 6 * n), "about": rng.choice(COMMON)},
        lambda p: f"Write exactly {p['words']} words about '{p['about']}', without a comma.",
        lambda p: " ".join(COMMON[: p["words"]]), lambda p: "so " * (p["words"] - 1) + "on", "text",
        lambda p: {"rule": "counted", "total": p["words"], "without": ","}, "repetition/redundancy",
    ),
    Family(
        "distinct_lines", "other", "repetition",
        lambda rng, n: {"count": rng.randint(3, 4 + 4 * n), "start": rng.choice("abcdefghlmnoprstw")},
        lambda p: f"List {p['count']} different words, each on its own line and beginning with '{p['start']}'.",
        lambda p: "\n".join(f"{p['start']}{'o' * (i + 1)}" for i in range(p["count"])),
        lambda p: "\n".join(f"{i + 1}. {p['start'].upper()}n {word}" for i, word in enumerate(COMMON[: p["count"]])),
        "text", lambda p: {"rule": "distinct", **p}, "repetition/redundancy",
    ),
    Family(
        "restate", "other", "restating", draw_line, ask_line, lambda p: p["text"],
        lambda p: ask_line(p).splitlines()[1], "text", lambda p: {"rule": "verbatim", "wanted": p["text"]},
    ),
    Family(
        "language_mix", "other", "languages",
        lambda rng, n: {"a": rng.randint(2, 15**n), "b": rng.randint(2, 15**n), "language": rng.randrange(len(SUMS))},
        ask_sum, lambda p: p["a"] + p["b"], lambda p: sum(map(int, re.findall(r"\d+", ask_sum(p)))), tag="arithmetic",
    ),
)  # fmt: skip
