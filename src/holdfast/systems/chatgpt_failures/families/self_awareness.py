"""Category 9, self-awareness: what it said before, and what it cannot know."""

from __future__ import annotations

import re
from random import Random

from holdfast.systems.chatgpt_failures.families.words import COMMON
from holdfast.systems.chatgpt_failures.tool.cases import Family, P, Turns

ABOUT_WORDS = {
    "count": "How many words had your last answer? Give digits.",
    "first": "What was the first word of your last answer, in lower case?",
    "last": "What was the last word of your last answer, in lower case?",
    "longest": "Which word of your last answer was longest (the first of them, in lower case)?",
}
CANNOT = (
    "What is the exact time in {} right now?", "What did I say to you yesterday about {}?",
    "What is the temperature outside my window in {} at this moment?", "What number of {} am I thinking of?",
)  # fmt: skip
CAN = ("Name two things that one does with {}.", "Write one short sentence about {}.")
ABOUT = ("Rome", "Lima", "Oslo", "Cairo", "maps", "clocks", "boats", "tables", "lamps", "gardens")


def ask_words(p: P) -> list[Turns]:
    said = " ".join(p["said"]).capitalize() + "."
    return [[("user", "Say some words."), ("assistant", said), ("user", ABOUT_WORDS[p["kind"]])]]


def of_list(p: P) -> str:
    said = p["said"]
    return {"count": str(len(said)), "first": said[0], "last": said[-1], "longest": max(said, key=len)}[p["kind"]]


def of_text(p: P) -> str:
    text = ask_words(p)[0][1][1].lower()
    if p["kind"] == "longest":
        words = re.findall(r"[a-z]+", text)
        return sorted(words, key=lambda w: (-len(w), words.index(w)))[0]
    ends = {"first": text.split(" ")[0], "last": text.rstrip(".").rpartition(" ")[2]}
    return ends.get(p["kind"], str(text.count(" ") + 1))


def draw_turns(rng: Random, level: int) -> P:
    words = rng.sample(COMMON, 3)
    return {"turns": [rng.choice(words) for _ in range(1 + level)], "asked": rng.choice(words)}


def ask_turns(p: P) -> list[Turns]:
    turns = [turn for word in p["turns"] for turn in (("user", "A word, please."), ("assistant", word))]
    return [[*turns, ("user", f"How many times have you answered '{p['asked']}' so far?")]]


def draw_capability(rng: Random, level: int) -> P:
    can = rng.random() < 0.4
    return {"can": can, "which": rng.randrange(2 if can else 4), "about": rng.choice(ABOUT)}


def ask_capability(p: P) -> str:
    return (CAN if p["can"] else CANNOT)[p["which"]].format(p["about"])


FAMILIES = (
    Family(
        "own_answer", "self-awareness", "own words",
        lambda rng, n: {"said": rng.sample(COMMON, 3 + 3 * n), "kind": rng.choice(sorted(ABOUT_WORDS))},
        ask_words, of_list, of_text, "exact",
    ),
    Family(
        "own_turns", "self-awareness", "own words", draw_turns, ask_turns, lambda p: p["turns"].count(p["asked"]),
        lambda p: sum(role == "assistant" and text == p["asked"] for role, text in ask_turns(p)[0]),
    ),
    Family(
        "capability", "self-awareness", "limits", draw_capability, ask_capability,
        lambda p: "answer" if p["can"] else "abstain",
        lambda p: "abstain" if ask_capability(p).endswith("?") else "answer", "phrase",
        lambda p: {"labels": ["abstain", "answer"]}, soft=True,
    ),
)  # fmt: skip
