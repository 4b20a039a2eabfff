"""What is written stays inside the folder it was asked for, whatever the names in cards, experiments and archives."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from fuzz.calling import obey_on_terminal
from fuzz.estimators import classes, fitted
from fuzz.hunt import obey
from fuzz.kept import a_stage
from holdfast.catalogue import read_card
from holdfast.data.readers import read_npz
from holdfast.errors import HoldfastError, InputError
from holdfast.estimator import Estimator, Example, hub
from holdfast.estimator.modelfolder import Decoder
from holdfast.estimator.sklearn_models import load_sklearn
from holdfast.files import write_text
from holdfast.report.page import write_page
from holdfast.report.tables import to_json
from holdfast.trials.campaign import Campaign
from holdfast.trials.plan import ExperimentSource
from holdfast.trials.results import Results
from holdfast.trials.runfolder import NUMBERS, keep
from holdfast.trials.stages import Stages
from holdfast.trials.store import Store
from security.evil import NAMES
from toy_system import CARD

OUTSIDE = ("../x", "/etc/x", "..", ".", "", "a/b", "C:\\x", "C:x", "\\\\host\\x", "x\0", "file:///x", "~/x")
LINKS = ("javascript:alert(7)", " javascript:alert(7)", "data:text/html,x", "file:///etc/passwd", "//example.org",
         "http://example.org", "https://a b", "https://a\nb", "\x01https://a", "../x", "/x", "C:\\x")  # fmt: skip


def tree(folder: Path) -> dict[str, str]:
    """Every file below a folder with what is in it; links as links."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            found[str(path)] = f"-> {os.readlink(path)}"
        elif path.is_file():
            found[str(path)] = hashlib.sha256(path.read_bytes()).hexdigest()
        else:
            found[str(path)] = "folder"
    return found


# --------------------------------------------------------------------------------------------------------------- cards
def cards() -> Iterator[str]:
    """Cards in which every field that becomes a path, a word or a link names something outside."""
    card = CARD.replace("NAME", "toy")
    for text in OUTSIDE:
        yield CARD.replace('id = "NAME"', f"id = {json.dumps(text)}")
        yield f"commands = [{json.dumps(text)}]\n{card}"
    for text in (*OUTSIDE, "2106.04732/../x", "2106.04732#x", '2106.04732">', "２１０６.０４７３２"):
        if text:
            yield f"arxiv = {json.dumps(text)}\n{card}"
    for text in LINKS:
        yield f"{card}\n[reference]\nurl = {json.dumps(text)}\n"
    for field in ("figure", "path", "ledger", "experiment", "package", "file"):
        yield f'{field} = "../x"\n{card}'


def test_a_card_names_no_path_and_no_link_but_https(tmp_path: Path, attack: Any) -> None:
    counted = attack(
        "A card that names something outside",
        "absolute paths, `..`, drives, shares, `javascript:`, `data:`, `file:` in every field that becomes a path, a"
        " command word or a link, and in fields that do not exist",
        "refused in one line that names the field",
    )
    for card in cards():
        (tmp_path / "card.toml").write_text(card, encoding="utf-8")
        assert obey(lambda: read_card(tmp_path / "card.toml")) == "refused", card[:200]
        counted.again()


# ---------------------------------------------------------------------------------------------------------------- runs
def test_names_of_everything_in_an_experiment_stay_names(tmp_path: Path, attack: Any) -> None:
    counted = attack(
        "Names that are paths or SQL",
        "arms, problems, swept points, stages, curves, artifacts, units and scales called `../../x`, `/tmp/x`, `C:\\x`,"
        " `'; DROP TABLE`, with NUL, 300 characters long; a whole run of them",
        "all trials finish, all files lie in the run's folder",
    )
    folder = tmp_path / "a" / "b" / "run"
    results: Results = Campaign(source=ExperimentSource("security.evil:experiment"), scale="smoke", folder=folder).run()
    assert not results.failed, results.failed[0].error
    assert len(results.finished) == len(NAMES)
    keep(results, ExperimentSource("adamatch"))
    write_page(results, folder / "page.html")
    inside = set(tree(folder))
    assert {p for p in tree(tmp_path) if not p.startswith(str(folder))} == {
        str(tmp_path / "a"),
        str(tmp_path / "a" / "b"),
    }
    assert not Path("/tmp/outside").exists()
    again = Campaign(source=ExperimentSource("security.evil:experiment"), scale="smoke", folder=folder).run()
    assert {r.key: r.scalars for r in again.records} == {r.key: r.scalars for r in results.records}
    assert inside <= set(tree(folder))
    counted.again(len(results.finished))


