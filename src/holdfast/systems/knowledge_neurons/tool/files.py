"""Facts on disk: jsonl of one's own, ParaRel's patterns, the authors' bags; and files of neurons."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from holdfast.data.readers.lines import read_lines
from holdfast.errors import InputError
from holdfast.files import check_regular
from holdfast.systems.knowledge_neurons.method.attribution import Neuron

MASK = "{mask}"
BAG_RELATION = re.compile(r"^(P\d+)\(.*\)$")
FEWEST_PATTERNS = 4  # relations of fewer are left out, as in the paper


@dataclass(frozen=True)
class Fact:
    """A fact and the ways to ask for it.

    Attributes:
        prompts: texts with one {mask} each, where the answer stands.
        answer: the word.
        relation: of the fact; thresholds are found per relation.

    Example:
        >>> Fact(("Marel lives in {mask}.",), "Tovin", "home").answer
        'Tovin'
    """

    prompts: tuple[str, ...]
    answer: str
    relation: str = ""

    def __post_init__(self) -> None:
        prompts = self.prompts
        if isinstance(prompts, str) or not prompts or not all(isinstance(p, str) and p.strip() for p in prompts):
            raise InputError("prompts", "must be a list of texts, at least one", repr(prompts)[:80])
        for name, text in (("answer", self.answer), ("relation", self.relation)):
            if not isinstance(text, str) or (name == "answer" and not text.strip()):
                raise InputError(name, "must be a text", repr(text)[:80])
        object.__setattr__(self, "prompts", tuple(prompts))
        for prompt in self.prompts:
            if prompt.count(MASK) != 1:
                raise InputError("prompts", f"must each have {MASK} exactly once", prompt)


def read_facts(path: str | Path) -> list[Fact]:
    """Facts of a jsonl file, {"prompts": [text with {mask}, ...], "answer": word, "relation": name} a line, or of bags.

    A .json file is read as the authors' bags (`load_bags`).

    Raises:
        InputError: no such file, nothing in it, a line that is no fact; names the line.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "facts.jsonl"
        >>> _ = file.write_text('{"prompts": ["Marel lives in [MASK]."], "answer": "Tovin", "relation": "home"}\\n')
        >>> read_facts(file)[0].prompts
        ('Marel lives in {mask}.',)
    """
    path = Path(path)
    if path.exists():
        check_regular(path)
    if path.suffix.lower() == ".json":
        return load_bags(path)
    found = []
    for number, line in enumerate(read_lines(path, "facts"), 1):
        if line.strip():
            row = _json(line, f"{path}, line {number}")
            if not isinstance(row, dict):
                raise InputError(f"{path}, line {number}", "must be an object", line[:60])
            found.append(
                _fact(row.get("prompts"), row.get("answer"), row.get("relation", ""), f"{path}, line {number}")
            )
    return found


def load_bags(path: str | Path) -> list[Fact]:
    """The authors' file: a list of facts, each a list of [prompt with [MASK], answer, "P36(capital)"].

    Raises:
        InputError: not JSON, no facts, a fact of another form; names it.
    """
    bags = _json("\n".join(read_lines(Path(path), "facts")), str(path))
    if not isinstance(bags, list) or not bags:
        raise InputError(str(path), "must be a list of facts", type(bags).__name__ if bags else "an empty one")
    found = []
    for number, bag in enumerate(bags, 1):
        where = f"{path}, fact {number}"
        if not isinstance(bag, list) or not bag or not all(isinstance(row, list) and len(row) == 3 for row in bag):
            raise InputError(where, "must be a list of [prompt, answer, relation]", repr(bag)[:60])
        if len({str(row[1:]) for row in bag}) > 1:
            raise InputError(where, "must have one answer and one relation", repr(bag[0][1:])[:60])
        match = BAG_RELATION.match(str(bag[0][2]))
        found.append(_fact([row[0] for row in bag], bag[0][1], match[1] if match else bag[0][2], where))
    return found


def load_pararel(folder: str | Path, pairs: Mapping[str, Iterable[tuple[str, str]]]) -> list[Fact]:
    """Facts of ParaRel's patterns: a file P36.jsonl each, {"pattern": "[X] is the capital of [Y]."} a line.

    Args:
        folder: of the files.
        pairs: relation -> pairs of subject [X] and object [Y].

    Raises:
        InputError: no file of a relation, fewer than 4 patterns in it (the paper leaves such relations out), a line
            without exactly one [X] and one [Y].
    """
    found = []
    for relation, entries in pairs.items():
        path = Path(folder) / f"{relation}.jsonl"
        patterns = []
        for number, line in enumerate(read_lines(path, "folder"), 1):
            row = _json(line, f"{path}, line {number}") if line.strip() else {"pattern": None}
            text = row.get("pattern") if isinstance(row, dict) else None
            if not isinstance(text, str) or text.count("[X]") != 1 or text.count("[Y]") != 1:
                raise InputError(f"{path}, line {number}", "must have a pattern with one [X] and one [Y]", line[:60])
            patterns.append(text)
        if len(patterns) < FEWEST_PATTERNS:
            raise InputError(str(path), f"must have at least {FEWEST_PATTERNS} patterns", len(patterns))
        found += [
            Fact(tuple(text.replace("[Y]", MASK).replace("[X]", x) for text in patterns), y, relation)
            for x, y in entries
        ]
    return found


def neurons_document(facts: Sequence[Fact], sets: Sequence[Sequence[Neuron]], about: Mapping[str, Any]) -> str:
    """JSON of facts with their neurons."""
    rows = [
        {"prompts": f.prompts, "answer": f.answer, "relation": f.relation, "neurons": n}
        for f, n in zip(facts, sets, strict=True)
    ]
    return json.dumps({**about, "facts": rows}, ensure_ascii=False, indent=1) + "\n"


def read_neurons(path: str | Path, layers: int, width: int) -> tuple[list[Fact], list[list[Neuron]]]:
    """Facts and neurons of a file that `find` wrote, for a model of so many layers and neurons a layer.

    Raises:
        InputError: another kind of file, neurons that the model does not have.
    """
    content = _json("\n".join(read_lines(Path(path), "neurons")), str(path))
    rows = content.get("facts") if isinstance(content, dict) else None
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise InputError(str(path), "must be a file of neurons, as `find` writes it", repr(content)[:60])
    facts, sets = [], []
    for number, row in enumerate(rows, 1):
        where, given = f"{path}, fact {number}", row.get("neurons")
        facts.append(_fact(row.get("prompts"), row.get("answer"), row.get("relation", ""), where))
        pairs: list[Any] = given if isinstance(given, list) else [None]
        if not all(isinstance(n, list) and len(n) == 2 and all(type(i) is int for i in n) for n in pairs):
            raise InputError(where, "must have neurons as [layer, neuron] pairs", repr(given)[:60])
        if not all(0 <= layer < layers and 0 <= place < width for layer, place in pairs):
            raise InputError(where, f"must have neurons of this model ({layers} layers of {width})", repr(given)[:60])
        sets.append([(layer, place) for layer, place in pairs])
    return facts, sets


def _fact(prompts: Any, answer: Any, relation: Any, where: str) -> Fact:
    try:
        if not isinstance(prompts, list) or not all(isinstance(text, str) for text in prompts):
            raise InputError("prompts", "must be a list of texts", repr(prompts)[:60])
        return Fact(tuple(text.replace("[MASK]", MASK) for text in prompts), answer, relation)
    except InputError as error:
        raise InputError(where, f"{error.argument} {error.rule}", error.received) from None


def _json(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(where, "must be JSON", str(error)) from None


__all__ = ["Fact", "load_bags", "load_pararel", "neurons_document", "read_facts", "read_neurons"]
