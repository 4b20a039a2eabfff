"""Each mistake on small sources, what is left alone, and the draw."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest

from mutants.mutations import Mutation, drawn, mutations

ROOT = Path(__file__).parents[2]
METHOD = (ROOT / "src/holdfast/systems/adamatch/method.py").read_text(encoding="utf-8")
NAME = Path("method.py")


def mutants(source: str) -> list[tuple[str, str]]:
    return [(m.kind, m.edit.of(source)) for m in mutations(source, NAME)]


# --------------------------------------------------------------------------------------------------------- the mistakes
@pytest.mark.parametrize(
    ("kind", "source", "wanted"),
    [
        ("sign", "exp(-s)", ["exp(s)"]),
        ("sign", "a[-n]", ["a[n]"]),
        ("operator", "a + b", ["a - b"]),
        ("operator", "a - (b)  # - b", ["a + (b)  # - b"]),
        ("operator", "(a) * b", ["(a) / b"]),
        ("operator", "2 * n", ["2 + n"]),
        ("operator", "a / b", ["a * b"]),
        ("operator", "a // b", ["a / b"]),
        ("operator", "a % b", ["a // b"]),
        ("operator", "a**b", ["a*b"]),
        ("operator", "a & b | c", ["a & b & c", "a | b | c"]),
        ("operator", "a += b", ["a -= b"]),
        ("operator", "a *= b", ["a /= b"]),
        ("operator", "(\n    a  # or a - b\n    + b\n)", ["(\n    a  # or a - b\n    - b\n)"]),
        ("comparison", "a < b", ["a <= b", "a >= b"]),
        ("comparison", "a >= b", ["a < b", "a > b"]),
        ("comparison", "a < b == c", ["a < b != c", "a <= b == c", "a >= b == c"]),
        ("comparison", "a is not None", ["a is None"]),
        ("comparison", "a not in b", ["a in b"]),
        ("logic", "a and b and c", ["a and b or c", "a or b and c"]),
        ("logic", "not a or b", ["a or b", "not a and b"]),
        ("gradient", "f(x.detach())", ["f(x)"]),
        ("gradient", "with torch.no_grad():\n    f()", ["with torch.enable_grad():\n    f()"]),
        ("gradient", "@torch.no_grad()\ndef f(x):\n    pass", ["@torch.enable_grad()\ndef f(x):\n    pass"]),
        ("reduction", "x.sum(axis).mean()", ["x.mean(axis).mean()", "x.sum(axis).sum()"]),
        ("reduction", "np.maximum(a, max(b, c))", ["np.maximum(a, min(b, c))", "np.minimum(a, max(b, c))"]),
        ("reduction", "ce(x, y, reduction='none')", ['ce(x, y, reduction="mean")']),
        ("reduction", "x.argmax(k)", ["x.argmin(k)"]),
        ("off by one", "a + 3", ["a + 4"]),
        ("off by one", "x.mean(1)", ["x.mean(0)"]),
        ("off by one", "x[0], y[:-1]", ["x[0], y[:-2]", "x[1], y[:-1]"]),
        ("off by one", "x[:n]", ["x[:n + 1]"]),
        ("off by one", "range(n)", ["range(n - 1)"]),
        ("off by one", "range(a, len(x), step)", ["range(a, len(x) - 1, step)"]),
    ],
)
def test_every_mistake(kind: str, source: str, wanted: list[str]) -> None:
    assert sorted(text for k, text in mutants(source) if k == kind) == sorted(wanted)


def test_characters_before_it_may_take_several_bytes() -> None:
    """The syntax tree counts bytes."""
    assert ("operator", "μ = 'σ²'; é = α - β") in mutants("μ = 'σ²'; é = α + β")


# ----------------------------------------------------------------------------------------------------- what stays whole
@pytest.mark.parametrize(
    "source",
    [
        '"""a + 1, x[:n]"""',
        "x: Literal[1, 2] | None",
        "def f(x: A | B = 3, *, k=2 * 4) -> dict[int, C | None]:\n    pass",
        "class A:\n    lr: float = 2**-15\n    size = 3 + 4",
        "raise ValueError(a + b, n - 1)",
        "if a < 1 or not b:\n    raise InputError('a', 'must be at least 1', a - 1)",
        "if not a:\n    rule = b if c < 2 else d\n    raise InputError('a', rule)",
        "if few < 2 * dim:\n    warnings.warn('few', stacklevel=2)",
        "try:\n    f()\nexcept ValueError as e:\n    raise InputError('x', e[0] + e[1])",
        "def f(b):\n    whole = isinstance(b, int) and b == 3\n    if not whole or b < 1:\n        raise InputError",
        "def _check_sizes(a, b):\n    return a + b < 3",
        "def __str__(self):\n    return self.a + self.b[1]",
        "assert a + b < 3",
        "f'{a + b[1]:>{n + 1}}'",
        "check_integer(k, 'k', low=1, high=n - 1)",
        "isinstance(x, int | float)",
        "fit(model, log_every=max(1, steps // 10))",
        "import a.b; from c import d",
    ],
)
def test_texts_types_settings_and_checks_are_left_alone(source: str) -> None:
    assert mutants(source) == []


@pytest.mark.parametrize(
    ("kind", "source"),
    [
        ("operator", "'a' + b"),
        ("operator", "[a] + b + c"),
        ("operator", "[a] * n"),
        ("operator", "'%d' % n"),
        ("operator", "folder / 'name'"),
        ("operator", "{a: b} | c"),
        ("operator", "x | None"),
        ("operator", "text += f'{a}'"),
        ("operator", "names += [a, b]"),
        ("operator", "a * 1.0"),
        ("operator", "-1.0 * a"),
        ("operator", "a + 0.0"),
        ("operator", "a / 1"),
        ("operator", "a**1"),
        ("operator", "a * b.sign()"),
        ("sign", "abs(-x)"),
        ("sign", "(-x).abs()"),
        ("sign", "np.square(-x)"),
        ("sign", "(-x) ** 2"),
        ("sign", "x.sum(-1)"),
        ("gradient", "x.detach().cpu()"),
        ("gradient", "x.detach().numpy()"),
        ("off by one", "x[:1000], 4096, True, 1.0"),
    ],
)
def test_what_would_change_nothing_or_join_texts_is_left_alone(kind: str, source: str) -> None:
    assert [text for k, text in mutants(source) if k == kind] == []


def test_a_detach_counts_only_where_there_are_gradients() -> None:
    source = "@torch.no_grad()\ndef f(x):\n    g(x.detach())\n"
    assert [text for _, text in mutants(source)] == [source.replace("no_grad", "enable_grad")]


def test_code_beside_a_check_is_mutated() -> None:
    source = (
        "def f(a, b):\n    low = a - b\n    if low < 0:\n        raise ValueError\n    elif a > b:\n        return low"
    )
    changed = {m.new for m in mutations(source, NAME)}
    assert changed == {"low = a + b", "elif a >= b:", "elif a <= b:"}


# ------------------------------------------------------------------------------------------------------ all of a module
def test_mutants_of_a_real_module_are_python_differ_in_one_place_and_say_where() -> None:
    found = mutations(METHOD, NAME)
    assert len({m.edit for m in found}) == len(found) > 40
    assert {m.kind for m in found} >= {"operator", "comparison", "gradient", "reduction", "off by one"}
    lines = METHOD.split("\n")
    for m in found:
        text = m.edit.of(METHOD)
        assert ast.dump(ast.parse(text)) != ast.dump(ast.parse(METHOD))
        changed = [i for i, (a, b) in enumerate(zip(lines, text.split("\n"), strict=True), 1) if a != b]
        assert changed == [m.line]
        assert (lines[m.line - 1].split(), text.split("\n")[m.line - 1].split()) == (m.old.split(), m.new.split())
    functions = {m.function for m in found}
    assert {"mu_schedule", "AdaMatchLoss.forward", "AdaMatch.loss_of_views.source_pass"} <= functions


# ------------------------------------------------------------------------------------------------------------- the draw
def test_the_draw_is_repeatable_and_holds_every_mutant_once() -> None:
    every = mutations(METHOD, NAME)
    assert list(drawn(every, 3)) == list(drawn(every, 3))
    assert list(drawn(every, 3)) != list(drawn(every, 4))
    assert Counter(drawn(every, 3)) == Counter(every)


def test_the_draw_is_spread_over_functions_places_and_kinds() -> None:
    source = "def long(a, b):\n    return " + " + ".join(["a * b"] * 30) + "\n"
    source += "".join(f"def f{i}(a, b):\n    return a < b\n" for i in range(5))
    for seed in range(20):
        first = [m for m, _ in zip(drawn(mutations(source, NAME), seed), range(12), strict=False)]
        assert len({m.function for m in first[:6]}) == 6
        assert len({m.edit.start for m in first}) == 12
    every = mutations("def f(a, b):\n    return (a < b) + (a > b)\n", NAME)
    assert len({m.edit.start for m in list(drawn(every, 0))[:3]}) == 3


def described(m: Mutation) -> str:
    return f"{m.function} {m.line}: {m.old} -> {m.new}"


def test_a_mutant_is_described_by_its_line() -> None:
    source = "class A:\n    def f(self, x):\n        y = (x\n             .detach())\n        return y\n"
    assert [described(m) for m in mutations(source, NAME)] == ["A.f 3: y = (x .detach()) -> y = (x)"]