PLANTED = {
    "page.html": "file", "results.json": "file", "run.json": "file", "trials.sqlite": "file", ".lock": "file",
    ".trials.sqlite.lock": "file", "trials.sqlite-wal": "file", "trials.sqlite-shm": "file",
    "trials.sqlite-journal": "file", "artifacts": "folder", "stages": "folder",
}  # fmt: skip


@pytest.mark.parametrize("dangling", [False, True], ids=["to something", "to nothing"])
def test_links_planted_in_a_run_folder_lead_nowhere(dangling: bool, tmp_path: Path, attack: Any) -> None:
    counted = attack(
        "Links planted in a run's folder",
        "each file and folder that a run writes is there already, as a link to something outside, or to nothing",
        "refused in one line, or the link is replaced; what it led to is untouched",
    )
    source = ExperimentSource("security.evil:experiment")

    def run(folder: Path) -> None:
        campaign = Campaign(source=source, scale="smoke", folder=folder, arms=NAMES[:1], problems=NAMES[:1])
        results = campaign.run()
        keep(results, ExperimentSource("adamatch"))
        write_text(folder / NUMBERS, to_json(results))
        write_page(results, folder / "page.html")

    for name, kind in PLANTED.items():
        target = tmp_path / "victims" / f"of {name}"
        target.parent.mkdir(exist_ok=True)
        if not dangling:
            target.write_text("precious") if kind == "file" else target.mkdir()
        folder = tmp_path / f"run {name}"
        folder.mkdir()
        (folder / name).symlink_to(target)
        before = tree(tmp_path / "victims")
        obey(lambda folder=folder: run(folder))  # type: ignore[misc]
        obey(lambda folder=folder: Store(folder / "trials.sqlite").close())  # type: ignore[misc]
        assert tree(tmp_path / "victims") == before, name
        counted.again()


def test_links_to_what_a_command_writes_are_replaced(tmp_path: Path, attack: Any) -> None:
    counted = attack(
        "Links planted where a page or model goes",
        "the digest's index.html, a page by `--out`, a model folder: links to something outside",
        "the link is replaced or refused; what it led to is untouched",
    )
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "file").write_text("precious")
    before = tree(victim)
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "index.html").symlink_to(victim / "file")
    assert obey_on_terminal(["digest", "--out", str(tmp_path / "site")]) == "accepted"
    (tmp_path / "model").symlink_to(victim)
    obey(lambda: fitted(classes()[0][1])[0].save(tmp_path / "model"))
    (tmp_path / "model2").mkdir()
    (tmp_path / "model2" / "config.json").symlink_to(victim / "file")
    obey(lambda: fitted(classes()[0][1])[0].save(tmp_path / "model2"))
    assert tree(victim) == before
    counted.again(3)


def test_only_files_are_replaced(tmp_path: Path, attack: Any) -> None:
    counted = attack(
        "A device in place of an output", "`--out` is a device or a pipe", "refused in one line; it is still there"
    )
    os.mkfifo(tmp_path / "pipe")
    for name in ("/dev/null", "/dev/full", "pipe"):
        path = tmp_path / name
        before = stat.S_IFMT(path.stat().st_mode)
        with pytest.raises(InputError, match="must be a file or a new name"):
            write_text(path, "x")
        assert stat.S_IFMT(path.stat().st_mode) == before
        counted.again()


