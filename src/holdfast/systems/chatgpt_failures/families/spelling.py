"""Category 8, syntactic structure, spelling and grammar."""

from __future__ import annotations

import re
from random import Random

from holdfast.systems.chatgpt_failures.families.words import COMMON, NONSENSE, PEOPLE
from holdfast.systems.chatgpt_failures.tool.cases import Family, P

TAG = "characters/substrings/syllables"
VERBS = {
    "sees": "seen", "writes to": "written to", "takes": "taken", "breaks": "broken", "steals": "stolen",
    "hides": "hidden", "chooses": "chosen", "gives": "given", "throws": "thrown", "forgets": "forgotten",
    "drives": "driven", "eats": "eaten", "knows": "known", "draws": "drawn", "bites": "bitten",
}  # fmt: skip


def long_word(rng: Random, level: int) -> str:
    return "".join(rng.sample(COMMON, 1 + level // 3))


def draw_letter(rng: Random, level: int) -> P:
    word = long_word(rng, level)
    return {"word": word, "letter": rng.choice(word if rng.random() < 0.8 else "aeiourstz")}


def draw_nth(rng: Random, level: int) -> P:
    word = long_word(rng, level)
    return {"word": word, "n": rng.randint(1, len(word)), "end": rng.choice(("", "", " counted from the end"))}


def pop_letters(p: P) -> str:
    letters = sorted(enumerate(p["word"]), reverse=bool(p["end"]))
    for _ in range(p["n"] - 1):
        letters.pop(0)
    return letters[0][1]


def draw_sentence(rng: Random, level: int) -> P:
    words = [rng.choice((*COMMON, "the", "a", "and", "of", "by")) for _ in range(4 + 4 * level)]
    for _ in range(level):
        words[rng.randrange(len(words) - 1)] += rng.choice((",", ";"))
    return {"sentence": " ".join(words).capitalize() + "."}


def active(p: P) -> str:
    return "{who} {verb} the {what}".format(**p)


def passive_of_text(p: P) -> str:
    who, verb, what = re.fullmatch(r"(\w+) (.+) the (\w+)", active(p)).groups()  # type: ignore[union-attr]
    return f"The {what} is {VERBS[verb]} by {who}."


FAMILIES = (
    Family(
        "letter_count", "spelling", "letters", draw_letter,
        lambda p: f"How many times is the letter '{p['letter']}' in '{p['word']}'?",
        lambda p: p["word"].count(p["letter"]), lambda p: len(p["word"].split(p["letter"])) - 1, tag=TAG,
    ),
    Family(
        "nth_letter", "spelling", "letters", draw_nth,
        lambda p: f"What is letter number {p['n']}{p['end']} of '{p['word']}'?",
        lambda p: p["word"][-p["n"] if p["end"] else p["n"] - 1], pop_letters, "exact", tag=TAG,
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
        "passive", "spelling", "syntax",
        lambda rng, n: {"who": rng.choice(PEOPLE), "verb": rng.choice(list(VERBS)), "what": rng.choice(COMMON[:60])},
        lambda p: f"Put into the passive, and name who does it: {active(p)}.",
        lambda p: f"The {p['what']} is {VERBS[p['verb']]} by {p['who']}.", passive_of_text, "word",
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
