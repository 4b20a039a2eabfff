"""Category 6, wit and humour: the parts of it that can be checked."""

from __future__ import annotations

from random import Random

from holdfast.systems.chatgpt_failures.families.words import COMMON, TABLES
from holdfast.systems.chatgpt_failures.tool.cases import Family, P

PUNS, RHYMES = TABLES["puns"], [group.split() for group in TABLES["rhymes"]]


def draw_pun(rng: Random, level: int) -> P:
    pun = rng.randrange(len(PUNS))
    return {"pun": pun, "words": rng.sample(PUNS[pun][1:], 2)}


def draw_rhyme(rng: Random, level: int) -> P:
    group, *others = rng.sample(RHYMES, 3 + level)
    word, right = rng.sample(group, 2)
    return {"word": word, "choices": sorted([right, *map(rng.choice, others)])}


def by_group(p: P) -> str:
    group = next(g for g in RHYMES if p["word"] in g)
    return next(choice for choice in p["choices"] if choice in group)


def by_sound(p: P) -> str:
    sound = {word: i for i, group in enumerate(RHYMES) for word in group}
    return min(p["choices"], key=lambda choice: abs(sound[choice] - sound[p["word"]]))


FAMILIES = (
    Family(
        "pun_pair", "wit", "puns", draw_pun,
        lambda p: "Which word makes this a pun, '{}' or '{}'? ".format(*p["words"]) + PUNS[p["pun"]][0].format("___"),
        lambda p: PUNS[p["pun"]][1], lambda p: next(w for w in p["words"] if w != PUNS[p["pun"]][2]), "word",
        lambda p: {"choices": p["words"]},
    ),
    Family(
        "rhyme_choice", "wit", "rhymes", draw_rhyme,
        lambda p: f"Which of these words rhymes with '{p['word']}': {', '.join(p['choices'])}?", by_group, by_sound,
        "word", lambda p: {"choices": p["choices"]},
    ),
    Family(
        "acrostic", "wit", "forms", lambda rng, n: {"word": rng.choice([w for w in COMMON if len(w) <= 5 + n])},
        lambda p: f"Write an acrostic on the word '{p['word']}': one line for each letter, in order.",
        lambda p: "\n".join(f"{letter.upper()} is where this line begins" for letter in p["word"]),
        lambda p: "\n".join(next(w for w in (*COMMON, letter) if w[0] == letter) for letter in p["word"]), "text",
        lambda p: {"rule": "acrostic", "word": p["word"]},
    ),
)  # fmt: skip
