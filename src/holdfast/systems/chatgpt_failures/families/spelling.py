"""Category 8, syntactic structure, spelling and grammar."""

from __future__ import annotations

import re
from random import Random

from holdfast.systems.chatgpt_failures.families.words import COMMON, NONSENSE
from holdfast.systems.chatgpt_failures.tool.cases import Family, P

TAG = "characters/substrings/syllables"


def long_word(rng: Random, level: int) -> str:
    return "".join(rng.sample(COMMON, 1 + level // 3))


def draw_letter(rng: Random, level: int) -> P:
    word = long_word(rng, level)
    return {"word": word, "letter": rng.choice(word if rng.random() < 0.8 else "aeiourstz")}


def draw_sentence(rng: Random, level: int) -> P:
    words = [rng.choice((*COMMON, "the", "a", "and", "of", "by")) for _ in range(4 + 4 * level)]
    for _ in range(level):
        words[rng.randrange(len(words) - 1)] += rng.choice((",", ";"))
    return {"sentence": " ".join(words).capitalize() + "."}


FAMILIES = (
    Family(
        "letter_count", "spelling", "letters", draw_letter,
        lambda p: f"How many times is the letter '{p['letter']}' in '{p['word']}'?",
        lambda p: p["word"].count(p["letter"]), lambda p: len(p["word"].split(p["letter"])) - 1, tag=TAG,
    ),
    Family(
        "reverse_word", "spelling", "letters", lambda rng, n: {"word": long_word(rng, n) + rng.choice(NONSENSE)},
        lambda p: f"Write '{p['word']}' backwards, letter by letter, without spaces.", lambda p: p["word"][::-1],
        lambda p: "".join(p["word"][len(p["word"]) - 1 - i] for i in range(len(p["word"]))), "exact", tag=TAG,
    ),
    Family(
        "sort_words", "spelling", "order", lambda rng, n: {"words": rng.sample(COMMON, 2 + 2 * n)},
        lambda p: f"Put these words in alphabetical order: {', '.join(p['words'])}.", lambda p: sorted(p["words"]),
        lambda p: sorted(p["words"], key=lambda word: sum(other < word for other in p["words"])), "list",
    ),
    Family(
        "word_count", "spelling", "sentences", draw_sentence,
        lambda p: f"How many words are in this line? {p['sentence']}", lambda p: len(p["sentence"].split()),
        lambda p: len(re.findall(r"\w+", p["sentence"])), tag=TAG,
    ),
    Family(
        "without_letter", "spelling", "constraints",
        lambda rng, n: {"words": rng.randint(3, 4 + 2 * n), "letter": rng.choice("etaoinsrhl")},
        lambda p: f"Write a sentence of exactly {p['words']} words without the letter '{p['letter']}'.",
        lambda p: " ".join([word for word in COMMON if p["letter"] not in word][: p["words"]]),
        lambda p: " ".join(["zzz"] * p["words"]), "text",
        lambda p: {"rule": "counted", "total": p["words"], "without": p["letter"]}, TAG,
    ),
)  # fmt: skip
