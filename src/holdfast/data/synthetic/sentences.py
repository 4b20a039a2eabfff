# ruff: noqa: SIM905  word lists are read, and kept, as texts
"""Plain English sentences from a small grammar: topic and polarity are known, and every draw has words of its own.

A `SentenceWorld` is drawn once per replicate: it holds a part of the word lists and of the frames, so that what is
learned about one world is not known about the next. Its sentences are drawn as often as one likes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from holdfast.errors import InputError
from holdfast.validation import check_choice, check_fraction, check_integer

# Topic -> (things, people, what people do with things, places).
TOPICS: Mapping[str, tuple[Sequence[str], Sequence[str], Sequence[str], Sequence[str]]] = {
    "food": (
        (
            "soup bread curry salad pizza cake stew pasta omelette sandwich pudding roast pie noodles pancake dumpling"
        ).split(),
        "cook waiter baker chef butcher guest barista brewer caterer grocer".split(),
        "tasted ordered served cooked baked shared seasoned warmed".split(),
        "in the kitchen|at the market|in the cafe|at the diner|in the canteen|at the buffet".split("|"),
    ),
    "travel": (
        (
            "train ferry hotel flight map suitcase tram ticket passport cabin bridge harbour trail tent coach island"
        ).split(),
        "guide pilot driver tourist sailor porter ranger hiker conductor traveller".split(),
        "booked missed reached left photographed crossed found visited".split(),
        "at the airport|near the coast|in the valley|at the border|by the lake|in the old town".split("|"),
    ),
    "sport": (
        (
            "match race goal final training serve relay season penalty record trophy tackle dive sprint medal rematch"
        ).split(),
        "goalkeeper runner coach referee swimmer captain striker cyclist boxer skier".split(),
        "won lost watched played finished followed practised recalled".split(),
        "in the stadium|on the track|at the club|in the second half|at the pool|on the slope".split("|"),
    ),
    "music": (
        (
            "song concert album melody drum chorus opera guitar solo recital ballad anthem duet waltz encore symphony"
        ).split(),
        "singer drummer pianist conductor cellist composer producer violinist organist busker".split(),
        "played heard recorded rehearsed wrote performed sang released".split(),
        "in the studio|on the stage|at the festival|in the choir|on the radio|in the concert hall".split("|"),
    ),
    "work": (
        (
            "report meeting contract budget invoice deadline project memo audit proposal survey schedule payroll pitch"
        ).split(),
        "manager clerk lawyer accountant engineer secretary director intern consultant auditor".split(),
        "signed read delayed wrote presented checked approved discussed".split(),
        "in the office|at the board meeting|on the call|in the archive|at the branch|on the third floor".split("|"),
    ),
    "garden": (
        (
            "rose hedge lawn apple tomato pond fence tulip compost orchard pumpkin herb shed greenhouse fern cherry"
        ).split(),
        "gardener neighbour botanist farmer florist beekeeper grower landlord forester volunteer".split(),
        "planted watered cut picked painted trimmed moved sold".split(),
        "behind the house|in the park|by the gate|in the meadow|at the nursery|under the old oak".split("|"),
    ),
    "health": (
        (
            "injection bandage diet clinic medicine surgery vaccine massage scan therapy cough headache tablet check-up"
        ).split(),
        "nurse surgeon dentist patient doctor midwife pharmacist therapist optician paramedic".split(),
        "recommended explained delayed described needed avoided received studied".split(),
        "in the ward|at the pharmacy|in the waiting room|at the hospital|in the practice|at the first visit".split("|"),
    ),
    "computers": (
        (
            "laptop printer server keyboard update password screen database router browser backup camera driver script"
        ).split(),
        (
            "programmer tester designer analyst student hacker administrator reviewer librarian support technician"
        ).split(),
        "installed replaced tested repaired copied deleted restarted configured".split(),
        "in the lab|on the network|at the help desk|in the data centre|on the website|in the classroom".split("|"),
    ),
}
PRAISE = (
    "wonderful excellent lovely brilliant superb pleasant perfect charming marvellous delightful splendid "
    "fine impressive great fantastic beautiful remarkable outstanding"
).split()
BLAME = (
    "terrible awful dreadful poor horrible useless disappointing bad miserable dull broken ghastly "
    "annoying lousy shabby ugly pathetic hopeless"
).split()
PLAIN = "new old small large local second other usual long short first red blue quiet early late".split()
LIKED = "really liked|was delighted with|strongly praised|warmly recommended|happily accepted|was proud of".split("|")
DISLIKED = "really hated|was annoyed by|strongly criticised|loudly cursed|angrily rejected|was ashamed of".split("|")
# a: adjective, t: thing, p: person, v: verb, w: where, f: what somebody feels about it.
FRAMES = (
    "The {a} {t} was {v} by the {p} {w}.",
    "The {p} {v} a {a} {t} {w}.",
    "{W}, the {p} {v} the {a} {t}.",
    "The {p} {f} the {t} {w}.",
    "Everybody says that the {t} {w} is {a}.",
    "It was a {a} {t}, said the {p}.",
    "A {p} {f} the {t} that was {v} {w}.",
    "What a {a} {t} the {p} {v}!",
    "The {p} {v} the {t} {w}, and it was {a}.",
    "Yesterday the {p} {v} another {a} {t}.",
    "My {p} {f} every {t} {w}.",
    "After a week, the {t} still seemed {a} to the {p}.",
)
PASSIVE = {"won": "won", "wrote": "written", "sang": "sung", "ate": "eaten"}


@dataclass(frozen=True)
class Sentence:
    """A sentence and what is known about it.

    Attributes:
        text: as one writes it.
        topic: a key of `TOPICS`.
        polarity: 1 where something is praised, -1 where it is blamed, 0 where neither.
    """

    text: str
    topic: str
    polarity: int


@dataclass(frozen=True)
class SentenceWorld:
    """Words and frames of one draw.

    Attributes:
        words: topic -> (things, people, verbs, places), a part of the lists each.
        adjectives: polarity -> adjectives.
        feelings: polarity (1 or -1) -> what somebody feels.
        frames: patterns of sentences.

    Example:
        >>> world = SentenceWorld.draw(np.random.default_rng(0), topics=("food", "music"))
        >>> one = world.sentence(np.random.default_rng(1), topic="food", polarity=1)
        >>> one.topic, one.polarity, one.text[-1] in ".!"
        ('food', 1, True)
    """

    words: Mapping[str, tuple[tuple[str, ...], ...]]
    adjectives: Mapping[int, tuple[str, ...]]
    feelings: Mapping[int, tuple[str, ...]]
    frames: tuple[str, ...]

    @classmethod
    def draw(
        cls, rng: np.random.Generator, *, topics: Sequence[str] = tuple(TOPICS), share: float = 0.6
    ) -> SentenceWorld:
        """A world with this share of the words and frames.

        Args:
            rng: the only source of randomness.
            topics: which of `TOPICS`.
            share: of each list, at least two entries; in (0, 1].

        Raises:
            InputError: a topic that is not known, or none; a share outside (0, 1].
        """
        part = check_fraction(share, "share", zero=False)
        if not topics:
            raise InputError("topics", "must name at least one", "none")

        def some(entries: Sequence[str]) -> tuple[str, ...]:
            count = max(2, round(part * len(entries)))
            return tuple(entries[i] for i in np.sort(rng.choice(len(entries), count, replace=False)))

        words = {
            name: tuple(some(entries) for entries in TOPICS[check_choice(name, tuple(TOPICS), "topics")])
            for name in topics
        }
        adjectives = {1: some(PRAISE), -1: some(BLAME), 0: some(PLAIN)}
        neutral = [frame for frame in FRAMES if "{f}" not in frame]
        felt = [frame for frame in FRAMES if "{f}" in frame]
        return cls(words, adjectives, {1: some(LIKED), -1: some(DISLIKED)}, (*some(neutral), *some(felt)))

    def sentence(self, rng: np.random.Generator, *, topic: str | None = None, polarity: int | None = None) -> Sentence:
        """One sentence.

        Args:
            rng: the only source of randomness.
            topic: None = any of the world's.
            polarity: -1, 0 or 1; None = any.

        Raises:
            InputError: a topic that the world does not have, another polarity.
        """
        if topic is None:
            topic = list(self.words)[int(rng.integers(len(self.words)))]
        things, people, verbs, places = self.words[check_choice(topic, tuple(self.words), "topic")]
        mood = int(rng.integers(-1, 2)) if polarity is None else check_choice(polarity, (-1, 0, 1), "polarity")
        fits = [frame for frame in self.frames if mood or "{f}" not in frame]
        frame = _one(fits, rng)
        where, verb = _one(places, rng), _one(verbs, rng)
        text = frame.format(
            a=_one(self.adjectives[mood], rng),
            t=_one(things, rng),
            p=_one(people, rng),
            v=PASSIVE.get(verb, verb) if "was {v}" in frame else verb,
            w=where,
            W=where[0].upper() + where[1:],
            f=_one(self.feelings[mood], rng) if mood else "",
        )
        return Sentence(_articles(text), topic, mood)

    def sentences(
        self, count: int, rng: np.random.Generator, *, topic: str | None = None, polarity: int | None = None
    ) -> list[Sentence]:
        """So many different sentences.

        Raises:
            InputError: the world does not have so many: ten thousand draws in a row said nothing new.
        """
        wanted = check_integer(count, "count", low=0)
        found: dict[str, Sentence] = {}
        in_vain = 0
        while len(found) < wanted and in_vain < 10_000:
            one = self.sentence(rng, topic=topic, polarity=polarity)
            in_vain = in_vain + 1 if one.text in found else 0
            found[one.text] = one
        if len(found) < wanted:
            raise InputError("count", f"must be at most about {len(found)}, which is all that this world says", count)
        return list(found.values())


def _one(entries: Sequence[str], rng: np.random.Generator) -> str:
    return entries[int(rng.integers(len(entries)))]


def _articles(text: str) -> str:
    """ "a" is "an" before a vowel."""
    words = text.split(" ")
    for i, word in enumerate(words[:-1]):
        if word in ("a", "A") and words[i + 1][0] in "aeiou" and not words[i + 1].startswith(("use", "usual", "one")):
            words[i] = f"{word}n"
    return " ".join(words)


__all__ = ["TOPICS", "Sentence", "SentenceWorld"]
