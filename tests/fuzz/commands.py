"""Arguments of every command and of every system's verbs, drawn from what the commands themselves declare."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import typer
from hypothesis import strategies as st

from fuzz import estimators
from fuzz.calling import obey_on_terminal
from fuzz.hunt import Attempt, Fuzz, Outcome
from fuzz.sandbox import PLACES, a_run, furnish, toy_in
from fuzz.words import SIZES, nasty, texts
from holdfast import catalogue, cli

FAILED_TRIAL = {"run": (1,), "verdicts": (1,)}  # documented: a trial failed; a plan is stale
WRITTEN = (
    "out1",
    "out2/deeper",
    "out3.csv",
    "out4.parquet",
    "empty",
    "file.txt",
    "run",
    "loop",
    "dangling",
    "pipe",
    "",
)
GOOD = {
    "scale": ("smoke", "smoke", "small"),
    "arms": ("good", "bad"),
    "problems": ("p",),
    "replicates": ("1", "2"),
    "jobs": ("0", "1", "2"),
    "device": ("cpu",),
    "runs": ("run", "run", "run/", "out1"),
    "area": ("CV", "lg"),
    "task": ("test", "label"),
    "why": ("because",),
}
DATA = ("images.npz", "other.npz", "images.npy", "photos", "photos/cat", "photos/cat/0.png", "table.csv", "model")
WORDS = ("smoke", "demo", "small", "full", "good", "bad", "p", "CV", "cpu", "cuda:99", "../run/run", "small.plan")


def _inside(text: str) -> bool:
    """Whether a text, as a path, stays in the folder that the cases work in."""
    return not text.startswith(("/", "~")) and ".." not in text


places = st.one_of(st.sampled_from(PLACES), texts)
outputs = st.one_of(st.sampled_from(WRITTEN), texts).filter(_inside)
few = st.sampled_from(("0", "1", "2", "3", "-1", "", "x", "1.5", "nan", "1e3", str(2**63), "0" * 30 + "1"))
huge = st.sampled_from(tuple(map(str, SIZES)))


def kind_of(param: Any) -> str:
    """The declared type in small letters; typer keeps it in different places, by version."""
    described = getattr(param, "type_descriptor", None)
    return str(described.annotation if described is not None else param.type).lower()


def wrong(param: Any) -> st.SearchStrategy[str]:
    """What is hardly ever right for an option or argument."""
    kind = kind_of(param)
    if "path" in kind:
        return outputs if param.name == "out" else places.filter(_inside)
    if "int" in kind or "float" in kind:
        # How much work is asked for stays small; everything else may be as large as it likes.
        return st.one_of(few, huge) if param.name in ("seed", "jobs", "replicates") else few
    return places if param.name in ("on", "runs") else st.one_of(st.sampled_from(WORDS), texts)


def right(param: Any, good: Mapping[str, Sequence[str]]) -> st.SearchStrategy[str]:
    """What often is right."""
    if param.name in good:
        return st.sampled_from(good[param.name])
    kind = kind_of(param)
    if "int" in kind or "float" in kind:
        return st.just(str(param.default)) if param.name == "size" else st.sampled_from(("1", "2", "8"))
    if "path" in kind:
        return st.sampled_from(WRITTEN[:4] if param.name == "out" else DATA)
    return st.just(str(param.default)) if isinstance(param.default, str) else st.sampled_from(DATA)


def lines_of(command: Any, path: Sequence[str], good: Mapping[str, Sequence[str]]) -> st.SearchStrategy[list[str]]:
    """Command lines: what is required mostly there and mostly right, any options, at times a word too many."""
    parts = st.tuples(*(_given(param, good) for param in command.params))
    surplus = st.integers(0, 9).flatmap(lambda n: texts.map(lambda t: [t]) if n == 9 else st.just([]))
    shuffled = st.tuples(parts, surplus).flatmap(lambda drawn: st.permutations([*drawn[0], drawn[1]]))
    return shuffled.map(lambda order: [*path, *(word for part in order for word in part)])


def _given(param: Any, good: Mapping[str, Sequence[str]]) -> st.SearchStrategy[list[str]]:
    fine, odd = right(param, good), wrong(param)
    value = st.integers(0, 9).flatmap(lambda n: odd if n >= 8 else fine)
    many = st.lists(value, min_size=1, max_size=3)
    if param.param_type_name != "option":
        given = many if param.nargs != 1 else value.map(lambda word: [word])
    elif param.is_flag:
        given = st.sampled_from([*param.opts, *param.secondary_opts]).map(lambda name: [name])
    else:
        name = st.sampled_from(param.opts)
        given = st.tuples(name, many if param.multiple else many.map(lambda words: words[:1])).map(
            lambda pair: [pair[0], *pair[1]]
        )
    missing = 1 if param.required or param.name == "scale" else 16
    return st.integers(0, 19).flatmap(lambda n: st.just([]) if n < missing else given)


def _attempt(answers: dict[str, tuple[int, ...]]) -> Attempt:
    def attempt(line: list[str]) -> Outcome:
        word = next((w for w in line if w in answers), "")
        return obey_on_terminal(line, answers.get(word, ()))

    return attempt


def _of_command(name: str) -> Callable[[Path], Any]:
    @contextlib.contextmanager
    def prepare(folder: Path) -> Iterator[tuple[st.SearchStrategy[list[str]], Attempt]]:
        with toy_in(folder) as toy:
            furnish(folder)
            a_run(toy)
            root: Any = typer.main.get_command(cli.app.app)
            command = root.get_command(None, name.split()[0])
            for word in name.split()[1:]:
                command = command.get_command(None, word)
            # Other systems' experiments would be run for minutes: the toy, or names that nobody has.
            good = {**GOOD, "system": [toy.name]}
            yield lines_of(command, name.split(), good), _attempt(FAILED_TRIAL)

    return prepare


@contextlib.contextmanager
def _any_words(folder: Path) -> Iterator[tuple[st.SearchStrategy[list[str]], Attempt]]:
    """Words in any order, command words among them."""
    with toy_in(folder) as toy:
        furnish(folder)
        words = [*catalogue.RESERVED, toy.name, "--scale", "--json", "--quiet", "--check", "--version", "-h", "smoke"]
        line = st.lists(st.one_of(st.sampled_from(sorted(words)), nasty.filter(_inside)), max_size=5)
        yield line, _attempt(FAILED_TRIAL)


@contextlib.contextmanager
def _verbs(folder: Path) -> Iterator[tuple[st.SearchStrategy[list[str]], Attempt]]:
    with toy_in(folder):
        furnish(folder)
        models: dict[str, list[str]] = {}
        for i, (system_id, cls) in enumerate(estimators.classes()):
            models.setdefault(system_id, []).append(f"model{i}")
            estimators.fitted(cls)[0].save(folder / f"model{i}")
        lines: list[st.SearchStrategy[list[str]]] = []
        for system in catalogue.find().systems.values():
            if system.has_cli:
                group: Any = typer.main.get_command(system.cli())
                verbs = getattr(group, "commands", {"": group})
                for verb, command in verbs.items():
                    lines.append(
                        lines_of(
                            command,
                            [system.commands[-1], *([verb] if verb else [])],
                            {"model": models.get(system.id, ["gone"])},
                        )
                    )
        yield st.one_of(lines), _attempt({})


def _fuzz(name: str, cases: int) -> Fuzz:
    return Fuzz(
        f"cli-{name.replace(' ', '-')}",
        f"Wrong arguments of `holdfast {name}`",
        "random combinations of its own options with words, paths of all kinds, numbers, control characters",
        cases,
        _of_command(name),
    )


FUZZES = (
    *(
        _fuzz(name, cases)
        for name, cases in (
            ("list", 500),
            ("show", 600),
            ("run", 1500),
            ("freeze", 600),
            ("verdicts", 100),
            ("ledger reseal", 650),
            ("recheck", 650),
            ("report", 1000),
            ("digest", 300),
            ("doctor", 100),
        )
    ),
    Fuzz("cli-words", "Words in any order", "command words, options and nasty texts, in any order", 1000, _any_words),
    Fuzz(
        "verbs",
        "Wrong arguments and files given to systems' own verbs",
        "every verb of every system: random combinations of its own options, paths of all kinds, small sizes of work",
        3000,
        _verbs,
    ),
)
