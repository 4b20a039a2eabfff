"""Where numbers come from: code, machine, versions."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path

import holdfast
from holdfast.trials.plan import versions


def git(*arguments: str, folder: Path) -> str | None:
    """Output of a git command in a folder; None where there is no git, no repository, or the command fails."""
    try:
        done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def commit(folder: Path) -> str:
    """The commit that a folder is checked out at, with "-dirty" if files differ from it; "" outside a repository."""
    head = git("rev-parse", "HEAD", folder=folder)
    if head is None:
        return ""
    return f"{head}-dirty" if git("status", "--porcelain", folder=folder) else head


def machine() -> str:
    """Processor, cores and operating system, in a line."""
    processor = platform.processor() or platform.machine()
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                processor = line.partition(":")[2].strip()
                break
    except OSError:  # not Linux: platform's word has to do
        processor = platform.processor() or platform.machine()
    return f"{processor}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}"


def all_versions() -> dict[str, str]:
    """Versions of holdfast, Python and the numerical libraries."""
    return {"holdfast": holdfast.__version__, **versions(), "python": platform.python_version()}
