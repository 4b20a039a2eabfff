"""English, word by word: nouns in the singular, and the words that a phrase of adjectives and a noun cannot have."""

from __future__ import annotations

import re

# Words that join, count, compare or deny: what they say is lost on whoever takes them for a part of a name.
JOINING = """
a about above across after again all almost along also always am among an and another any anything are around as at
average be because been before behind being below beneath beside besides best better between beyond both but by can case
categories category come combined contain containing contains cost costing costs could did differ difference different
distinct do does down during each eight either else ending equal every everything exactly except excluding few fewer
first five for four from go goes greater had half has have having he her here higher his how however i if in including
inside instead into is it its just kind kinds last least less like lower many maximum mean minimum missing more most
much must my near nearly neither never next nine no nobody non none nor not nothing now of off often on once one only
opposed or other others otherwise our outside over own per percent percentage plus priced rather ratio respectively same
second seven several shall she should since six so sold some someone something sort sorts starting still such sum ten
than that the their them then there these they third this those though three through times to together too top total
twice two type types under unique unless unlike unlikely until up upon us very was we went were what when where whereas
whether which while who whom whose why will with within without worse worst would yet you your zero
"""
# Adjectives whose degrees people ask for. The last letter may be doubled ("bigger").
STEMS = """
big|bright|cheap|clean|cold|cool|costli|dark|deep|dirti|earli|easi|fast|few|fresh|great|happi|hard|heavi|high|hot|larg|
lat|light|long|loud|low|new|nic|old|pretti|quick|rich|short|simpl|slow|small|soft|strong|sweet|tall|thick|thin|tini|
warm|weak|wid|young
"""
FUNCTION_WORDS = frozenset(JOINING.split())
DEGREES = re.compile(rf"(?:{''.join(STEMS.split())})[a-z]?(?:er|est)|\w{{3,}}est")
NO_DEGREES = frozenset({"conquest", "contest", "forest", "harvest", "interest", "priest", "protest", "request"})
IRREGULAR = {"people": "person", "men": "man", "women": "woman", "children": "child", "mice": "mouse", "feet": "foot"}
PREPOSITIONS = frozenset({"on", "in", "of", "at", "by", "from", "with", "near"})


def beyond_names(phrase: str) -> list[str]:
    """The words of a phrase in lower case that are no part of a name of a kind of thing.

    These are words that join, count, compare or deny, comparatives and superlatives, numbers, and what follows a noun
    in the plural. A phrase of adjectives and a noun has none.

    Example:
        >>> from holdfast.language.english import beyond_names
        >>> [beyond_names(p) for p in ("old musical instruments", "cheapest fruit", "fruits not sold", "non-fruits")]
        [[], ['cheapest'], ['not', 'sold'], ['non-fruits']]
        >>> beyond_names("fruits yesterday")
        ['yesterday']
    """
    words = phrase.split()
    found = [word for word in words if _is_strange(word)]
    plurals = [i for i, word in enumerate(words) if singular_word(word) != word]
    return found or (words[plurals[-1] + 1 :] if plurals else [])


def _is_strange(word: str) -> bool:
    if FUNCTION_WORDS & set(word.split("-")) or not re.fullmatch(r"[\w'&.+-]+", word) or word.endswith("n't"):
        return True
    return any(c.isdigit() for c in word) or bool(DEGREES.fullmatch(word) and word not in NO_DEGREES)


def singular(phrase: str) -> str:
    """A noun phrase with its noun in the singular, as far as regular endings tell.

    Example:
        >>> from holdfast.language.english import singular
        >>> [singular(p) for p in ("coastal cities", "buses", "glass", "people", "cities on the coast")]
        ['coastal city', 'bus', 'glass', 'person', 'city on the coast']
    """
    words = phrase.split()
    stops = [i for i, word in enumerate(words) if i and word in PREPOSITIONS]
    place = (stops[0] if stops else len(words)) - 1
    if place >= 0:
        words[place] = singular_word(words[place])
    return " ".join(words)


def singular_word(word: str) -> str:
    """A noun in the singular, as far as its ending tells."""
    if word in IRREGULAR:
        return IRREGULAR[word]
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 3 and word.endswith(("sses", "shes", "ches", "xes", "zes", "uses")):
        return word[:-2]
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


__all__ = ["FUNCTION_WORDS", "beyond_names", "singular", "singular_word"]
