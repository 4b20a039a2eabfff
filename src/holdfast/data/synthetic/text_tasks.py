# ruff: noqa: SIM905  word lists are read, and kept, as texts
"""Small text tasks with choices, drawn as a world: some to learn from, others, new in words and prompt, to be asked.

Six families (polarity, topic, tense, number, mood, size) in plain English. A `TaskWorld` is drawn once per
replicate: every task of it has its own part of the words, its own frames and its own option words, and which of a
family's tasks are held out, and which polarity task has its labels turned round, is drawn, too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from holdfast.data.choice_rows import ChoiceRow
from holdfast.data.synthetic.sentences import BLAME, PRAISE
from holdfast.errors import InputError
from holdfast.validation import check_integer

DOMAINS = {
    "film": "film movie comedy thriller sequel documentary cartoon drama",
    "phone": "phone camera tablet charger headset laptop speaker keyboard",
    "meal": "soup pizza curry dessert steak salad breakfast sandwich",
    "hotel": "hotel room lobby suite pool balcony reception bed",
    "book": "book novel story chapter essay memoir biography poem",
    "app": "app website update login form menu search checkout",
    "course": "course lecture teacher seminar workshop exam lesson tutorial",
    "clothes": "jacket coat shirt dress sweater scarf skirt suit",
}
LIKED_FRAMES = (
    "The {n} was {d}{a}.|What a {a} {n}!|I found the {n} {d}{a}.|My sister thought the {n} was {d}{a}.|"
    "Honestly, the {n} is {d}{a}.|Everybody called it a {a} {n}.|After a week, the {n} still seems {d}{a}.|"
    "In short: {d}{a}, this {n}."
).split("|")
DEGREES = ("", "really ", "rather ", "simply ", "quite ")
LIKED_OPTIONS = (
    ("negative", "positive"), ("unhappy", "happy"), ("bad", "good"), ("dissatisfied", "satisfied"),
    ("disappointed", "delighted"), ("criticism", "praise"), ("hate", "love"), ("a complaint", "a compliment"),
)  # fmt: skip
TURNED_OPTIONS = (
    ("no", "yes"), ("no ticket", "open a ticket"), ("close the case", "call the customer"), ("ignore", "escalate"),
)  # fmt: skip
TOPICS = {
    "animal": "horse rabbit tiger eagle spider dolphin goat beetle sheep crocodile",
    "vehicle": "lorry bicycle tram scooter ferry tractor van helicopter train canoe",
    "fruit": "apple cherry mango banana plum peach melon pear lemon grape",
    "tool": "hammer saw drill wrench chisel screwdriver shovel pliers axe rake",
    "instrument": "violin trumpet piano flute drum guitar harp cello organ clarinet",
    "furniture": "chair table wardrobe sofa shelf desk bench cupboard stool cradle",
    "sport": "tennis football rowing boxing hockey cricket skiing judo golf rugby",
    "profession": "plumber lawyer nurse farmer pilot baker tailor butcher painter judge",
    "weather": "rain snow thunder fog hail wind frost drizzle lightning storm",
    "building": "church castle barn tower cottage factory temple hospital library stadium",
}
TOPIC_FRAMES = (
    "{p} wrote about the {n}.|{p} talked about the {n} all evening.|There was a picture of the {n}, {p} said.|"
    "{p} asked a question about the {n}.|The report of {p} mentions the {n}.|{p} has read much about the {n}."
).split("|")
TOPIC_OPTIONS = ("{}", "a kind of {}", "something about {}", "the word is {}")
PEOPLE = "Anna Ben Carla David Emma Felix Grace Hugo Iris Jonas Karen Liam Maria Nora Oscar Paul".split()
ACTS = (
    "sold|is selling,read|is reading,painted|is painting,washed|is washing,carried|is carrying,opened|is opening,"
    "bought|is buying,cleaned|is cleaning,moved|is moving,lost|is losing,drew|is drawing,hid|is hiding"
).split(",")
THINGS = "box letter map lamp basket clock mirror carpet bottle ladder candle blanket".split()
PLACES = "in the garden|on the table|near the door|in the attic|at the station|behind the shed".split("|")
TENSE_FRAMES = ("{p} {v} the {n} {w}.", "{w2}, {p} {v} the {n}.", "{p} {v} a {n}.", "I think that {p} {v} the {n} {w}.")
TENSE_OPTIONS = (
    ("past", "present"), ("before", "now"), ("earlier", "at this moment"), ("finished", "going on"),
    ("yesterday", "today"), ("over", "under way"),
)  # fmt: skip
NUMBER_FRAMES = (
    "{p} saw {q} {n} {w}.|{p} needs {q} {n}.|{q2} {n} stood {w}, said {p}.|{p} put {q} {n} {w}.|Give {p} {q} {n}!"
).split("|")
NUMBER_OPTIONS = (
    ("singular", "plural"), ("one", "many"), ("a single thing", "several things"), ("alone", "a group"),
    ("just one", "more than one"),
)  # fmt: skip
MANY = "two three four five several many some".split()
MOOD_FRAMES = (
    ("{p} can find the {n} {w}.", "Can {p} find the {n} {w}?"),
    ("{p} has moved the {n} {w}.", "Has {p} moved the {n} {w}?"),
    ("We know where {p} left the {n}.", "Where did {p} leave the {n}?"),
    ("{p} will bring a {n}.", "Will {p} bring a {n}?"),
    ("It was {p} who bought the {n} {w}.", "Who but {p} bought the {n} {w}?"),
)
MOOD_OPTIONS = (
    ("statement", "question"), ("telling", "asking"), ("an assertion", "an enquiry"),
    ("needs no answer", "needs an answer"),
)  # fmt: skip
BY_SIZE = (
    "ant ladybird wasp mouse sparrow frog hedgehog rabbit cat fox dog goat wolf sheep pig donkey lion horse cow "
    "camel hippo elephant"
).split()
SIZE_FRAMES = ("Which is bigger, the {a} or the {b}?", "{p} wonders: is the {a} or the {b} larger?",
               "Of the {a} and the {b}, which weighs more?")  # fmt: skip
# Family -> tasks to learn from and tasks to be asked.
COUNTS = {"polarity": (3, 3), "topic": (2, 1), "tense": (1, 1), "number": (1, 1), "mood": (1, 1), "size": (1, 0)}


@dataclass(frozen=True)
class TextTask:
    """One prompt on one domain.

    Attributes:
        name: family and number.
        family: a key of `COUNTS`.
        rows: labelled, all different.
        turned: the labels mean the reverse of what the family's others mean.
    """

    name: str
    family: str
    rows: tuple[ChoiceRow, ...]
    turned: bool = False


@dataclass(frozen=True)
class TaskWorld:
    """The tasks of one draw.

    Attributes:
        seen: to learn from, nine.
        unseen: to be asked, seven, each of a family that `seen` has, too.

    Example:
        >>> world = TaskWorld.draw(np.random.default_rng(0), 20)
        >>> len(world.seen), len(world.unseen), sum(task.turned for task in world.seen), len(world.seen[0].rows)
        (9, 7, 1, 20)
    """

    seen: tuple[TextTask, ...]
    unseen: tuple[TextTask, ...]

    @classmethod
    def draw(cls, rng: np.random.Generator, count: int) -> TaskWorld:
        """A world whose tasks have so many rows each.

        Args:
            rng: the only source of randomness.
            count: of rows of a task, at least 2.

        Raises:
            InputError: more rows than a task's words can say.
        """
        check_integer(count, "count", low=2)
        parts: tuple[list[TextTask], list[TextTask]] = ([], [])
        for family, counts in COUNTS.items():
            made = MAKERS[family](rng, sum(counts))
            turned = int(rng.integers(counts[0])) if family == "polarity" else -1
            options = TURNED_OPTIONS[int(rng.integers(len(TURNED_OPTIONS)))]
            for place, draw in enumerate(made[i] for i in rng.permutation(len(made))):
                rows = _distinct(draw, rng, count)
                if place == turned:
                    rows = tuple(ChoiceRow(row.input, options, 1 - (row.target or 0)) for row in rows)
                parts[place >= counts[0]].append(TextTask(f"{family} {place + 1}", family, rows, place == turned))
        return cls(tuple(parts[0]), tuple(parts[1]))


# ------------------------------------------------------------------------------------------------- one maker a family
Draw = Callable[[np.random.Generator], ChoiceRow]


def _some(entries: Sequence[str], count: int, rng: np.random.Generator) -> list[str]:
    return [entries[i] for i in np.sort(rng.choice(len(entries), count, replace=False))]


def _one(entries: Sequence[str], rng: np.random.Generator) -> str:
    return entries[int(rng.integers(len(entries)))]


def _options(entries: Sequence[tuple[str, str]], count: int, rng: np.random.Generator) -> list[tuple[str, str]]:
    """Different ones for each task of a family."""
    return [entries[i] for i in rng.permutation(len(entries))[:count]]


def _distinct(draw: Draw, rng: np.random.Generator, count: int) -> tuple[ChoiceRow, ...]:
    """So many rows with different texts, as many of each label as can be."""
    found: dict[str, ChoiceRow] = {}
    for _ in range(60 * count):
        row = draw(rng)
        found.setdefault(row.input, row)
        if len(found) == count:
            return tuple(found.values())
    raise InputError("count", f"must be at most about {len(found)}, which is all that a task's words say", count)


def _polarity(rng: np.random.Generator, tasks: int) -> list[Draw]:
    options, domains = _options(LIKED_OPTIONS, tasks, rng), _some(list(DOMAINS), tasks, rng)

    def task(choices: tuple[str, str], domain: str) -> Draw:
        words = (_some(BLAME, 8, rng), _some(PRAISE, 8, rng))
        nouns, frames = _some(DOMAINS[domain].split(), 6, rng), _some(LIKED_FRAMES, 4, rng)

        def draw(rng: np.random.Generator) -> ChoiceRow:
            label = int(rng.integers(2))
            text = _one(frames, rng).format(n=_one(nouns, rng), d=_one(DEGREES, rng), a=_one(words[label], rng))
            return ChoiceRow(text[0].upper() + text[1:], choices, label)

        return draw

    return [task(*given) for given in zip(options, domains, strict=True)]


def _topic(rng: np.random.Generator, tasks: int) -> list[Draw]:
    names = [list(TOPICS)[i] for i in rng.permutation(len(TOPICS))]
    patterns = [TOPIC_OPTIONS[i] for i in rng.permutation(len(TOPIC_OPTIONS))]

    def task(topics: list[str], pattern: str) -> Draw:
        words = [_some(TOPICS[topic].split(), 8, rng) for topic in topics]
        people, frames = _some(PEOPLE, 8, rng), _some(TOPIC_FRAMES, 3, rng)
        choices = tuple(pattern.format(topic) for topic in topics)

        def draw(rng: np.random.Generator) -> ChoiceRow:
            label = int(rng.integers(len(topics)))
            return ChoiceRow(_one(frames, rng).format(p=_one(people, rng), n=_one(words[label], rng)), choices, label)

        return draw

    return [task(names[3 * i : 3 * i + 3], patterns[i]) for i in range(tasks)]


def _said(rng: np.random.Generator) -> tuple[list[str], list[str], list[str]]:
    return _some(PEOPLE, 8, rng), _some(THINGS, 7, rng), _some(PLACES, 4, rng)


def _tense(rng: np.random.Generator, tasks: int) -> list[Draw]:
    def task(choices: tuple[str, str]) -> Draw:
        people, things, places = _said(rng)
        acts, frames = [act.split("|") for act in _some(ACTS, 7, rng)], _some(TENSE_FRAMES, 2, rng)

        def draw(rng: np.random.Generator) -> ChoiceRow:
            label, where = int(rng.integers(2)), _one(places, rng)
            text = _one(frames, rng).format(
                p=_one(people, rng), v=acts[int(rng.integers(len(acts)))][label], n=_one(things, rng), w=where,
                w2=where[0].upper() + where[1:],
            )  # fmt: skip
            return ChoiceRow(text, choices, label)

        return draw

    return [task(choices) for choices in _options(TENSE_OPTIONS, tasks, rng)]


def _number(rng: np.random.Generator, tasks: int) -> list[Draw]:
    def task(choices: tuple[str, str]) -> Draw:
        people, things, places = _said(rng)
        frames, many = _some(NUMBER_FRAMES, 3, rng), _some(MANY, 4, rng)

        def draw(rng: np.random.Generator) -> ChoiceRow:
            label, thing = int(rng.integers(2)), _one(things, rng)
            some = _one(many, rng) if label else "a"
            plural = "boxes" if thing == "box" else f"{thing}s"
            text = _one(frames, rng).format(
                p=_one(people, rng), q=some, q2=some.capitalize(), n=plural if label else thing, w=_one(places, rng)
            )
            return ChoiceRow(text, choices, label)

        return draw

    return [task(choices) for choices in _options(NUMBER_OPTIONS, tasks, rng)]


def _mood(rng: np.random.Generator, tasks: int) -> list[Draw]:
    def task(choices: tuple[str, str]) -> Draw:
        people, things, places = _said(rng)
        frames = [MOOD_FRAMES[i] for i in np.sort(rng.choice(len(MOOD_FRAMES), 3, replace=False))]

        def draw(rng: np.random.Generator) -> ChoiceRow:
            label = int(rng.integers(2))
            frame = frames[int(rng.integers(len(frames)))][label]
            text = frame.format(p=_one(people, rng), n=_one(things, rng), w=_one(places, rng))
            return ChoiceRow(text, choices, label)

        return draw

    return [task(choices) for choices in _options(MOOD_OPTIONS, tasks, rng)]


def _size(rng: np.random.Generator, tasks: int) -> list[Draw]:
    def task() -> Draw:
        animals, people, frames = _some(BY_SIZE, 16, rng), _some(PEOPLE, 8, rng), _some(SIZE_FRAMES, 2, rng)

        def draw(rng: np.random.Generator) -> ChoiceRow:
            a, b = (int(i) for i in rng.choice(len(animals), 2, replace=False))
            text = _one(frames, rng).format(a=animals[a], b=animals[b], p=_one(people, rng))
            return ChoiceRow(text, (animals[a], animals[b]), int(b > a))

        return draw

    return [task() for _ in range(tasks)]


MAKERS: dict[str, Callable[[np.random.Generator, int], list[Draw]]] = {
    "polarity": _polarity, "topic": _topic, "tense": _tense, "number": _number, "mood": _mood, "size": _size,
}  # fmt: skip

__all__ = ["COUNTS", "TaskWorld", "TextTask"]
