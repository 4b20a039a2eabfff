"""A numpy-only system in a git repository of its own, for tests of plans, ledgers and commands."""

from __future__ import annotations

import importlib
import itertools
import os
import subprocess
import sys
from pathlib import Path

import pytest

from holdfast import catalogue
from holdfast.catalogue import Catalogue, System, read_card

CARD = """
id = "NAME"
title = "A toy"
authors = ["A. Uthor"]
year = 2020
areas = ["LG"]
task = "test the runner"
[texts.en]
title = "Toy"
sentence = "A toy."
points = ["one"]
use_when = "Never."
avoid_when = "Always."
[texts.zh]
title = "玩具"
task = "测试运行器"
sentence = "玩具。"
points = ["一"]
use_when = "从不。"
avoid_when = "总是。"
[[claims]]
claim = "It wins"
source = "made up"
"""

EXPERIMENT = """
from dataclasses import dataclass
from typing import ClassVar

from holdfast.experiment.claims import Better, Differs
from holdfast.experiment import Arm, Curve, Experiment, Metric, Problem, Scalar, Scale, Tuning


@dataclass(frozen=True)
class Draws(Problem):
    source: ClassVar[str] = "generated"

    def describe(self):
        return "normal draws"


@dataclass(frozen=True)
class Method:
    mean: float
    bonus: float = 0.0
    fails_at: int = -1


def trial(run):
    if run.replicate == run.arm.fails_at:
        raise ValueError("told to fail")
    noise = run.rng("split").normal() + 0.3 * run.rng("init").normal()
    value = run.arm.mean + run.arm.bonus + noise
    yield Curve("path", [0, 1], [0.0, value])
    yield Scalar("score", value)
    yield Scalar("validation", value - 1)


SPACE = {"bonus": (0.0, 1.0, -1.0)}
experiment = Experiment(
    question="Is three more than one?",
    problems={"p": Draws()},
    arms={
        "good": Arm(Method(3.0), space=SPACE),
        "bad": Arm(Method(1.0), space=SPACE),
        "level": Arm(Method(1.0), tuned_as="bad", reseed=1),
    },
    metrics={"score": Metric("points"), "validation": Metric("points")},
    scales={"smoke": Scale(replicates=1), "small": Scale()},
    claims=[
        Better("good", than="bad", metric="score", on="p", margin=1.0, role="headline"),
        Differs("bad", "level", metric="score", on="p", role="control", expect="not found"),
    ],
    trial=trial,
    tuning=Tuning(metric="validation", problem="p", configurations=3, pilots=2),
)
"""
_NUMBERS = itertools.count()


class ToySystem:
    """The system, its files, and the git commands a user would give."""

    def __init__(self, root: Path) -> None:
        self.name = f"toy{next(_NUMBERS)}"
        self.root, self.package = root, root / self.name
        self.package.mkdir()
        (self.package / "__init__.py").write_text("")
        (self.package / "card.toml").write_text(CARD.replace("NAME", self.name))
        self.experiment_file = self.package / "experiment.py"
        self.experiment_file.write_text(EXPERIMENT)
        (root / ".gitignore").write_text("__pycache__/\nruns/\n")
        self.git("init", "-q")
        self.commit("start")

    @property
    def system(self) -> System:
        return System(read_card(self.package / "card.toml"), self.name, self.package, "plugin toy")

    def git(self, *arguments: str) -> None:
        who = ("-c", "user.name=t", "-c", "user.email=t@example.org")
        subprocess.run(["git", *who, *arguments], cwd=self.root, check=True, capture_output=True)

    def commit(self, message: str) -> None:
        self.git("add", "-A")
        self.git("commit", "-qm", message)

    def edit(self, old: str, new: str) -> None:
        """Change the experiment and forget what was imported of it."""
        text = self.experiment_file.read_text()
        assert old in text
        self.experiment_file.write_text(text.replace(old, new))
        self.reload()

    def reload(self) -> None:
        from holdfast.trials import closure, plan

        for module in [m for m in sys.modules if m.split(".")[0] == self.name]:
            del sys.modules[module]
        importlib.invalidate_caches()
        closure.closure_hash.cache_clear()
        plan._load.cache_clear()


def installed(toy: ToySystem) -> tuple[list[str], dict[str, str]]:
    """The start of a command line, and an environment in which other processes find the toy."""
    dist = toy.root / f"{toy.name}-1.dist-info"
    dist.mkdir()
    (dist / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {toy.name}\nVersion: 1\n")
    (dist / "entry_points.txt").write_text(f"[holdfast.systems]\n{toy.name} = {toy.name}\n")
    paths = os.pathsep.join([str(toy.root), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": paths, "PYTHONUNBUFFERED": "1"}
    return [sys.executable, "-m", "holdfast"], environment


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ToySystem:
    """A fresh toy system, importable and the only one in the catalogue."""
    root = tmp_path / "with space"
    root.mkdir()
    made = ToySystem(root)
    monkeypatch.syspath_prepend(str(root))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # an edit within a second would be hidden by a stale .pyc
    monkeypatch.setattr(catalogue, "find", lambda: Catalogue({made.name: made.system}))
    monkeypatch.chdir(root)
    yield made
    made.reload()
