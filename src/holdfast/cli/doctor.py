"""What `holdfast doctor` finds out about an installation."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
from collections.abc import Iterator
from pathlib import Path

import holdfast
from holdfast import catalogue

EXTRAS = {
    "huggingface-hub": "hub",
    "jplephem": "science",
    "kornia": "vision",
    "lightgbm": "boosting",
    "sacrebleu": "mt",
    "skops": "sklearn",
    "torch-geometric": "graph",
}


def findings() -> Iterator[tuple[str, str]]:
    """(what, finding) pairs, in the order they are printed."""
    import torch

    yield "holdfast", holdfast.__version__
    yield "python", f"{platform.python_version()} on {platform.platform()}"
    for name in ("torch", "lightning-fabric", "numpy", "scipy", "scikit-learn"):
        yield name, _version(name) or "not installed"
    yield "cores, threads", f"{os.cpu_count()} cores, torch uses {torch.get_num_threads()} threads"
    yield "memory", _memory()
    if torch.cuda.is_available():
        for i in range(torch.cuda.device_count()):
            gib = torch.cuda.get_device_properties(i).total_memory / 2**30
            yield f"cuda:{i}", f"{torch.cuda.get_device_name(i)}, {gib:.0f} GiB"
    else:
        yield "cuda", "none: everything runs on the CPU"
    yield "free disk here", f"{shutil.disk_usage(Path.cwd()).free / 2**30:.1f} GiB"
    data = os.environ.get("HOLDFAST_DATA")
    yield "HOLDFAST_DATA", f"{data}{'' if os.path.isdir(data) else ' (no such folder)'}" if data else "not set"
    for package, extra in EXTRAS.items():
        yield package, _version(package) or f"not installed; pip install 'holdfast[{extra}]'"
    found = catalogue.find()
    yield "systems", f"{len(found.systems)}: {', '.join(sorted(found.systems))}"
    for name, why in found.broken.items():
        yield f"broken: {name}", " ".join(why.split())


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _memory() -> str:
    import psutil

    memory = psutil.virtual_memory()
    return f"{memory.available / 2**30:.1f} of {memory.total / 2**30:.1f} GiB free"
