"""What is looked at: pages that the commands of holdfast write about a system with everything in it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import holdfast

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SITE = ROOT / "site"
NAME = "showcase"


@dataclass(frozen=True)
class Subjects:
    """The pages under test.

    Attributes:
        run: of a frozen run with verdicts of every kind, failed trials and artifacts.
        explored: of a run on pilots that was restricted to two arms.
        comparison: of these two and a third.
        digest: of the catalogue with the plugin in it.
    """

    run: Path
    explored: Path
    comparison: Path
    digest: Path

    @property
    def reports(self) -> dict[str, Path]:
        """Name -> page."""
        return {"run": self.run, "explored": self.explored, "comparison": self.comparison, "digest": self.digest}


def made(folder: Path) -> Subjects:
    """Install the showcase as a plugin in a repository of its own, run it, and write every page about it."""
    shutil.copytree(HERE / NAME, folder / NAME, ignore=shutil.ignore_patterns("__pycache__"))
    metadata = folder / f"{NAME}-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {NAME}\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[holdfast.systems]\n{NAME} = {NAME}\n")
    (folder / ".gitignore").write_text("__pycache__/\nout/\n")
    out = folder / "out"
    _git(folder, "init", "-q")
    _commit(folder)
    _holdfast(folder, "run", NAME, "--scale", "demo", "--out", "out/explored")
    _holdfast(folder, "freeze", NAME, "--scale", "small")
    _commit(folder)
    _holdfast(folder, "run", NAME, "--scale", "small", "--ledger", "--out", "out/run")
    _holdfast(folder, "run", NAME, "--scale", "demo", "--replicates", "6", "--out", "out/short")
    pages = ["out/run", "out/explored", "out/short"]
    _holdfast(folder, "report", *pages, "--out", "out/comparison.html")
    _holdfast(folder, "digest", "--out", "out/digest")
    written = [out / "run" / "page.html", out / "explored" / "page.html", out / "comparison.html"]
    return Subjects(*written, out / "digest" / "index.html")


def site() -> list[Path]:
    """Every page of the documentation's site, once `make docs` has built it."""
    return sorted(SITE.rglob("*.html"))


def _holdfast(folder: Path, *words: str) -> None:
    path = os.pathsep.join([str(folder), str(Path(holdfast.__file__).parents[1])])
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "holdfast", *words]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):  # 1: some trials failed, as they are meant to
        raise RuntimeError(f"holdfast {' '.join(words)} ended with {done.returncode}: {done.stderr or done.stdout}")


def _commit(folder: Path) -> None:
    _git(folder, "add", "-A")
    _git(folder, "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-qm", "a step")


def _git(folder: Path, *words: str) -> None:
    subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True)
