"""Which run is meant by what a user types: a folder, a file in it, a ledger file, a system of the catalogue."""

from __future__ import annotations

from pathlib import Path

from holdfast import catalogue, ledger
from holdfast.errors import InputError
from holdfast.report.entries import SCALE
from holdfast.trials import runfolder
from holdfast.trials.results import Results

RULE = "must be the folder of a run, a file in it, a ledger file, or SYSTEM or SYSTEM/SCALE for what the ledger holds"


def find(name: str) -> Results:
    """The run that a name stands for.

    Args:
        name: a folder that `holdfast run` wrote, or its page, store or JSON; a ledger file, also of another commit or
            machine; or the id of a system, with or without a scale ("adamatch", "adamatch/demo"), for its ledger. What
            exists as a path is taken for one.

    Raises:
        HoldfastError: there is no such run, or a file of it is damaged.
    """
    path = Path(name)
    if runfolder.is_run(path):
        return runfolder.read(path.absolute())
    if path.is_file():
        beside = path.name in (runfolder.RUN, runfolder.STORE, runfolder.NUMBERS, runfolder.PAGE)
        return runfolder.read(path.parent.absolute()) if beside else ledger.results_from(path.absolute())
    found = _ledger_of(name)
    if found is None:
        what = "a folder without one" if path.is_dir() else "nothing there"
        raise InputError(name, RULE, what)
    return found


def _ledger_of(name: str) -> Results | None:
    """The ledger of `SYSTEM` or `SYSTEM/SCALE`; None where no system has that name."""
    word, _, scale = name.partition("/")
    system = next((s for s in catalogue.find().systems.values() if word in s.commands), None)
    if system is None:
        return None
    results = ledger.as_results(system, scale or SCALE)
    if results is None:
        told = f"`holdfast run {system.id}` makes a run of one's own"
        raise InputError(name, f"must have a ledger at scale {scale or SCALE}; {told}", "none")
    return results
