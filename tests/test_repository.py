"""What holds for every file: examples in README.md run, imports point one way, nothing of a workplace is left in."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from typer.main import get_command

from holdfast import catalogue, cli

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "holdfast"
FOLDERS = ("src", "tests", "docs", "benchmarks", "ledger", ".ci")
TEXT = {".py", ".md", ".toml", ".txt", ".json", ".j2", ".css", ".js", ".svg", ""}
# Written in pieces, so that this file is no exception.
FORBIDDEN = ["/" + "work/", "/tmp" + "/w/", "TO" + "DO", "FIX" + "ME", "X" + "XX"]
FORBIDDEN += ["pypi" + "-more", "py" + r"pi\.org", "python" + r"hosted\.org", "opt/" + "wheels", "except: " + "pass"]


PACKED = re.compile(r'"[A-Za-z0-9+/]{40,}={0,2}"')  # values per case in ledgers: any letters may follow each other


def texts() -> Iterator[tuple[Path, str]]:
    paths = [p for p in ROOT.iterdir() if p.is_file()]
    paths += [p for folder in FOLDERS for p in (ROOT / folder).rglob("*") if p.is_file()]
    for path in paths:
        hidden = any(part.startswith(".") and part != ".ci" for part in path.relative_to(ROOT).parts[:-1])
        if not hidden and path.suffix in TEXT and "__pycache__" not in path.parts:
            yield path, PACKED.sub('""', path.read_text(encoding="utf-8"))


def test_nothing_of_a_workplace_is_left_in() -> None:
    words = re.compile("|".join(FORBIDDEN))
    found = {f"{path.relative_to(ROOT)}: {match[0]}" for path, text in texts() for match in words.finditer(text)}
    assert found == set()


def test_links_between_pages_lead_somewhere() -> None:
    dead = [
        f"{path.relative_to(ROOT)}: {link}"
        for path, text in texts()
        if path.suffix == ".md"
        for link in re.findall(r"\]\((?!https?://|#)([^)#\s]+)", text)
        if not (path.parent / link).exists()
    ]
    assert dead == []


# ------------------------------------------------------------------------------------------------------------- imports
def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_no_system_imports_another_and_nothing_shared_imports_a_system() -> None:
    wrong = []
    for path in SOURCE.rglob("*.py"):
        parts = path.relative_to(SOURCE).parts
        own = f"holdfast.systems.{parts[1]}." if parts[0] == "systems" and len(parts) > 2 else "holdfast.systems._"
        wrong += [
            f"{path.relative_to(SOURCE)}: {name}"
            for name in imports(path)
            if name.startswith("holdfast.systems.") and not f"{name}.".startswith(own)
        ]
    assert wrong == []


def test_systems_know_nothing_of_running_and_reporting() -> None:
    """But for what draws and writes the pages of their own commands: see test_import_graph.py."""
    machinery = ("cli", "commands", "freeze", "ledger", "report", "decision", "catalogue")
    shared = ("data", "baselines", "encoders", "layers", "losses")
    parts = ("canvas", "document", "html", "lettering", "mistakes", "panels", "svg", "wording")
    drawing = tuple(f"holdfast.report.{part}." for part in parts)
    wrong = [
        f"{path.relative_to(SOURCE)}: {name}"
        for folder in ("systems", *shared)
        for path in (SOURCE / folder).rglob("*.py")
        for name in imports(path)
        if (
            name.startswith(tuple(f"holdfast.{m}." for m in machinery))
            and not (folder == "systems" and f"{name}.".startswith(drawing))
        )
        or (name.startswith("holdfast.trials.") and (folder in shared or name != "holdfast.experiment.run.Run"))
    ]
    assert wrong == []


# -------------------------------------------------------------------------------------------------------------- README
def test_the_python_example_runs(tmp_path: Path) -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```$", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    assert len(code.splitlines()) <= 10
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "photos.npz", x=rng.random((64, 1, 8, 8), np.float32), y=np.arange(64) % 3)
    np.save(tmp_path / "renders.npy", rng.integers(0, 256, (192, 1, 8, 8), np.uint8))
    shorter = code.replace("steps=2000", "steps=2")
    assert shorter != code
    done = subprocess.run(
        [sys.executable, "-c", shorter], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "model" / "model.safetensors").is_file()


def commands_in_the_documentation() -> set[str]:
    """Every line of a code block, and every code in a line, that starts with `holdfast `."""
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
    found: set[str] = set()
    for text in (page.read_text(encoding="utf-8") for page in pages):
        blocks = re.findall(r"^```$\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
        code = [line for block in blocks for line in block.splitlines()] + re.findall(r"(?<!`)`([^`\n]+)`", text)
        found |= {line.partition("#")[0] for line in code if re.match(r"holdfast [a-z]", line)}
    return found


def test_every_command_in_the_documentation_exists() -> None:
    main = get_command(cli.app.app)
    found = catalogue.find()
    systems = {word for system in (*found.systems.values(), *found.drafts.values()) for word in system.commands}
    used = commands_in_the_documentation()
    assert len(used) > 10
    for line in used:
        group, words = main, line.split()[1:]
        for word in words:
            if not hasattr(group, "get_command") or word.startswith("-"):
                break
            command = group.get_command(None, word)
            assert command is not None, line
            group = get_command(catalogue.load(word).cli()) if word in systems else command
        options = {option for word in words if (option := word.partition("=")[0]).startswith("--")}
        known = {name for parameter in group.params for name in parameter.opts}
        assert options <= known, line


# ----------------------------------------------------------------------------------------------------------- packaging
def test_every_direct_dependency_is_pinned_and_nothing_local_is() -> None:
    pins = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and not line.startswith("#")]
    assert [line for line in pins if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][0-9a-z.]*", line)] == []
    pinned = {name(line) for line in pins}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [
        *project["dependencies"],
        *(need for extra in project["optional-dependencies"].values() for need in extra),
    ]
    assert {name(need) for need in wanted} - pinned == {"holdfast"}


def name(requirement: str) -> str:
    return re.match(r"[A-Za-z0-9._-]+", requirement)[0].lower().replace("_", "-")


@pytest.mark.skipif(os.name == "nt", reason="make is for POSIX")
def test_make_explains_itself_and_a_too_old_python(tmp_path: Path) -> None:
    told = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert {"demo", "test", "test-all", "bench"} <= set(re.findall(r"^make (\S+)", told, re.MULTILINE))
    old = tmp_path / "python old"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo Python 3.9.1\nexit 1\n')
    old.chmod(0o755)
    copy = tmp_path / "a copy"
    copy.mkdir()
    for file in ("Makefile", "pyproject.toml", "constraints.txt"):
        (copy / file).write_text((ROOT / file).read_text())
    refused = subprocess.run(["make", "test", f"PYTHON={old}"], cwd=copy, capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "needs Python 3.11 or newer" in refused.stdout
    assert "Python 3.9.1" in refused.stdout
    assert not (copy / ".venv").exists()
