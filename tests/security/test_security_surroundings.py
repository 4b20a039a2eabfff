"""What holdfast takes from its surroundings, and what it gives away: variables, plugins, permissions, secrets."""

from __future__ import annotations

import os
import shutil
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from fuzz.calling import call, obey_on_terminal
from fuzz.estimators import classes, fitted
from fuzz.hunt import obey
from fuzz.sandbox import toy_in
from fuzz.words import NASTY
from holdfast import catalogue
from holdfast.data.domainnet import DomainNet
from holdfast.data.location import data_folder
from holdfast.files import write_text
from holdfast.training.checkpoint import save_state
from security.poison import assert_no_controls
from toy_system import CARD

SECRET = "s3cr3t-of-the-environment"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home, a user and a secret, none of which belongs on a page."""
    folder = tmp_path / "home of somebody-private"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    for name in ("USER", "LOGNAME", "USERNAME"):
        monkeypatch.setenv(name, "somebody-private")
    for name in ("AWS_SECRET_ACCESS_KEY", "HF_TOKEN", "HOLDFAST_TOKEN", "OPENAI_API_KEY"):
        monkeypatch.setenv(name, SECRET)
    return folder


@pytest.mark.parametrize("fails", [False, True], ids=["a run", "a run that fails"])
def test_pages_hold_no_secrets(fails: bool, home: Path, attack: Any) -> None:
    counted = attack(
        "Secrets on pages",
        "home folder, user name and tokens in the environment, while trials end well or fail with a traceback; in every"
        " file of a run",
        "none of them is on a page, in the numbers or in the records; run.json and the command name the folders"
        " that were asked for",
    )
    with toy_in(home) as toy:
        if fails:
            toy.edit("Method(3.0)", "Method(3.0, fails_at=0)")
        ran = call(["run", toy.name, "--scale", "smoke", "--quiet", "--out", "run"])
        assert ran.code == int(fails), ran.err
        assert call(["digest", "--out", "site"]).code == 0
        assert call(["report", "run", "run", "--out", "both.html"]).code == 0
        for name in ("run/page.html", "run/results.json", "run/trials.sqlite", "site/index.html", "both.html"):
            content = (home / name).read_bytes().decode(errors="replace")
            for secret in (str(home), "somebody-private", SECRET):
                assert secret not in content, f"{secret} is in {name}"
            counted.again()
        assert SECRET not in (home / "run" / "run.json").read_text()


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_files_have_the_permissions_the_user_wants(umask: int, tmp_path: Path, attack: Any) -> None:
    counted = attack(
        "Permissions of what is written",
        "runs, pages, models and checkpoints under two umasks",
        "as the umask says; nothing can be executed, nobody else can write",
    )
    before = os.umask(umask)
    try:
        with toy_in(tmp_path) as toy:
            assert call(["run", toy.name, "--scale", "smoke", "--quiet", "--out", "run"]).code == 0
            assert call(["digest", "--out", "site"]).code == 0
        fitted(classes()[0][1])[0].save(tmp_path / "model")
        save_state(tmp_path / "state" / "x.safetensors", {"a": 1})
        write_text(tmp_path / "text" / "x.txt", "x")
    finally:
        os.umask(before)
    for part in ("run", "site", "model", "state", "text"):
        for path in [tmp_path / part, *(tmp_path / part).rglob("*")]:
            mode = stat.S_IMODE(path.stat().st_mode)
            assert mode & umask == 0, f"{path}: {mode:o}"
            assert mode & 0o022 == 0, f"{path}: {mode:o}"
            assert path.is_dir() or mode & 0o111 == 0, f"{path}: {mode:o}"
            counted.again()


def test_variables_of_nonsense(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, attack: Any) -> None:
    counted = attack(
        "Environment variables of nonsense", "HOLDFAST_DATA, COLUMNS, TERM, LANG", "shown as text, or data is missing"
    )
    for i, text in enumerate(NASTY):
        if "\0" in text or any("\ud800" <= c <= "\udfff" for c in text):
            continue  # no environment can hold them
        monkeypatch.setenv("HOLDFAST_DATA", text)
        assert obey(lambda: DomainNet().available()) == "accepted"
        assert obey(lambda: data_folder("x")) == "accepted"
        if i % 6 == 0:
            monkeypatch.setenv("TERM", text)
            assert obey_on_terminal(["doctor"]) == "accepted"
        counted.again()


# ------------------------------------------------------------------------------------------------------------- plugins
NAMES = (
    "../x",
    "os",
    "..",
    "a b",
    "x\x1b[31m",
    "list",
    "run",
    "adamatch",
    "x;y",
    "[/]",
    "<script>",
    "__main__",
    "sys:path",
)


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def install(name: str, value: str, card: str | None) -> None:
        for old in tmp_path.glob("*.dist-info"):
            shutil.rmtree(old)
        info = tmp_path / "ocean-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: ocean\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[holdfast.systems]\n{name} = {value}\n", encoding="utf-8")
        package = tmp_path / "ocean_package"
        package.mkdir(exist_ok=True)
        (package / "__init__.py").write_text("raise RuntimeError('imported')")
        if card is not None:
            (package / "card.toml").write_text(card, encoding="utf-8")
        catalogue.find.cache_clear()

    yield install
    catalogue.find.cache_clear()


def test_plugins_with_odd_ids_hide_nobody_and_lead_nowhere(plugin: Any, tmp_path: Path, attack: Any) -> None:
    counted = attack(
        "Plugins with odd ids and packages",
        "entry points called `../x`, `list`, `adamatch`, with escapes; that name `os`, no package, another id",
        "named as unusable in one line; the other systems are there",
    )
    cases = [(name, "ocean_package", CARD.replace("NAME", "ocean")) for name in NAMES]
    cases += [
        ("ocean", value, CARD.replace("NAME", "ocean"))
        for value in ("os", "os:path", "../x", "..x", "a.b.c", "no_such")
    ]
    cases += [("ocean", "ocean_package", card) for card in (None, "", CARD.replace("NAME", "other"))]
    for name, value, card in cases:
        (tmp_path / "ocean_package" / "card.toml").unlink(missing_ok=True)
        plugin(name, value, card)
        printed = call(["list"])
        assert printed.code == 0
        assert "adamatch" in printed.out
        assert "ocean" not in catalogue.find().systems
        assert_no_controls(printed.out + printed.err)
        assert len(catalogue.find().broken) <= 1
        counted.again()


def test_a_plugin_cannot_take_a_command_or_another_systems_name(plugin: Any, attack: Any) -> None:
    counted = attack("Plugins that take others' words", "command words of holdfast and of AdaMatch", "refused")
    for word in ("list", "run", "adamatch", "--help", "../x", ""):
        plugin("ocean", "ocean_package", f'commands = ["{word}"]\n{CARD.replace("NAME", "ocean")}')
        found = catalogue.find()
        assert "ocean" in found.broken
        assert found.systems["adamatch"].origin == "built in"
        counted.again()


def test_a_plugin_whose_parts_raise_is_one_line(tmp_path: Path, attack: Any) -> None:
    counted = attack(
        "Plugins that raise", "experiments and verbs that raise anything at import", "one line, exit code 2"
    )
    with toy_in(tmp_path) as toy:
        for code in (
            "raise ImportError('no\\x1b[31m hull')",
            "import no_such_module",
            "raise ValueError('x\\ny')",
            "1/0",
            "x =",
        ):
            toy.experiment_file.write_text(code)
            (toy.package / "cli.py").write_text(code)
            toy.reload()
            for line in (
                ["run", toy.name],
                [toy.name],
                [toy.name, "fit"],
                ["freeze", toy.name],
                ["verdicts", toy.name, "--check"],
            ):
                with mock.patch.dict(sys.modules):
                    assert obey_on_terminal(line) in ("accepted", "refused")
                counted.again()
