"""Symbolic regression in log space, and formulas as text that cannot run code."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from holdfast.data.synthetic.bodies import PowerLaw
from holdfast.errors import InputError, MissingExtra

NAMES = ("log_m_i", "log_m_j", "log_r")  # inputs, all log10; the target is log10 |F|
NEAR = 0.05  # that exponents may be off, for a formula to be a power law
OPERATORS: Mapping[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.USub: operator.neg, ast.UAdd: operator.pos,
}  # fmt: skip


@dataclass(frozen=True)
class Candidate:
    """A formula of the Pareto front.

    Attributes:
        formula: log10 |F| by `NAMES`, made of numbers, + - * / and parentheses.
        complexity: nodes of its tree; a variable and its factor are one. pyoperon puts every tree into scale * tree +
            intercept, which are four of them.
        loss: mean squared error.
        score: fall of the logarithm of the loss per node, since the one before; 0 for the simplest.
    """

    formula: str
    complexity: int
    loss: float
    score: float = 0.0


Regressor = Callable[[np.ndarray, np.ndarray, int], Iterable[Candidate]]


@dataclass(frozen=True)
class Operon:
    """Genetic programming by pyoperon, one thread, the same for a seed; constants of the front are fitted to the end.

    Attributes:
        population, generations: of the search.
        length: most nodes of a formula.
    """

    population: int = 300
    generations: int = 30
    length: int = 15

    def __call__(self, x: np.ndarray, y: np.ndarray, seed: int) -> list[Candidate]:
        """Formulas that no other beats in both length and error, from inputs (K, 3) and targets (K,).

        Raises:
            MissingExtra: pyoperon is not installed.
        """
        search = operon_regressor()(
            allowed_symbols="add,sub,mul,constant,variable",
            objectives=["mse", "length"],
            population_size=self.population,
            pool_size=self.population,
            generations=self.generations,
            max_length=self.length,
            optimizer_iterations=5,
            n_threads=1,
            random_state=seed,
        )
        search.fit(x, y)
        found = []
        for member in search.pareto_front_:
            text = with_fitted_constants(search.get_model_string(member["tree"], 9, names=list(NAMES)), x, y)
            loss = float(np.mean((evaluate(text, x) - y) ** 2))
            found.append(Candidate(text, int(member["tree"].Length), loss))
        return found


def with_fitted_constants(formula: str, x: np.ndarray, y: np.ndarray) -> str:
    """The formula with the constants that fit best to targets (K,) at inputs (K, 3), from those it has.

    A search leaves constants where its few steps end, and a formula would be judged by that.

    Example:
        >>> x = np.random.default_rng(0).normal(size=(20, 3))
        >>> fitted = with_fitted_constants("0.5 * log_r", x, 2 * x[:, 2])
        >>> bool(np.allclose(evaluate(fitted, x), 2 * x[:, 2], atol=1e-6))
        True
    """
    from scipy.optimize import least_squares

    tree = ast.parse(formula, mode="eval")
    constants = [node for node in ast.walk(tree) if isinstance(node, ast.Constant)]

    def residuals(values: np.ndarray) -> np.ndarray:
        for node, value in zip(constants, values, strict=True):
            node.value = float(value)
        return evaluate(ast.unparse(tree), x) - y

    start = np.array([float(str(node.value)) for node in constants])
    if not len(start) or not np.isfinite(residuals(start)).all():
        return formula
    residuals(least_squares(residuals, start, max_nfev=50).x)
    return f"({ast.unparse(tree)})"  # a cell that begins with a sign is a command to a spreadsheet


def operon_regressor() -> Any:
    """The class of pyoperon.

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        from pyoperon.sklearn import SymbolicRegressor
    except ImportError:
        raise MissingExtra("pyoperon", "science") from None
    return SymbolicRegressor


