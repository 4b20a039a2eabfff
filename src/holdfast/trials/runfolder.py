"""The folder of a run: what it keeps besides its trials, so that the run can be shown again, also where it was killed.

`run.json` says what was run and which records belong to it; it is there before the first trial starts, with the keys
of all planned trials, and is written anew when the run has ended.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from holdfast import catalogue
from holdfast.decision import Verdict, decide_all
from holdfast.errors import HoldfastError, InputError
from holdfast.experiment import Experiment, Problem, Record, RecordTable, declaration
from holdfast.files import read_json, write_json
from holdfast.trials.campaign import claims_about
from holdfast.trials.plan import ExperimentSource, on_own_data
from holdfast.trials.results import Results
from holdfast.trials.store import Store

RUN, STORE, NUMBERS, PAGE = "run.json", "trials.sqlite", "results.json", "page.html"


@dataclass(frozen=True)
class Elsewhere(Problem):
    """The user's own data of a run that is shown where the data are not."""

    source: ClassVar[Literal["file"]] = "file"
    paths: tuple[str, ...]

    def available(self) -> bool:
        return False

    def describe(self) -> str:
        return f"{' '.join(self.paths)} (not on this machine)"


def begin(results: Results, source: ExperimentSource, keys: Sequence[str]) -> None:
    """Keep what is about to run.

    Args:
        results: without records and verdicts yet.
        keys: of all planned trials.
    """
    write_json(results.folder / RUN, {**_described(results, source), "keys": list(keys), "verdicts": None})


def keep(results: Results, source: ExperimentSource) -> None:
    """Keep what has run, for `read`."""
    verdicts = [verdict.to_json() for verdict in results.verdicts]
    keys = [record.key for record in results.records]
    write_json(results.folder / RUN, {**_described(results, source), "keys": keys, "verdicts": verdicts})


def _described(results: Results, source: ExperimentSource) -> dict[str, Any]:
    return {
        "source": [source.reference, list(source.own), list(source.columns), list(source.settings)],
        "scale": results.scale,
        "plan": dict(results.plan),
        "declaration": declaration(results.experiment, results.scale),
        "provenance": dict(results.provenance),
        "command": results.command,
        "pilot": results.pilot,
        "interrupted": results.interrupted,
    }


class _Written(BaseModel):
    """The kinds of values in the file; what is inside plan and declaration is looked at where it is used."""

    model_config = ConfigDict(strict=True)

    source: list[Any]
    scale: str
    keys: list[str]
    plan: dict[str, Any]
    declaration: dict[str, Any] = {}
    provenance: dict[str, str]
    command: str
    pilot: bool
    interrupted: bool


def is_run(folder: Path) -> bool:
    """Whether `holdfast run` has written here."""
    return (folder / RUN).is_file()


def read(folder: Path) -> Results:
    """A run as it was left. One that was killed is decided on what had finished.

    Raises:
        HoldfastError: the folder is no run's, a file of it is damaged, or its system is not installed.
    """
    path = folder / RUN
    if not path.exists():
        raise InputError("folder", "must be the folder of a run that `holdfast run` wrote", str(folder))
    content = read_json(path)
    try:
        _Written.model_validate(content)
        reference, own, *said = content["source"]
        system = catalogue.load(reference)
        experiment = _experiment(ExperimentSource(reference, tuple(own), *map(_pairs, said)))
        experiment.scales[content["scale"]]  # raises unless it is the name of one
        records = _records(folder, content["keys"])
        return Results(
            system=system.id,
            scale=content["scale"],
            experiment=experiment,
            records=records,
            verdicts=_verdicts(content, experiment, records),
            plan=content["plan"],
            declaration=content.get("declaration", {}),
            provenance=content["provenance"],
            command=content["command"],
            folder=folder,
            pilot=content["pilot"],
            interrupted=content["interrupted"],
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        if isinstance(error, HoldfastError):
            raise
        rule = "must be as holdfast wrote it; run again to restore it"
        raise InputError(str(path), rule, _reason(error)) from error


def _reason(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return repr(error)
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"


def _records(folder: Path, keys: Sequence[str]) -> list[Record]:
    if not (folder / STORE).is_file():
        raise InputError(str(folder / STORE), "must be there: it holds the run's trials")
    with Store(folder / STORE) as store:
        found = store.get(keys)
    return [found[key] for key in keys if key in found]


def _verdicts(content: Mapping[str, Any], experiment: Experiment, records: Sequence[Record]) -> list[Verdict]:
    if content["verdicts"] is not None:
        return [Verdict.from_json(v) for v in content["verdicts"]]
    scale = experiment.scales[content["scale"]]
    claims = claims_about(experiment, scale, {(r.arm, r.problem) for r in records})
    return decide_all(claims, RecordTable(records, experiment, scale), scale=scale)


def _experiment(source: ExperimentSource) -> Experiment:
    """The declarations; a stand-in for the user's own data where they cannot be read any more."""
    try:
        return source.load()
    except (HoldfastError, OSError):
        if not source.own:
            raise
    declared = ExperimentSource(source.reference).load()
    stand_in = dataclasses.replace(declared, own=lambda paths, columns, **settings: Elsewhere(source.own))
    return on_own_data(stand_in, source.own, dict(source.columns), dict(source.settings))


def _pairs(said: Sequence[Any]) -> tuple[tuple[str, str], ...]:
    """What `--column` or `--set` said."""
    return tuple((str(name), str(value)) for name, value in said)
