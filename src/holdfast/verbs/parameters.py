"""Options made from what they set: default, type and help are those of an estimator's, a class's or a function's own.

They are read from its source and it is not imported: estimators import torch, for which every `--help` would wait
seconds. So a default is a literal there (the source of a constant elsewhere is not looked for), and what an argument
means stands under "Args:" or "Attributes:" of the docstring, as everywhere in holdfast. Its first sentence is the help.
"""

from __future__ import annotations

import ast
import importlib.util
import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

EMPTY = inspect.Parameter.empty
SIMPLE = {"int": int, "float": float, "str": str, "bool": bool, "Path": Path}
_ENTRY = re.compile(r"    (\w+(?:, \w+)*): (.*)")
_WORD = re.compile(r'"(\w[\w:.-]*)"')
_SENTENCES = re.compile(r"(?<=[^.][.!?])\s+(?=[\"'(`]?[A-Z0-9])")


@dataclass(frozen=True)
class Declared:
    """A parameter as its source declares it.

    Attributes:
        type: what a command line can give: int, float, str, bool, Path, tuples and lists of these, or None of it.
        default: `inspect.Parameter.empty` if there is none.
        help: a sentence for the command line; "" if the docstring says nothing.
    """

    name: str
    type: Any
    default: Any
    help: str


class Parameters:
    """The parameters of a class or function, as its source has them.

    Args:
        where: "package.module:name" of a class (the arguments of its `__init__`, or the fields of a dataclass) or of a
            function.

    Example:
        >>> fit = Parameters("holdfast.systems.adamatch.estimator:AdaMatchClassifier")
        >>> fit.declared["steps"].default, fit.help("steps")
        (1000, 'Optimiser steps.')
    """

    def __init__(self, where: str) -> None:
        self.where = where

    @cached_property
    def declared(self) -> Mapping[str, Declared]:
        """All of them, by name.

        Raises:
            TypeError: there is no such class or function.
        """
        module, _, name = self.where.partition(":")
        for node in ast.parse(_source(module)).body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
                return {found.name: found for found in _declared(node)}
        raise TypeError(f"{self.where}: there is no such class or function")

    def help(self, name: str) -> str:
        """What the docstring says of a parameter, as the help of an option that is declared by hand.

        Raises:
            TypeError: no such parameter, or nothing is said of it.
        """
        found = self._one(name)
        if not found.help:
            raise TypeError(f"{self.where}: the docstring must say what {name!r} is")
        return found.help

    def default(self, name: str) -> Any:
        """The default of a parameter.

        Raises:
            TypeError: no such parameter, or it has none, or none that is a literal.
        """
        found = self._one(name)
        if found.default is EMPTY:
            raise TypeError(f"{self.where}: {name!r} must have a default that is a literal")
        return found.default

    def options(self, *names: str, **renamed: str) -> Options:
        """Options for some of the parameters, to be named in the annotation of a verb's argument.

        The verb gets a dict from the names of the parameters to what the user gave:
        `settings: Annotated[dict[str, Any], CLASSIFIER.options("steps", "batch", jobs="n_jobs")]`.

        Args:
            names: of parameters whose options are called as they are: `inner_dim` is `--inner-dim`.
            renamed: word of the option -> name of the parameter.

        Raises:
            TypeError: no such parameter; one without help or literal default, or of a type that no option can have.
        """
        return Options(self, {**{name: name for name in names}, **renamed})

    def _one(self, name: str) -> Declared:
        if name not in self.declared:
            raise TypeError(f"{self.where}: there is no parameter {name!r}")
        return self.declared[name]


