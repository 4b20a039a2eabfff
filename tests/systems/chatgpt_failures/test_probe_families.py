"""Every family: solvers that agree, and notice when the other is broken; a checker that tells right from wrong."""

from __future__ import annotations

import ast
import copy
import inspect
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from random import Random
from types import FunctionType

import pytest

from holdfast.errors import InputError
from holdfast.sandbox import FunctionFailed
from holdfast.systems.chatgpt_failures import FAMILIES, Family, Suite, check_family
from holdfast.systems.chatgpt_failures.families import MODULES
from holdfast.systems.chatgpt_failures.tool.cases import CATEGORIES
from holdfast.systems.chatgpt_failures.tool.checkers import CHECKERS

each_family = pytest.mark.parametrize("family", FAMILIES, ids=[family.name for family in FAMILIES])
FREE = ("text", "program")  # many answers are right


def draws(family: Family, count: int) -> list[dict]:
    return [family.draw(Random(f"test {i}"), 1 + i % 5) for i in range(count)]


def accepted(family: Family, p: dict, answer: object) -> bool:
    """Whether the checker takes this for right, by the answer of the other solver."""
    case, checker = family.case(p, 1), CHECKERS[family.checker]
    run = called if family.checker == "program" else None
    return (
        checker.check(case.answer, case.options, checker.say(answer, case.options, True, len(case.asks)), run).status
        == "pass"
    )


def called(code: str, function: str, calls: list) -> list:
    """Runs our own programs without a sandbox."""
    scope: dict = {}
    try:
        exec(code, scope)
        return [scope[function](*copy.deepcopy(call)) for call in calls]
    except (NameError, TypeError, RecursionError) as error:
        raise FunctionFailed(str(error)) from None


def test_there_are_families_of_all_eleven_categories_a_module_each() -> None:
    assert len(FAMILIES) >= 30
    assert len(CATEGORIES) == 11 == len(MODULES)
    assert [{f.category for f in module.FAMILIES} for module in MODULES] == [{name} for name in CATEGORIES]
    assert len({family.name for family in FAMILIES}) == len(FAMILIES)
    hard = {f.category for f in FAMILIES if not f.soft and f.checker != "program"}
    assert hard == set(CATEGORIES), "each category can be judged without phrases and without running code"


@each_family
def test_both_solvers_agree_and_the_checker_tells_right_from_wrong(family: Family) -> None:
    for p in draws(family, 35):
        first, second = family.solve(p), family.again(p)
        assert accepted(family, p, first)
        assert accepted(family, p, second)
        if family.checker not in FREE:
            assert first == second
        case = family.case(p, 1)
        run = called if family.checker == "program" else None
        if not case.options.get("groups"):  # equal for all groups is right, whatever it is
            wrong = CHECKERS[family.checker].check(case.answer, case.options, case.texts(right=False), run)
            assert wrong.status == "fail"


# ------------------------------------------------------------------------------------------------- broken solvers
SWAPS = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.FloorDiv: ast.Mult, ast.Mod: ast.FloorDiv,
    ast.Lt: ast.GtE, ast.LtE: ast.Gt, ast.Gt: ast.LtE, ast.GtE: ast.Lt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.And: ast.Or, ast.Or: ast.And, ast.BitXor: ast.BitAnd,
}  # fmt: skip
NAMES = {"max": "min", "min": "max", "any": "all", "all": "any", "sorted": "list", "reversed": "list"}


def mutants(tree: ast.AST) -> Iterator[ast.AST]:
    """Copies with one mistake each."""
    for i, node in enumerate(ast.walk(tree)):
        changed = copy.deepcopy(tree)
        target = list(ast.walk(changed))[i]
        if isinstance(node, ast.BinOp | ast.BoolOp | ast.AugAssign) and type(node.op) in SWAPS:
            target.op = SWAPS[type(node.op)]()
        elif isinstance(node, ast.Compare) and type(node.ops[0]) in SWAPS:
            target.ops[0] = SWAPS[type(node.ops[0])]()
        elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
            target.value = not node.value
        elif isinstance(node, ast.Constant) and isinstance(node.value, int):
            target.value = node.value + 1
        elif isinstance(node, ast.IfExp):
            target.body, target.orelse = target.orelse, target.body
        elif isinstance(node, ast.Name) and node.id in NAMES:
            target.id = NAMES[node.id]
        elif isinstance(node, ast.Slice) and node.upper is not None:
            target.upper = None
        else:
            continue
        yield ast.fix_missing_locations(changed)


def source_of(family: Family, which: str) -> tuple[ast.Module, ast.AST]:
    """The module of a family, and the node of one of its solvers."""
    module = next(m for m in MODULES if family in m.FAMILIES)
    tree = ast.parse(inspect.getsource(module))
    call = next(
        node for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Family" and node.args[0].value == family.name
    )  # fmt: skip
    node = call.args[5 if which == "solve" else 6]
    if isinstance(node, ast.Name):
        node = next(x for x in tree.body if isinstance(x, ast.FunctionDef) and x.name == node.id)
    return module, node


