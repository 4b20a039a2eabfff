"""What every system of the catalogue must have and do. A new folder under systems/ is tested without a line here."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import itertools
import json
import os
import random
import re
import resource
import shlex
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer

from holdfast import catalogue, ledger
from holdfast.canonical import canonical
from holdfast.catalogue import System
from holdfast.estimator import Estimator
from holdfast.experiment import Experiment, Record, declaration
from holdfast.experiment.claims import Claim
from holdfast.experiment.claims import check as check_claim
from holdfast.ledger.freezing import configurations
from holdfast.report.overview import SCALE, refreshed
from holdfast.testing.comparisons import disturb_global_generators
from holdfast.testing.estimator_checks import checks_for
from holdfast.trials.campaign import Campaign
from holdfast.trials.plan import ExperimentSource
from holdfast.trials.results import Results
from houserules import (
    EXCEPTIONS,
    WITHOUT_BROKEN_ARM,
    limits_of,
    lines_of,
    loose_files,
    method_files,
    sources,
    written_words,
)

ROOT = Path(__file__).parents[1]
FOLDERS = sorted(path.name for path in catalogue.BUILT_IN.iterdir() if (path / "__init__.py").is_file())
FOUND = catalogue.find()
SYSTEMS = [s for s in (*FOUND.systems.values(), *FOUND.drafts.values()) if s.origin == "built in"]
FINISHED = [system for system in SYSTEMS if not system.card.draft]
HEADINGS = [
    "What it is for",
    "On your own data",
    "The method",
    "Details that matter",
    "Results against the paper",
    "Speed",
    "References",
]
SMOKE_S = 3.0
FIRST_S = 20.0
LEDGER_BYTES = 500_000

each_system = pytest.mark.parametrize("system", SYSTEMS, ids=[system.id for system in SYSTEMS])
each_finished = pytest.mark.parametrize("system", FINISHED, ids=[system.id for system in FINISHED])


def modules_of(system: System) -> Iterator[ModuleType]:
    """All modules of a room, those of its sub-packages too."""
    for path in sources(system.folder):
        parts = path.relative_to(system.folder).with_suffix("").parts
        yield importlib.import_module(".".join([system.package, *(p for p in parts if p != "__init__")]))


def public(system: System) -> dict[str, object]:
    """Exported names, also of packages that import them on use only."""
    package = importlib.import_module(system.package)
    names = getattr(package, "__all__", None) or [name for name in vars(package) if not name.startswith("_")]
    found = {name: getattr(package, name) for name in names}
    return {name: value for name, value in found.items() if not inspect.ismodule(value)}


def estimators_of(system: System) -> list[type[Estimator]]:
    return [
        c
        for c in public(system).values()
        if inspect.isclass(c) and issubclass(c, Estimator) and not inspect.isabstract(c)
    ]


# -------------------------------------------------------------------------------------------------- what must be there
def test_every_folder_is_a_system() -> None:
    found = catalogue.find()
    assert {name: found.broken[name] for name in FOLDERS if name in found.broken} == {}
    assert sorted(system.id for system in SYSTEMS) == FOLDERS
    assert SYSTEMS


@each_system
def test_card_is_complete(system: System) -> None:
    card = catalogue.read_card(system.folder / "card.toml")
    assert card.id == system.folder.name
    assert card.arxiv or card.venue, "say where the paper was published"
    english, chinese = (" ".join(_words(text.model_dump())) for text in (card.texts.en, card.texts.zh))
    assert not re.search("[\u4e00-\u9fff]", english)
    assert len(re.findall("[\u4e00-\u9fff]", chinese)) > 50
    assert re.search("[\u4e00-\u9fff]", card.texts.zh.task)
    assert len(card.texts.en.points) == len(card.texts.zh.points), "both languages make the same points"


def test_a_task_has_the_same_words_in_every_card() -> None:
    """The digest groups systems by task, in both languages."""
    said = {(system.card.task, system.card.texts.zh.task) for system in SYSTEMS}
    assert len(said) == len({english for english, _ in said}) == len({chinese for _, chinese in said})


def _words(fields: dict[str, object]) -> Iterator[str]:
    for value in fields.values():
        yield from (value if isinstance(value, tuple) else [str(value)])


@each_finished
def test_every_part_of_a_system_is_there(system: System) -> None:
    wanted = {
        "docs page": ROOT / "docs" / "systems" / f"{system.id}.md",
        "benchmark": ROOT / "benchmarks" / f"{system.id}.py",
        "plan": ledger.plan_path(system, SCALE),
        "ledger": ledger.ledger_path(system, SCALE),
    }
    missing = {name: str(path.relative_to(ROOT)) for name, path in wanted.items() if not path.is_file()}
    assert missing == {}
    folder = system.folder / "experiment"
    assert folder.with_suffix(".py").is_file() or (folder / "__init__.py").is_file()
    assert method_files(system.folder), "the paper's mathematics are in method.py"
    assert system.card.first is not None, "say in [first] what a new user runs first"
    assert list((ROOT / "tests" / "systems" / system.id).glob("test_*.py")), "a system has tests of its own"


@each_system
def test_public_names_are_chosen_and_every_module_says_what_it_is(system: System) -> None:
    names = public(system)
    assert names, "export the public names in __init__.py"
    assert [name for name, value in names.items() if callable(value) and not inspect.getdoc(value)] == []
    assert [m.__name__ for m in modules_of(system) if not (m.__doc__ or "").strip()] == []


@each_finished
def test_docs_page_has_the_headings_and_is_fresh(system: System) -> None:
    page = ROOT / "docs" / "systems" / f"{system.id}.md"
    text = page.read_text(encoding="utf-8")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == HEADINGS
    assert f"<!-- verdicts {system.id} -->" in text
    assert f"<!-- first {system.id} -->" in text
    again = f"python -m holdfast.report.overview {page.relative_to(ROOT)}"
    assert refreshed(text, page.parent) == text, f"out of date: {again}"


@each_finished
def test_a_room_stays_small(system: System) -> None:
    limits, page = limits_of(system), (ROOT / "docs" / "systems" / f"{system.id}.md").read_text(encoding="utf-8")
    measured = {
        "lines": sum(map(lines_of, sources(system.folder))),
        "lines of a file of its method": max(map(lines_of, method_files(system.folder)), default=0),
        "files at its top": len(loose_files(system.folder)),
        "verbs": len(verbs_of(system)),
        "written words of its docs page": written_words(page),
        "seconds of trials in its ledger": ledger.trial_seconds(ledger.read_ledger(system, SCALE) or {"records": []}),
    }
    allowed = (limits.lines, limits.method_lines, limits.loose_files, limits.verbs, limits.words, limits.ledger_seconds)
    over = {name: (n, most) for (name, n), most in zip(measured.items(), allowed, strict=True) if n > most}
    assert over == {}, f"(now, at most); see tests/houserules.py, {loose_files(system.folder)}"


def test_exceptions_are_for_rooms_that_are_there_and_have_reasons() -> None:
    named = {*EXCEPTIONS, *WITHOUT_BROKEN_ARM}
    assert named <= set(FOLDERS)
    assert all([*(e.why for e in EXCEPTIONS.values()), *WITHOUT_BROKEN_ARM.values()])


def verbs_of(system: System) -> list[str]:
    if not system.has_cli:
        return []
    group: Any = typer.main.get_command(system.cli())
    return sorted(name for name, command in group.commands.items() if not command.hidden)


@each_finished
def test_the_ledger_is_small(system: System) -> None:
    for path in sorted(system.ledger.glob("*.json")):
        assert path.stat().st_size <= LEDGER_BYTES, path


@each_finished
def test_the_first_command_works_on_a_file_of_ones_own(system: System, tmp_path: Path) -> None:
    first = system.card.first
    assert first is not None
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "COLUMNS": "100"}
    environment.pop("HOLDFAST_DATA", None)

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *words], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=280
        )

    made = run("-c", first.sample)
    assert made.returncode == 0, made.stderr
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = run("-m", "holdfast", *shlex.split(first.command)[1:])
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stderr
    result = tmp_path / first.result
    assert (result.is_file() and result.stat().st_size) if first.result else done.stdout.strip()
    # Processor time of the one process, so that a busy machine makes no difference.
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert seconds <= FIRST_S, f"{seconds:.1f} s"


# ---------------------------------------------------------------------------------------------------------- estimators
CHECKS = [
    pytest.param(check, id=f"{system.id}-{cls.__name__}-{name}")
    for system in SYSTEMS
    for cls in estimators_of(system)
    for name, check in checks_for(cls)
]


@pytest.mark.parametrize("check", CHECKS)
def test_estimator_keeps_the_contract(check: Callable[[], None]) -> None:
    check()


# ---------------------------------------------------------------------------------------------------------- experiment
@each_system
def test_declarations_fit_together(system: System) -> None:
    experiment = system.experiment
    assert {"smoke", "demo", "small", "full"} <= set(experiment.scales)
    for claim in experiment.claims:
        check_claim(claim, experiment)
    headlines = [claim for claim in experiment.claims if claim.role == "headline"]
    assert len(headlines) == 1
    assert headlines[0].published, "the headline names what was published"
    assert headlines[0].source, "and where"
    shipped = {experiment.problems[name].source for name in headlines[0].problems} & {"package", "generated"}
    assert shipped, "a headline claim needs a problem that everybody has"
    assert any(claim.role == "control" for claim in experiment.claims)
    for name, scale in experiment.scales.items():
        declaration(experiment, name)  # raises if anything has no form in JSON, and so no identity
        assert set(scale.arms or ()) <= set(experiment.arms)
        assert set(scale.problems or ()) <= set(experiment.problems)
    for name, problem in experiment.problems.items():
        assert problem.describe().strip(), name
        assert problem.source != "file" or problem.how_to_get, f"{name}: say how to get the file"


def without_words(claim: Claim) -> Any:
    """What a claim tests, apart from what it is printed as."""
    plain = dataclasses.replace(claim, role="secondary", expect="", text="", scope="", published="", source="")
    return plain.declaration()


def broken_variants(experiment: Experiment) -> Iterator[str]:
    """Arms that stand in the method's place in a control which must not be found, the headline's claim otherwise."""
    headline = next(claim for claim in experiment.claims if claim.role == "headline")
    for control in experiment.claims:
        if control.expect != "not found":
            continue
        told = without_words(control)
        for method, broken in itertools.product(headline.arms, control.arms):
            asked = without_words(headline)
            replaced = json.loads(json.dumps(asked).replace(json.dumps(method), json.dumps(broken)))
            world = {"requires": asked["requires"]}  # a precondition may be about the world, which stays as it is
            if broken not in headline.arms and told in (replaced, replaced | world):
                yield broken


@each_finished
def test_the_headline_is_put_to_a_broken_variant_of_the_method(system: System) -> None:
    assert list(broken_variants(system.experiment)) or system.id in WITHOUT_BROKEN_ARM


@each_system
def test_every_arm_is_tuned_as_much(system: System) -> None:
    experiment = system.experiment
    spaces = {name: arm for name, arm in experiment.arms.items() if arm.space}
    assert not spaces or experiment.tuning is not None
    for name, arm in spaces.items():
        tried = configurations(name, arm, experiment.tuning.configurations)
        assert len({repr(canonical(configuration)) for configuration in tried}) == experiment.tuning.configurations


def smoke(system: System, folder: Path) -> Results:
    return Campaign(ExperimentSource(system.id), "smoke", folder, first=0).run()


@each_system
def test_smoke_runs_fast_and_gives_the_same_numbers_twice(system: System, tmp_path: Path) -> None:
    first = smoke(system, tmp_path / "first")
    assert [record.error for record in first.failed] == []
    assert first.finished
    measured = {name for record in first.finished for name in record.scalars}
    assert measured == set(system.experiment.metrics), "smoke measures every declared metric"
    disturb_global_generators(random.randrange(2**31))
    start = time.process_time()  # of this process, so that a busy machine makes no difference
    second = smoke(system, tmp_path / "second")
    seconds = time.process_time() - start
    assert [numbers(record) for record in second.finished] == [numbers(record) for record in first.finished]
    assert seconds <= SMOKE_S, f"{seconds:.1f} s"


def numbers(record: Record) -> dict[str, object]:
    return {
        "of": (record.arm, record.problem, dict(record.point), record.replicate),
        "scalars": record.scalars,
        "curves": record.curves,
        "per_unit": record.per_unit,
    }


# -------------------------------------------------------------------------------------------------------------- ledger
def frozen_scales(system: System) -> list[str]:
    plans = sorted(system.ledger.glob("*.plan.json")) if system.ledger.is_dir() else []
    return [path.name.removesuffix(".plan.json") for path in plans]


@each_finished
def test_ledger_is_that_of_the_declared_experiment(system: System) -> None:
    states = {scale: ledger.state(system, scale) for scale in {SCALE, *frozen_scales(system)}}
    for scale, state in states.items():
        if state == "older code":
            warnings.warn(f"{system.id}, {scale}: the ledger was measured with older code", stacklevel=1)
    assert {scale: s for scale, s in states.items() if s in ("stale", "edited")} == {}
    assert states[SCALE] in ("current", "older code")


@each_system
def test_own_data_is_refused_in_words_where_the_task_has_none(system: System) -> None:
    experiment: Experiment = system.experiment
    if experiment.own is None:
        with pytest.raises(catalogue.InputError, match="--on"):
            ExperimentSource(system.id, ("x",)).load()
    else:
        with pytest.raises(catalogue.InputError):
            ExperimentSource(system.id, ("no", "such", "path")).load()