class Options:
    """Options for parameters of a class or function; a verb gets them as a dict.

    Attributes:
        arguments: name that errors give the parameter -> parameter of the verb whose option sets it.
    """

    def __init__(self, of: Parameters, names: Mapping[str, str]) -> None:
        self._names = dict(names)
        self.arguments = {parameter: word for word, parameter in names.items()}
        self._parameters = [_option(of, word, parameter) for word, parameter in names.items()]

    def parameters(self) -> Sequence[inspect.Parameter]:
        """Of the verb, one for each option."""
        return self._parameters

    def build(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """What the verb gets, from the values of the options."""
        return {parameter: values[word] for word, parameter in self._names.items()}


def _option(of: Parameters, word: str, name: str) -> inspect.Parameter:
    default, text = of.default(name), of.help(name)
    kind: Any = of.declared[name].type
    if kind is None:
        raise TypeError(f"{of.where}: {name!r} is of a type that no option can have; declare the option by hand")
    annotation: Any = Annotated[kind, typer.Option(help=text)]
    return inspect.Parameter(word, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


# -------------------------------------------------------------------------------------------------------------- sources
def _source(module: str) -> str:
    """The text of a module; the packages that it is in are imported, and they are light."""
    spec = importlib.util.find_spec(module)
    source = spec.loader.get_source(module) if spec is not None and hasattr(spec.loader, "get_source") else None  # type: ignore[union-attr]
    if source is None:
        raise TypeError(f"{module}: there is no such module, or its source is not installed")
    return str(source)


def _declared(node: ast.ClassDef | ast.FunctionDef) -> Iterator[Declared]:
    said = _said(ast.get_docstring(node) or "")
    if isinstance(node, ast.FunctionDef):
        makes = node
    else:
        inits = [part for part in node.body if isinstance(part, ast.FunctionDef) and part.name == "__init__"]
        if not inits:
            for part in node.body:
                if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name):
                    yield _one(part.target.id, part.annotation, part.value, said)
            return
        makes = inits[0]
        said |= _said(ast.get_docstring(makes) or "")
    arguments = makes.args
    given = [*arguments.posonlyargs, *arguments.args]
    defaults = [None] * (len(given) - len(arguments.defaults)) + arguments.defaults
    pairs = [*zip(given, defaults, strict=True)][isinstance(node, ast.ClassDef) :]  # without self
    for arg, default in [*pairs, *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)]:
        yield _one(arg.arg, arg.annotation, default, said)


def _one(name: str, annotation: ast.expr | None, value: ast.expr | None, said: Mapping[str, str]) -> Declared:
    default = _literal(value)
    return Declared(name, _type(annotation), default, _sentence(said.get(name, ""), default))


def _literal(node: ast.expr | None) -> Any:
    """The value of a default; empty if there is none, or none that is a literal."""
    if node is None:
        return EMPTY
    try:
        return ast.literal_eval(node)
    except ValueError:
        return EMPTY


def _type(node: ast.expr | None) -> Any:
    """What an option for an annotation gives; None where a command line cannot. Of `str | Module` it is the first."""
    members = list(_members(node))
    kinds = [kind for kind in map(_simple, members) if kind is not None]
    if not kinds:
        return None
    nothing = any(isinstance(member, ast.Constant) and member.value is None for member in members)
    return Optional[kinds[0]] if nothing else kinds[0]  # noqa: UP045  a type that is made, not written


def _members(node: ast.expr | None) -> Iterator[ast.expr]:
    """The parts of a union."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        yield from _members(node.left)
        yield from _members(node.right)
    elif node is not None:
        yield node


def _simple(node: ast.expr) -> Any:
    if isinstance(node, ast.Name):
        return SIMPLE.get(node.id)
    if not (isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name)):
        return None
    inner = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    kinds = [_simple(part) for part in inner]
    if node.value.id == "Literal" and all(
        isinstance(part, ast.Constant) and isinstance(part.value, str) for part in inner
    ):
        return str
    if node.value.id in ("list", "Sequence") and len(kinds) == 1 and kinds[0] is not None:
        return list[kinds[0]]  # type: ignore[valid-type]
    if node.value.id == "tuple" and None not in kinds:
        return tuple[tuple(kinds)]  # type: ignore[misc]
    return None


# ----------------------------------------------------------------------------------------------------------- docstrings
def _said(docstring: str) -> dict[str, str]:
    """The text of every entry under "Args:" and "Attributes:"."""
    entries: dict[str, list[str]] = {}
    inside, names = False, list[str]()
    for line in docstring.splitlines():
        if line and not line.startswith(" "):
            inside, names = line in ("Args:", "Attributes:"), []
        elif inside and (entry := _ENTRY.fullmatch(line)):
            names = entry[1].split(", ")
            entries |= {name: [entry[2]] for name in names}
        elif inside:
            for name in names:
                entries[name].append(line)
    return {name: " ".join(" ".join(lines).split()) for name, lines in entries.items()}


def _sentence(text: str, default: Any) -> str:
    """The first sentence, words without quotes, and what None means: as the default if it is that, else not at all."""
    if not text:
        return ""
    sentences = [sentence[:1].upper() + sentence[1:] for sentence in _SENTENCES.split(text)]
    kept = sentences[:1]
    if default is None:
        kept += [sentence for sentence in sentences[1:2] if sentence.startswith("None = ")]
        kept = [re.sub("^None = ", "Default: ", sentence).replace("None = ", "default: ") for sentence in kept]
    else:
        kept = [re.sub("[;,] None = [^;,.]*", "", sentence) for sentence in kept]
    shown = _WORD.sub(r"\1", " ".join(kept))
    return shown if shown.endswith((".", "!", "?")) else f"{shown}."


__all__ = ["Declared", "Options", "Parameters"]
