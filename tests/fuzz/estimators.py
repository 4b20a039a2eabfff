"""Estimators of every system: any thing as data, any value as a setting, damaged model folders."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib
import inspect
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from fuzz.arrays import things
from fuzz.hunt import Attempt, Fuzz, Outcome, obey
from fuzz.mutation import changed, damaged
from fuzz.words import scalars, texts
from holdfast import catalogue
from holdfast.canonical import sealed
from holdfast.errors import InputError
from holdfast.estimator import Estimator, Example


@functools.cache
def classes() -> tuple[tuple[str, type[Estimator]], ...]:
    """(system, estimator) of the whole catalogue."""
    found = []
    for system in catalogue.find().systems.values():
        package = importlib.import_module(system.package)
        for name in getattr(package, "__all__", ()):
            value = getattr(package, name)
            if inspect.isclass(value) and issubclass(value, Estimator) and not inspect.isabstract(value):
                found.append((system.id, value))
    return tuple(found)


@functools.cache
def fitted(cls: type[Estimator]) -> tuple[Estimator, Example]:
    """One of the class on its own example."""
    example = cls.example(np.random.default_rng(0))
    return cls(**example.settings).fit(**example.fit), example


def uses(cls: type[Estimator], example: Example) -> list[str]:
    """Output methods, and where they take several arguments, each with one of these."""
    if cls.tags.predicts_rows:
        return list(cls.tags.outputs)
    return [f"{method} {argument}" for method in cls.tags.outputs for argument in example.predict]


@contextlib.contextmanager
def _inputs(folder: Path) -> Iterator[tuple[st.SearchStrategy[Any], Attempt]]:
    """One or two arguments of fit, a setting or the input of an output method replaced by anything."""

    def cases(pair: tuple[str, type[Estimator]]) -> st.SearchStrategy[Any]:
        cls = pair[1]
        _, example = fitted(cls)
        place = st.one_of(
            st.tuples(st.just("fit"), st.sampled_from(sorted(example.fit))),
            st.tuples(st.just("set"), st.sampled_from(sorted(cls._parameters()) or [""])),
            st.tuples(st.just("use"), st.sampled_from(uses(cls, example))),
        )
        value = st.one_of(things, things, scalars)
        return st.tuples(st.just(cls), st.lists(st.tuples(place, value), min_size=1, max_size=2))

    def attempt(case: tuple[type[Estimator], list[tuple[tuple[str, str], Any]]]) -> Outcome:
        cls, changes = case
        ready, example = fitted(cls)
        fit, settings = dict(example.fit), dict(example.settings)
        for (where, name), value in changes:
            if where == "use":
                method, _, argument = name.partition(" ")
                use = getattr(ready, method)
                given = {**example.predict, argument: value} if argument else {}
                return obey(functools.partial(use, **given) if argument else functools.partial(use, value))
            (fit if where == "fit" else settings)[name] = value
        # A number of steps may be any; the example's keeps the case short.
        for name in ("steps", "epochs", "max_iter", "n_estimators"):
            if isinstance(settings.get(name), int) and settings[name] > 3:
                settings[name] = 3
        return obey(lambda: cls(**settings).fit(**fit))

    yield st.sampled_from(classes()).flatmap(cases), attempt


@contextlib.contextmanager
def _folders(folder: Path) -> Iterator[tuple[st.SearchStrategy[Any], Attempt]]:
    """Model folders whose config or weights were damaged or changed."""
    kept = {}
    for i, (_, cls) in enumerate(classes()):
        kept[cls] = fitted(cls)[0].save(folder / f"model-{i}")
    work = folder / "work"

    def cases(pair: tuple[str, type[Estimator]]) -> st.SearchStrategy[Any]:
        cls = pair[1]
        config = json.loads((kept[cls] / "config.json").read_text())
        inside = st.sampled_from(["init", "learned"]).flatmap(
            lambda part: changed(config[part]).map(lambda new: {**config, part: new})
        )
        tagged = st.tuples(
            st.sampled_from(
                [
                    "$float",
                    "$tuple",
                    "$items",
                    "$strings",
                    "$array",
                    "$tensor",
                    "$module",
                    "$sklearn",
                    "$given",
                    "$type",
                    "$x",
                ]
            ),
            st.one_of(scalars, st.just([[1, 2, 3]]), st.just({"a": 1}), st.just([[[], 1]]), texts),
            st.sampled_from([("init", n) for n in config["init"]] + [("learned", n) for n in config["learned"]]),
        ).map(lambda t: {**config, t[2][0]: {**config[t[2][0]], t[2][1]: {t[0]: t[1]}}})
        texts_of = st.one_of(changed(config), inside, inside, tagged, tagged).map(_json)
        raw = st.one_of(*(damaged((kept[cls] / name).read_bytes()) for name in ("config.json", "model.safetensors")))
        change = st.one_of(
            st.tuples(st.just("config.json"), texts_of),
            st.tuples(st.just("config.json"), texts_of),
            st.tuples(st.sampled_from(["config.json", "model.safetensors"]), raw),
        )
        return st.tuples(st.just(cls), change, st.booleans())

    def attempt(case: tuple[type[Estimator], tuple[str, bytes], bool]) -> Outcome:
        cls, (name, content), forged = case
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(kept[cls], work)
        (work / name).write_bytes(content)
        if forged:
            _forge(work)
        return obey(lambda: cls.load(work))

    yield st.sampled_from(classes()).flatmap(cases), attempt


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


def _forge(folder: Path) -> None:
    """Make checksums and seal right again: whoever means harm can do that too."""
    try:
        config = json.loads((folder / "config.json").read_text())
        sums = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in config["sha256"]}
        (folder / "config.json").write_bytes(
            _json(sealed({k: v for k, v in {**config, "sha256": sums}.items() if k != "digest"}))
        )
    except (ValueError, TypeError, KeyError, OSError, InputError):  # too far from a configuration to be sealed
        return


FUZZES = (
    Fuzz(
        "estimators",
        "Anything as an estimator's data or settings",
        "every estimator of the catalogue: arguments of fit, init and predict replaced by arrays of 21 dtypes, objects,"
        " NaN, frames, sparse, ragged, huge, text",
        900,
        _inputs,
    ),
    Fuzz(
        "models",
        "Damaged and forged model folders",
        "config.json and model.safetensors of every estimator: fields changed, foreign tags, bytes cut or changed",
        800,
        _folders,
    ),
)
