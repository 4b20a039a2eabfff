"""A system's card as text."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from holdfast.catalogue import Card, System

WIDTH = 96


def card_text(system: System) -> str:
    """What a system is for, what its authors claimed, how to run and to cite it."""
    card, texts = system.card, system.card.texts.en
    lines = [f"{texts.title} ({card.id})", _authors(card), "", *_wrapped(texts.sentence), ""]
    lines += [line for point in texts.points for line in _wrapped(point, "- ")]
    lines += ["", *_wrapped(f"Use it when {_lower(texts.use_when)}"), *_wrapped(f"Not when {_lower(texts.avoid_when)}")]
    lines += ["", "Claims as published:"]
    for claim in card.claims:
        number = f": {claim.number}" if claim.number else ""
        lines += _wrapped(f"{claim.claim}{number} ({claim.source})", "- ")
    if card.reference.url:
        lines += ["", f"Reference code: {card.reference.url} ({card.reference.licence or 'licence unknown'})"]
    if card.patent:
        lines += ["", *_wrapped(f"Patent: {card.patent}")]
    lines += ["", f"Test its claims: holdfast run {card.id}"]
    if card.first is not None:
        lines.append(f"First, on a file of your own: {card.first.command}")
    if system.has_cli:
        lines.append(f"On your own data: holdfast {system.commands[-1]} --help")
    return "\n".join([*lines, "", "Cite:", bibtex(card)])


def bibtex(card: Card) -> str:
    """The paper's BibTeX entry."""
    fields = {
        "title": f"{{{card.title}}}",
        "author": " and ".join(card.authors),
        "year": str(card.year),
        "journal": card.venue or (f"arXiv preprint arXiv:{card.arxiv}" if card.arxiv else ""),
        "eprint": card.arxiv,
        "archiveprefix": "arXiv" if card.arxiv else "",
    }
    body = ",\n".join(f"  {name} = {{{value}}}" for name, value in fields.items() if value)
    return f"@article{{{card.id}{card.year},\n{body}\n}}"


def _authors(card: Card) -> str:
    where = f", {card.venue}" if card.venue else f", {card.year}"
    arxiv = f", https://arxiv.org/abs/{card.arxiv}" if card.arxiv else ""
    return f"{', '.join(card.authors)}{where}{arxiv}"


def _wrapped(text: str, bullet: str = "") -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=bullet, subsequent_indent=" " * len(bullet))


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:] if text[1:2].islower() else text