# ------------------------------------------------------------------------------------------------------------ archives
MEMBERS = (
    "../../x.npy",
    "/tmp/holdfast-x.npy",
    "..\\x.npy",
    "C:\\x.npy",
    "a/../../x.npy",
    "x.npy/../../y.npy",
    "x\0y.npy",
)


def test_members_of_archives_are_never_unpacked(tmp_path: Path, attack: Any) -> None:
    counted = attack(
        "Members of archives with paths for names",
        "npz and skops files whose members are called `../../x`, `/tmp/x`, `C:\\x`, links among them",
        "read or refused in one line; nothing is unpacked",
    )
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    np.save(inner / "good.npy", np.zeros((2, 2)))
    content = (inner / "good.npy").read_bytes()
    for member in MEMBERS:
        for suffix in (".npz", ".skops"):
            path = inner / f"archive{suffix}"
            with zipfile.ZipFile(path, "w") as archive:
                about = zipfile.ZipInfo("x")
                about.filename = member
                about.external_attr = (stat.S_IFLNK | 0o777) << 16 if member.startswith("a/") else 0
                archive.writestr(about, content)
            before = tree(tmp_path)
            read = read_npz if suffix == ".npz" else load_sklearn
            obey(lambda read=read, path=path: read(path))  # type: ignore[misc]
            assert tree(tmp_path) == before
            counted.again()
    assert not Path("/tmp/holdfast-x.npy").exists()


class Scalers(Estimator):
    """Keeps a model per class; the classes' names are the user's."""

    def __init__(self, names: tuple[str, ...] = ()) -> None:
        self.names = names

    def fit(self, X: Any) -> Scalers:
        self.models_ = {name: StandardScaler().fit(X) for name in self.names}
        return self

    @classmethod
    def example(cls, rng: np.random.Generator) -> Example:
        return Example({"X": rng.random((4, 2))}, rng.random((2, 2)))


def test_a_model_folder_holds_its_own_files_only(tmp_path: Path, attack: Any) -> None:
    pytest.importorskip("skops")
    counted = attack(
        "Names of classes and files in a model folder that are paths",
        "classes called `../../x`, with a model each, saved and loaded; config.json that names files outside",
        "saved inside the folder under plain names; a foreign name is refused in one line",
    )
    names = tuple(n for n in NAMES if "\0" not in n)
    model = Scalers(names).fit(np.arange(8.0).reshape(4, 2))
    folder = tmp_path / "a" / "b" / "model"
    model.save(folder)
    assert {p for p in tree(tmp_path) if not p.startswith(str(folder))} == {
        str(tmp_path / "a"),
        str(tmp_path / "a" / "b"),
    }
    assert list(Scalers.load(folder).models_) == list(names)
    for outside in OUTSIDE:
        decoder = Decoder(folder, ("holdfast",))
        with pytest.raises(HoldfastError):
            decoder.decode({"$sklearn": outside}, "learned.x_")
    counted.again(len(names) + len(OUTSIDE))


def test_a_stage_and_the_hub_name_nothing_outside(tmp_path: Path, attack: Any) -> None:
    counted = attack(
        "A stage or hub repository that names something outside",
        "stage.json whose file lies elsewhere; repositories called `../x`, `/x/y`, `a/b/c`",
        "computed again; refused in one line",
    )
    stages = Stages(tmp_path / "run" / "stages")
    stages.get("world", a_stage, {"kind": "json"})
    (about,) = (tmp_path / "run" / "stages").glob("*/stage.json")
    secret = tmp_path / "secret.json"
    secret.write_text('"secret"')
    told = json.loads(about.read_text())
    for file in (str(secret), "../../../secret.json"):
        about.write_text(json.dumps({**told, "file": file, "sha256": hashlib.sha256(secret.read_bytes()).hexdigest()}))
        assert stages.get("world", a_stage, {"kind": "json"}) == {"w": [1, 2]}
        counted.again()
    for name in ("../x", "/x/y", "a/b/c", "a/..", "../..", "a", "a/b\0", "~/x"):
        with pytest.raises(InputError):
            hub.pull(name, tmp_path / "model", hub=tmp_path)
        counted.again()
    assert not (tmp_path / "model").exists()
