"""Finding systems and reading their cards."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from holdfast import catalogue
from holdfast.catalogue import BUILT_IN, RESERVED, read_card
from holdfast.cli.app import app
from holdfast.errors import HoldfastError, InputError
from toy_system import CARD

Install = Callable[..., Path]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Installs a plugin as pip would: a package and the metadata of its distribution."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def install(name: str, card: str | None = CARD, *, package: str = "", distribution: str = "") -> Path:
        package = package or f"plugin_{name}"
        folder = tmp_path / package
        folder.mkdir(exist_ok=True)
        (folder / "__init__.py").write_text("raise RuntimeError('a plugin was imported')")
        if card is not None:
            (folder / "card.toml").write_text(card.replace("NAME", name), encoding="utf-8")
        info = tmp_path / f"{distribution or package}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution or package}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[holdfast.systems]\n{name} = {package}\n")
        catalogue.find.cache_clear()
        return folder

    yield install  # type: ignore[misc]
    catalogue.find.cache_clear()


def test_built_in_systems_are_found_by_every_command_word() -> None:
    ids = {folder.parent.name for folder in BUILT_IN.glob("*/card.toml")}
    assert "adamatch" in ids
    found = catalogue.find()
    assert ids <= {*found.systems, *found.drafts}
    assert not ids & set(found.broken)
    for system in (*found.systems.values(), *found.drafts.values()):
        assert all(catalogue.load(word) is system for word in system.commands)


def test_a_plugin_is_found_without_being_imported(install: Install) -> None:
    folder = install("kelp", CARD.replace('"NAME"', '"NAME"\ncommands = ["kelp", "sea-weed"]'), distribution="ocean")
    system = catalogue.load("sea-weed")
    assert (system.id, system.package, system.origin) == ("kelp", "plugin_kelp", "plugin ocean")
    assert (system.folder, system.ledger, system.has_cli) == (folder, folder / "ledger", False)
    assert system.commands == ("kelp", "sea-weed")
    assert (system.card.texts.zh.title, system.card.texts.zh.task) == ("玩具", "测试运行器")
    assert "plugin_kelp" not in sys.modules
    (folder / "cli.py").write_text("app = 'verbs'")
    (folder / "experiment.py").write_text("from toy_experiment import experiment")
    (folder / "__init__.py").write_text("")
    assert system.has_cli
    assert (system.cli(), system.experiment.question) == ("verbs", "Which number is larger?")


def test_broken_plugins_are_named_and_hide_nobody(install: Install) -> None:
    install("cardless", None)
    install("garbled", "id = ")
    install("wordy", CARD.replace('title = "Toy"', f'title = "{"x" * 201}"'))
    install("alias", CARD.replace("NAME", "other"))
    shutil.rmtree(install("gone"))
    install("sound")
    install("raising", package="plugin_sound.inner")  # looking for it imports what is above it
    found = catalogue.find()
    assert {"sound", "adamatch"} <= set(found.systems)
    assert set(found.broken) == {"cardless", "garbled", "wordy", "alias", "gone", "raising"}
    assert "must be a readable TOML file" in found.broken["garbled"]
    assert "card.toml: texts.en.title: " in found.broken["wordy"]
    assert "id: must be 'alias', the name it is found by; received other" in found.broken["alias"]
    assert "RuntimeError: a plugin was imported" in found.broken["raising"]
    with pytest.raises(InputError, match=r"garbled: cannot be used; received .*plugin_garbled/card\.toml"):
        catalogue.load("garbled")


def test_names_and_command_words_belong_to_whoever_was_first(install: Install) -> None:
    install("adamatch", distribution="impostor")
    install("abalone", CARD.replace('"NAME"', '"NAME"\ncommands = ["shell"]'))
    install("barnacle", CARD.replace('"NAME"', '"NAME"\ncommands = ["shell"]'))
    install("conch", CARD.replace('"NAME"', '"NAME"\ncommands = ["abalone"]'))
    install("anemone", CARD.replace('"NAME"', '"NAME"\ncommands = ["whelk"]'))
    install("whelk")
    found = catalogue.find()
    assert catalogue.load("adamatch").origin == "built in"
    assert catalogue.load("shell").id == "abalone"
    assert set(found.broken) == {"adamatch", "anemone", "barnacle", "conch"}
    assert catalogue.load("whelk").id == "whelk", "an id belongs to its system, whoever came first"
    assert "commands: 'shell' belongs to abalone" in found.broken["barnacle"]


@pytest.mark.parametrize("word", [*sorted(RESERVED), "Upper", "two words", "-dash", ""])
def test_reserved_and_odd_command_words(tmp_path: Path, word: str) -> None:
    card = tmp_path / "card.toml"
    card.write_text(CARD.replace('"NAME"', f'"toy"\ncommands = ["{word}"]'), encoding="utf-8")
    with pytest.raises(InputError, match=r"commands: .*is not a free command word"):
        read_card(card)


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ('"NAME"', '"run"', "id"),
        ('"NAME"', '"Toy"', "id"),
        ("year = 2020", 'year = "soon"', "year"),
        ("year = 2020", "year = 2020\narxiv = 'hep-th/1'", "arxiv"),
        ('areas = ["LG"]', "areas = []", "areas"),
        ('areas = ["LG"]', 'areas = ["XX"]', r"areas\.0"),
        ('source = "made up"', "", r"claims\.0\.source"),
        ('title = "玩具"', 'title = " "', r"texts\.zh\.title"),
        ('task = "测试运行器"\n', "", r"texts\.zh\.task"),
        ('task = "test', 'taks = "x"\ntask = "test', "taks"),
    ],
)
def test_errors_of_a_card_name_file_and_field(tmp_path: Path, old: str, new: str, field: str) -> None:
    card = tmp_path / "card.toml"
    assert old in CARD
    card.write_text(CARD.replace(old, new).replace("NAME", "toy"), encoding="utf-8")
    with pytest.raises(InputError, match=rf"card\.toml: {field}: "):
        read_card(card)


def test_an_unknown_system_gets_the_nearest_name() -> None:
    with pytest.raises(InputError, match="nearest: adamatch; received adamtach"):
        catalogue.load("adamtach")


def test_the_ledger_of_a_built_in_system_lies_in_the_repository() -> None:
    ledger = catalogue.load("adamatch").ledger
    assert (ledger.name, ledger.parent.name) == ("adamatch", "ledger")


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("1 / 0", r"experiment\.py, line 1: cannot be imported \(ZeroDivisionError: division by zero\)"),
        ("import sys; sys.exit(3)", r"experiment\.py, line 1: cannot be imported \(SystemExit: 3\)"),
        ("\nexperiment = ((", r"experiment\.py, line 2: cannot be imported \(SyntaxError: .* was never closed"),
        ("class E(BaseException): ...\nraise E('x')", r"line 2: cannot be imported \(E: x\); mend it, or uninstall"),
        ("", r"plugin_odd\.experiment: cannot be imported \(AttributeError: .* has no attribute 'experiment'\)"),
        ("experiment = 3", "plugin_odd.experiment: experiment must be an Experiment; received int"),
    ],
)
def test_an_experiment_that_cannot_be_imported_is_named(install: Install, code: str, said: str) -> None:
    folder = install("odd")
    (folder / "__init__.py").write_text("")
    (folder / "experiment.py").write_text(code)
    with pytest.raises(HoldfastError, match=said):
        _ = catalogue.load("odd").experiment
    for name in ("plugin_odd", "plugin_odd.experiment"):
        sys.modules.pop(name, None)


def test_metadata_that_cannot_be_read_hides_no_other_system(install: Install) -> None:
    install("sound")
    info = install("garbled").parent / "plugin_garbled-1.0.dist-info"
    (info / "entry_points.txt").write_bytes(b"[holdfast.systems\n\xff")
    catalogue.find.cache_clear()
    found = catalogue.find()
    assert {"adamatch", "sound"} <= set(found.systems)
    (why,) = (why for name, why in found.broken.items() if name.endswith("plugin_garbled-1.0.dist-info"))
    assert why.startswith("its metadata cannot be read")


def test_a_draft_is_counted_and_not_shown_but_can_be_run(install: Install, capsys: pytest.CaptureFixture[str]) -> None:
    before = set(catalogue.find().drafts)
    install("limpet", CARD.replace('"NAME"', '"NAME"\ndraft = true'))
    found = catalogue.find()
    assert "limpet" not in found.systems
    assert set(found.drafts) == {*before, "limpet"}
    assert catalogue.load("limpet").id == "limpet"
    done = CliRunner().invoke(app, ["list"])
    assert "limpet" not in done.stdout
    count = len(before) + 1
    assert f"not shown: {count} draft{'s' if count > 1 else ''} (not finished)" in done.output


def test_the_first_command_is_a_command_of_holdfast(tmp_path: Path) -> None:
    path = tmp_path / "card.toml"
    first = '\n[first]\ncommand = "holdfast kelp fit a.csv"\nsample = "print(1)"\n'
    path.write_text(CARD.replace("NAME", "kelp") + first)
    assert read_card(path).first.command == "holdfast kelp fit a.csv"
    for wrong in (
        first.replace("holdfast kelp", "rm -rf"),
        first.replace('"print(1)"', '""'),
        first + 'result = "a b"',
    ):
        path.write_text(CARD.replace("NAME", "kelp") + wrong)
        with pytest.raises(InputError, match="first"):
            read_card(path)


def test_authors_import_from_where_they_always_did() -> None:
    import holdfast.claims
    import holdfast.experiment
    import holdfast.trials.run

    assert holdfast.claims.Better is holdfast.experiment.Better
    assert set(holdfast.claims.__all__) >= {"Better", "NotTestable", "Region", "Log2"}
    assert holdfast.trials.run.Run is holdfast.experiment.Run
