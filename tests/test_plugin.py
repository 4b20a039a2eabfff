"""The plugin of CONTRIBUTING.md, made outside the repository from the text itself, listed, run and decided."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

TEXT = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")
BLOCK = re.compile(r'^```\w+ title="([^"]+)"\n(.*?)^```$', re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package and what an installer would have written beside it."""
    folder = tmp_path_factory.mktemp("a plugin")
    files = dict(BLOCK.findall(TEXT))
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    install(folder, tomllib.loads(files["pyproject.toml"])["project"])
    return folder


def install(folder: Path, project: dict) -> None:
    info = folder / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    points = "".join(
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in entries.items())
        for group, entries in project["entry-points"].items()
    )
    (info / "entry_points.txt").write_text(points)


def holdfast(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "holdfast", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
    return done


def test_the_listing_has_the_four_files() -> None:
    names = [name for name, _ in BLOCK.findall(TEXT)]
    package = "holdfast_medians"
    assert names == ["pyproject.toml", f"{package}/__init__.py", f"{package}/card.toml", f"{package}/experiment.py"]


def test_it_is_listed_and_shown(plugin: Path) -> None:
    listed = holdfast(plugin, "list").stdout
    assert re.search(r"^medians .*\[plugin holdfast-medians\]$", listed, re.MULTILINE)
    assert re.search(r"^adamatch ", listed, re.MULTILINE), "the built-in systems stay"
    assert "The median against the mean: an example" in holdfast(plugin, "show", "medians").stdout


def test_its_smoke_runs(plugin: Path) -> None:
    holdfast(plugin, "run", "medians", "--scale", "smoke")
    results = read(plugin, "smoke")
    assert results["trials"] == 2
    assert results["failed"] == []


def test_its_claim_is_decided_on_eight_replicates(plugin: Path) -> None:
    told = holdfast(plugin, "run", "medians").stdout
    (verdict,) = read(plugin, "demo")["verdicts"]
    assert verdict["verdict"] == "holds"
    assert verdict["n"] == 8
    assert verdict["interval"][0] > 0
    assert "holds  median is better than mean" in told
    page = plugin / "holdfast-runs" / "medians" / "demo" / "page.html"
    assert "median is better than mean" in page.read_text(encoding="utf-8")


def test_a_broken_plugin_is_named_and_hides_nothing(plugin: Path, tmp_path: Path) -> None:
    (tmp_path / "holdfast_broken").mkdir()
    (tmp_path / "holdfast_broken" / "__init__.py").touch()
    (tmp_path / "holdfast_broken" / "card.toml").write_text('id = "broken"\n')
    points = {"holdfast.systems": {"broken": "holdfast_broken"}}
    install(tmp_path, {"name": "holdfast-broken", "version": "0.1", "entry-points": points})
    listed = holdfast(tmp_path, "list")
    assert re.search(r"^adamatch ", listed.stdout, re.MULTILINE)
    assert "cannot be used: broken: " in listed.stderr


def read(plugin: Path, scale: str) -> dict:
    return json.loads((plugin / "holdfast-runs" / "medians" / scale / "results.json").read_text(encoding="utf-8"))
