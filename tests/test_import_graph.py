"""Who may import whom, read from the sources; and what starts without the heavy libraries."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import holdfast

ROOT = Path(holdfast.__file__).parent
MODULES = {
    ".".join(["holdfast", *path.relative_to(ROOT).with_suffix("").parts]).removesuffix(".__init__"): path
    for path in sorted(ROOT.rglob("*.py"))
}
# Dependencies point one way (DESIGN, section 2): a room imports rooms of its own floor and of those below. What is not
# named here stands at the root of the package and carries everything.
FLOORS = {
    "ground": (
        "errors", "printable", "validation", "fields", "canonical", "files", "randomness", "devices", "unpacking",
        "own_model", "arithmetic", "compiled",
    ),
    "declarations": ("experiment", "catalogue", "claims"),
    "parts": (
        "data", "distributions", "layers", "losses", "metrics", "retrieval", "graphs", "language", "encoders", "sql",
        "sandbox", "training", "estimator", "baselines", "regressors", "verbs",
    ),
    "engine": ("decision", "trials", "ledger"),
    "pages": ("report", "testing"),
    "command": ("cli",),
}  # fmt: skip
FLOOR = {name: i for i, rooms in enumerate(FLOORS.values()) for name in rooms}
ENGINE = (*FLOORS["engine"], *FLOORS["pages"], *FLOORS["command"], "catalogue")
LIGHT = (
    "holdfast", "holdfast.catalogue", "holdfast.experiment", "holdfast.experiment.claims", "holdfast.cli",
    "holdfast.verbs",
)  # fmt: skip
HEAVY = ("torch", "numpy", "scipy", "pandas", "matplotlib", "sklearn")


def room(module: str) -> str:
    """ "trials" of holdfast.trials.plan, "adamatch" of holdfast.systems.adamatch.method, "" of holdfast itself."""
    parts = module.split(".")[1:]
    return parts[1] if parts[:1] == ["systems"] and len(parts) > 1 else "".join(parts[:1])


def running(nodes: list[ast.stmt]) -> Iterator[ast.AST]:
    """All nodes but those under `if TYPE_CHECKING`."""
    for node in nodes:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from running(node.orelse)
        else:
            yield from ast.walk(node)


def imports(module: str) -> set[str]:
    """Modules of holdfast that a module imports, in functions too."""
    path = MODULES[module]
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    found: set[str] = set()
    for node in running(ast.parse(path.read_text(encoding="utf-8")).body):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.rsplit(".", node.level - 1)[0] if node.level else ""
            base = ".".join(filter(None, [above, node.module]))
            inside = {f"{base}.{alias.name}" for alias in node.names}
            found.update(name if name in MODULES else base for name in inside)
    return {name for name in found if name.split(".")[0] == "holdfast"}


GRAPH = {module: imports(module) for module in MODULES}
SYSTEMS = {room(m) for m in MODULES if m.startswith("holdfast.systems.")}


def edges() -> Iterator[tuple[str, str]]:
    for module, imported in GRAPH.items():
        for name in sorted(imported):
            yield module, name


def test_the_graph_was_read() -> None:
    assert "holdfast.experiment" in GRAPH["holdfast.systems.adamatch.experiment"]
    assert "holdfast.trials.plan" in GRAPH["holdfast.trials.execute"]
    assert GRAPH["holdfast.experiment.claims.claim"] >= {"holdfast.canonical", "holdfast.errors"}
    assert "holdfast.experiment" not in GRAPH["holdfast.experiment.claims.claim"]  # for type checkers only
    assert {"adamatch"} <= SYSTEMS


def test_imported_modules_exist() -> None:
    assert not {(m, name) for m, name in edges() if name not in MODULES}


def test_nothing_outside_a_system_imports_it_and_no_system_another() -> None:
    into = [(m, name) for m, name in edges() if name.startswith("holdfast.systems.")]
    assert [(m, name) for m, name in into if not m.startswith("holdfast.systems.") or room(m) != room(name)] == []


def test_a_system_knows_no_executor_store_or_page() -> None:
    """But its commands may draw and write pages of their own, with the parts that every page is made of."""
    parts = ("canvas", "document", "html", "lettering", "mistakes", "panels", "svg", "wording")
    allowed = {f"holdfast.report.{part}" for part in parts}
    wrong = [
        (m, name)
        for m, name in edges()
        if m.startswith("holdfast.systems.") and room(name) in ENGINE and name not in allowed
    ]
    assert wrong == []


def test_every_room_is_on_a_floor() -> None:
    rooms = {room(m) for m in MODULES if not m.startswith("holdfast.systems")} - {"", "systems", "__main__"}
    assert rooms <= set(FLOOR)


def test_dependencies_point_down() -> None:
    """A shared part knows nothing of what runs it, nor the engine of pages and commands."""
    known = {(m, name) for m, name in edges() if room(m) in FLOOR and room(name) in FLOOR}
    assert sorted((m, name) for m, name in known if FLOOR[room(m)] < FLOOR[room(name)]) == []


@pytest.mark.parametrize("module", ["holdfast.errors", "holdfast.validation", "holdfast.canonical", "holdfast.files"])
def test_the_ground_floor_stands_on_errors_alone(module: str) -> None:
    assert GRAPH[module] <= {"holdfast.errors", "holdfast.printable"}


def test_the_engine_is_layered() -> None:
    """Deciding does not know how trials were run, nor running what is kept of it."""
    layers = {"decision": 0, "trials": 1, "ledger": 2}
    known = {(m, name) for m, name in edges() if room(m) in layers and room(name) in layers}
    assert [(m, name) for m, name in known if layers[room(m)] < layers[room(name)]] == []


@pytest.mark.parametrize("module", LIGHT)
def test_light_modules_import_no_heavy_library_at_their_top(module: str) -> None:
    """All that importing them runs, followed through holdfast."""
    todo, seen = [module], set[str]()
    while todo:
        name = todo.pop()
        if name in seen or name not in MODULES:
            continue
        seen.add(name)
        for node in ast.parse(MODULES[name].read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                tops = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module or ""]
                assert not [t for t in tops if t.split(".")[0] in HEAVY], f"{name} imports {tops}"
                todo.extend(tops)
                todo.extend(f"{top}.{alias.name}" for top in tops for alias in node.names)


def test_light_modules_start_without_heavy_libraries() -> None:
    code = f"import sys, json, {', '.join(LIGHT)}; print(json.dumps([m for m in {HEAVY!r} if m in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []
