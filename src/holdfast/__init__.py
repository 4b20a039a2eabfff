"""holdfast: machine-learning papers as parts, tools and tested claims.

>>> import holdfast
>>> "adamatch" in holdfast.list_systems()
True
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from holdfast.catalogue import System

__version__ = "0.1.0"


def list_systems() -> list[str]:
    """The ids of all systems, built in and plugins, in alphabetical order. Imports no system."""
    from holdfast import catalogue

    return sorted(catalogue.find().systems)


def load(system: str) -> System:
    """One system of the catalogue by its id: its card and, imported on use, its experiment and command line."""
    from holdfast import catalogue

    return catalogue.load(system)


__all__ = ["__version__", "list_systems", "load"]