def scored(found: Iterable[Candidate]) -> list[Candidate]:
    """The Pareto front by complexity, each with its score.

    Example:
        >>> found = [Candidate("1.0", 1, 1.0), Candidate("log_r", 3, np.exp(-4.0)), Candidate("2.0", 3, 9.0)]
        >>> [c.score for c in scored(found)]
        [0.0, 2.0]
    """
    front: list[Candidate] = []
    for candidate in sorted(found, key=lambda c: (c.complexity, c.loss)):
        if not front:
            front.append(candidate)
        elif candidate.loss < front[-1].loss and candidate.complexity > front[-1].complexity:
            fall = np.log(front[-1].loss / max(candidate.loss, np.finfo(float).tiny))
            score = float(fall) / (candidate.complexity - front[-1].complexity)
            front.append(Candidate(candidate.formula, candidate.complexity, candidate.loss, score))
    return front


def best(front: Sequence[Candidate]) -> Candidate:
    """The candidate of the highest score."""
    return max(front, key=lambda candidate: candidate.score)


# ------------------------------------------------------------------------------------------------------------- formulas
def evaluate(formula: str, x: Any) -> Any:
    """The value of a formula for inputs (..., 3), or for three symbols.

    Only numbers, `NAMES`, + - * / and parentheses are computed, whatever the text says.

    Raises:
        InputError: the text is no such formula.

    Example:
        >>> float(evaluate("log_m_i - 2 * log_r", np.array([1.0, 0.0, 3.0])))
        -5.0
    """
    columns = x.T if isinstance(x, np.ndarray) else x
    values = dict(zip(NAMES, columns, strict=True))

    def of(node: ast.AST) -> Any:
        if isinstance(node, ast.Constant) and type(node.value) in (int, float):
            return node.value
        if isinstance(node, ast.Name) and node.id in values:
            return values[node.id]
        if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
            return OPERATORS[type(node.op)](of(node.left), of(node.right))
        if isinstance(node, ast.UnaryOp) and type(node.op) in OPERATORS:
            return OPERATORS[type(node.op)](of(node.operand))
        raise InputError("formula", f"must be made of numbers, {', '.join(NAMES)} and + - * /", formula)

    try:
        found = of(ast.parse(formula, mode="eval").body)
    except InputError:
        raise
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise InputError("formula", "must be an arithmetic expression", formula) from None
    return np.broadcast_to(found, columns[0].shape) if isinstance(x, np.ndarray) else found


@dataclass(frozen=True)
class FormulaLaw:
    """The force sign 10^formula, as a law of (r, m_i, m_j)."""

    formula: str
    sign: float = 1.0

    def __call__(self, r: Any, m_i: Any, m_j: Any) -> Any:
        logs = np.broadcast_arrays(np.log10(m_i), np.log10(m_j), np.log10(r))
        return self.sign * 10.0 ** evaluate(self.formula, np.stack(logs, -1).reshape(-1, 3)).reshape(logs[0].shape)


def local_exponents(formula: str, x: np.ndarray, step: float = 1e-3) -> np.ndarray:
    """Slopes (K, 3) of a formula by log r, log m_i and log m_j at points (K, 3) of `NAMES`, by central differences."""
    moves = step * np.eye(3)[[2, 0, 1]]
    return np.stack([(evaluate(formula, x + d) - evaluate(formula, x - d)) / (2 * step) for d in moves], 1)


def as_power_law(formula: str, low: np.ndarray, high: np.ndarray, sign: float = 1.0) -> PowerLaw | None:
    """The power law with whole or half exponents that a formula is, to within `NEAR` at 1,000 points; None if none.

    Args:
        formula: of `NAMES`.
        low, high: (3,) ranges of the inputs; points are uniform between them.
        sign: of the force.

    Example:
        >>> as_power_law("0.99 * log_m_i + 1.01 * log_m_j - 2.02 * log_r - 4.6", np.zeros(3), np.ones(3))
        PowerLaw(constant=1.0, r=-2.0, m_i=1.0, m_j=1.0)
    """
    points = np.random.default_rng(0).uniform(low, high, (1000, 3))
    slopes = local_exponents(formula, points)
    whole = np.round(2 * np.median(slopes, axis=0)) / 2
    if not np.abs(slopes - whole).max() <= NEAR:
        return None
    return PowerLaw(sign, *(float(e) for e in whole))


__all__ = ["NAMES", "Candidate", "FormulaLaw", "Operon", "Regressor", "as_power_law", "best", "evaluate", "scored"]