def compiled(module: object, node: ast.AST) -> FunctionType:
    scope = dict(vars(module))
    if isinstance(node, ast.FunctionDef):
        exec(compile(ast.Module([node], []), "<mutant>", "exec"), scope)
        return scope[node.name]
    return eval(compile(ast.Expression(node), "<mutant>", "eval"), scope)


def noticed(family: Family, solver: FunctionType, which: str, sample: list[dict]) -> bool:
    """Whether the other solver, or the checker, disagrees on any of some cases."""
    other = family.again if which == "solve" else family.solve
    for p in sample:
        try:
            answer = solver(copy.deepcopy(p))
            if not (accepted(family, p, answer) if family.checker in FREE else answer == other(p)):
                return True
        except (ArithmeticError, LookupError, TypeError, ValueError, StopIteration, RecursionError, AttributeError):
            return True
    return False


@each_family
@pytest.mark.parametrize("which", ["solve", "again"])
def test_a_broken_solver_is_noticed_by_the_other(family: Family, which: str) -> None:
    module, node = source_of(family, which)
    sample = draws(family, 15)
    assert not noticed(family, compiled(module, node), which, sample), "as it is, nothing is wrong"
    broken = [m for m in mutants(node) if not loops(m)][:6]
    if not broken:  # a look-up without any operation: say something else in its place

        def other(p: dict) -> object:
            answer = getattr(family, which)(p)
            return f"{answer}\nx" if isinstance(answer, str) else answer + 1

        assert noticed(family, other, which, sample)
        return
    found = Counter(noticed(family, compiled(module, mutant), which, sample) for mutant in broken)
    assert found[True] >= 1, [ast.unparse(mutant) for mutant in broken]


def loops(tree: ast.AST) -> bool:
    """A mutant with a while loop might never end."""
    return any(isinstance(node, ast.While) for node in ast.walk(tree)) and not any(
        isinstance(node, ast.Compare) for node in ast.walk(tree)
    )


# ----------------------------------------------------------------------------------------------------- suites
def test_the_same_seed_gives_the_same_bytes_in_another_process() -> None:
    code = "from holdfast.systems.chatgpt_failures import Suite; print(Suite.default(3, 7).hash)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == Suite.default(3, 7).hash != Suite.default(3, 8).hash


def test_canonical_items_are_the_same_for_every_seed_and_fresh_ones_are_others() -> None:
    one, two = Suite.default(6, 1), Suite.default(6, 2)
    fixed = [{case.id for case in suite.cases if case.canonical} for suite in (one, two)]
    fresh = [{case.id for case in suite.cases if not case.canonical} for suite in (one, two)]
    assert fixed[0] == fixed[1]
    assert not fixed[0] & (fresh[0] | fresh[1])
    assert len(fresh[0] - fresh[1]) > 0.8 * len(fresh[0])


def test_suites_come_back_from_files(tmp_path) -> None:
    suite = Suite.default(2, categories=["bias", "logic"])
    suite.to_jsonl(tmp_path / "suite.jsonl")
    assert Suite.from_jsonl(tmp_path / "suite.jsonl") == suite
    assert {case.category for case in suite.cases} == {"bias", "logic"}
    assert {case.difficulty for case in Suite.default(5, difficulty=4, canonical=0).cases} == {4}


def test_wrong_suites_are_refused(tmp_path) -> None:
    for settings in ({"categories": ["logics"]}, {"n_per_family": 0}, {"difficulty": 6}, {"canonical": -1}):
        with pytest.raises(InputError):
            Suite.default(**settings)
    case = Suite.default(1, canonical=0).cases[0]
    with pytest.raises(InputError, match="once"):
        Suite((case, case))
    for text in ("", "{}\n", "[1]\n", "no json\n"):
        (tmp_path / "x.jsonl").write_text(text)
        with pytest.raises(InputError):
            Suite.from_jsonl(tmp_path / "x.jsonl")
    with pytest.raises(InputError):
        Suite.from_jsonl(tmp_path / "nosuch.jsonl")


def test_a_family_of_ones_own_is_checked_before_it_is_used() -> None:
    def family(again: object, category: str = "other") -> Family:
        return Family(
            "double", category, "mine", lambda rng, n: {"x": rng.randrange(10**n)}, lambda p: f"Twice {p['x']}?",
            lambda p: 2 * p["x"], again,
        )  # fmt: skip

    good = family(lambda p: p["x"] + p["x"])
    assert len(Suite.default(4, families=[good], canonical=1).cases) == 5
    for bad in (family(lambda p: p["x"]), family(lambda p: p["x"] + p["x"], "others")):
        with pytest.raises(InputError):
            check_family(bad)
        with pytest.raises(InputError):
            Suite.default(4, families=[bad])


def test_a_family_that_has_no_more_cases_gives_fewer() -> None:
    few = Family(
        "few", "other", "", lambda rng, n: {"x": rng.randrange(3)}, lambda p: "?", lambda p: p["x"], lambda p: p["x"]
    )
    assert len(Suite.default(40, families=[few], canonical=1).cases) == 3
