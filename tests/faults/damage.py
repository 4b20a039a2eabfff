"""Files that are truncated, emptied, hit by flipped bits, overwritten, or replaced by something else."""

from __future__ import annotations

import random
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from tests.faults.campaign import Scene, fault
from tests.faults.kills import AGAIN, LOADING, SAVING, frozen, kill_after, ledger
from tests.faults.workspace import Done, check

Damage = Callable[[Path, random.Random], None]


def truncated(path: Path, rng: random.Random) -> None:
    path.write_bytes(path.read_bytes()[: rng.randrange(path.stat().st_size)])


def flipped(path: Path, rng: random.Random) -> None:
    """One bit."""
    content = bytearray(path.read_bytes())
    content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    path.write_bytes(content)


def scrambled(path: Path, rng: random.Random) -> None:
    """A block of 512 bytes."""
    content = bytearray(path.read_bytes())
    start = rng.randrange(len(content))
    content[start : start + 512] = rng.randbytes(len(content[start : start + 512]))
    path.write_bytes(content)


def zeroed(path: Path, rng: random.Random) -> None:
    """As after a power cut on some file systems."""
    path.write_bytes(bytes(path.stat().st_size))


def emptied(path: Path, rng: random.Random) -> None:
    path.write_bytes(b"")


def overwritten(path: Path, rng: random.Random) -> None:
    path.write_text("This is a note that somebody saved under the wrong name.\n")


def made_a_folder(path: Path, rng: random.Random) -> None:
    path.unlink()
    path.mkdir()
    (path / "something").write_text("else")


def removed(path: Path, rng: random.Random) -> None:
    path.unlink()


KINDS: tuple[Damage, ...] = (
    truncated,
    flipped,
    scrambled,
    zeroed,
    emptied,
    overwritten,
    made_a_folder,
    removed,
    flipped,
)
HOW = "truncated, one bit, 512 bytes, zeroes, emptied, text, a folder, removed"


def kind(scene: Scene) -> Damage:
    """A different one each try."""
    return KINDS[scene.number % len(KINDS)]


def copy_of_a_run(scene: Scene) -> Path:
    """A finished run to be damaged."""
    return shutil.copytree(scene.finished, scene.work.runs / "out")


def away(path: Path) -> None:
    """What the message tells the user to do."""
    for found in path.parent.glob(f"{path.name}*"):
        shutil.rmtree(found) if found.is_dir() else found.unlink()


def reruns_after(scene: Scene, path: Path) -> str:
    """The run completes, at once or after the named file was moved away."""
    done = scene.work.run()
    if done.code == 0:
        done.completed()
        scene.work.same(scene.undisturbed)
        return AGAIN
    done.refused(str(path))
    away(path)
    scene.work.run().completed()
    scene.work.same(scene.undisturbed)
    return f"one line names the file; without it, {AGAIN}"


@fault("the store is damaged", HOW, tries=18)
def store_damaged(scene: Scene) -> str:
    path = copy_of_a_run(scene) / "trials.sqlite"
    kind(scene)(path, scene.rng)
    return reruns_after(scene, path)


@fault("the store's journal is damaged", f"the -wal or -shm that a killed run leaves: {HOW}", tries=9)
def journal_damaged(scene: Scene) -> str:
    folder = scene.work.runs / "out"
    for _ in range(5):
        kill_after(scene.work.start(*scene.work.run_words()), scene.rng.uniform(2.0, 3.0))
        path = folder / f"trials.sqlite-{'shm' if scene.number % 4 == 3 else 'wal'}"
        if path.exists() and path.stat().st_size:
            kind(scene)(path, scene.rng)
            break
    done = scene.work.run()
    if done.code:
        done.refused(str(folder / "trials.sqlite"))
        away(folder / "trials.sqlite")
        scene.work.run().completed()
    scene.work.same(scene.undisturbed)
    return f"{AGAIN}, or one line names the store"


def damage_stage(scene: Scene, name: str) -> str:
    folder = copy_of_a_run(scene)
    away(folder / "trials.sqlite")  # or nobody would ask for a stage
    path = scene.rng.choice(sorted((folder / "stages").glob(name)))
    kind(scene)(path, scene.rng)
    scene.work.run().completed()
    scene.work.same(scene.undisturbed)
    return f"it is computed again; {AGAIN}"


@fault("a stage is damaged", f"its arrays or JSON: {HOW}", tries=9)
def stage_damaged(scene: Scene) -> str:
    return damage_stage(scene, "*/value.*")


@fault("a stage's description is damaged", HOW, tries=9)
def stage_description_damaged(scene: Scene) -> str:
    return damage_stage(scene, "*/stage.json")


@fault("a stage's folder is something else", "a file; a link to nowhere; an empty folder", tries=3)
def stage_replaced(scene: Scene) -> str:
    folder = copy_of_a_run(scene)
    away(folder / "trials.sqlite")
    path = scene.rng.choice(sorted(p for p in (folder / "stages").iterdir() if p.is_dir()))
    shutil.rmtree(path)
    if scene.number == 0:
        path.write_text("a file")
    elif scene.number == 1:
        path.symlink_to("/nowhere/at/all")
        scene.work.run().refused(str(path), "link")  # what is written must not leave the folder
        path.unlink()
    else:
        path.mkdir()
    scene.work.run().completed()
    scene.work.same(scene.undisturbed)
    return f"a link is named in one line; else it is computed again; {AGAIN}"


@fault("run.json, results.json or the page is damaged", HOW, tries=9)
def described_damaged(scene: Scene) -> str:
    folder = copy_of_a_run(scene)
    path = folder / ("run.json", "results.json", "page.html")[scene.number // 2 % 3]
    kind(scene)(path, scene.rng)
    report = scene.work.command("report", folder)
    check(f"a traceback: {report.err[-300:]}", "Traceback" not in report.err)
    check(f"report ended with {report.code}", report.code == 0 or report.refused(str(folder)))
    return reruns_after(scene, path)


# ---------------------------------------------------------------------------------------- cards, plans, ledgers
def others_work(scene: Scene, listed: Done) -> None:
    """Every other system is still there."""
    check(f"list ended with {listed.code}: {listed.err[-300:]}", listed.code == 0)
    check("adamatch is not listed", "adamatch" in listed.out)
    check(f"a traceback: {listed.err[-300:]}", "Traceback" not in listed.err)


@fault("a card is damaged", HOW, tries=9)
def card_damaged(scene: Scene) -> str:
    path = scene.work.package / "card.toml"
    before = path.read_bytes()
    kind(scene)(path, scene.rng)
    listed = scene.work.command("list")
    others_work(scene, listed)
    if "cannot be used: faulty" in listed.err:
        check(f"it does not say where: {listed.err}", "card.toml" in listed.err)
        done = scene.work.run()
        done.refused("card.toml")
    shutil.rmtree(path) if path.is_dir() else None
    path.write_bytes(before)
    scene.work.run().completed()
    scene.work.same(scene.undisturbed)
    return "one line names the card, unless it still makes sense; other systems work"


@fault("a plan is damaged", HOW, tries=9)
def plan_damaged(scene: Scene) -> str:
    frozen(scene)
    path = scene.work.package / "ledger" / "small.plan.json"
    kind(scene)(path, scene.rng)
    for words in (("run", "faulty", "--scale", "small", "--ledger"), ("verdicts", "faulty", "--check")):
        done = scene.work.command(*words)
        if done.code == 0:  # where the plan is gone there is nothing to say of it
            check(f"{words[0]} took a damaged plan", words[0] == "verdicts" and "small" not in done.out)
        else:
            done.refused("small.plan.json")
    return "one line names the plan; nothing is run against it"


@fault("a ledger is damaged", HOW, tries=9)
def ledger_damaged(scene: Scene) -> str:
    frozen(scene)
    words = ("run", "faulty", "--scale", "small", "--ledger", "--jobs", "2")
    scene.work.command(*words).completed()
    before = ledger(scene.work)
    path = scene.work.package / "ledger" / "small.json"
    kind(scene)(path, scene.rng)
    done = scene.work.command("verdicts", "faulty", "--check")
    if done.code == 0:
        check("verdicts of a damaged ledger", "not run" in done.out)
    else:
        done.refused("small.json")
    others_work(scene, scene.work.command("list"))
    away(path)
    scene.work.command(*words).completed()
    check("the ledger differs", ledger(scene.work) == before)
    return "one line names the ledger; without it the rerun writes the same"


# --------------------------------------------------------------------------------------- models and checkpoints
@fault("a model's folder is damaged", f"config.json or model.safetensors: {HOW}", tries=18)
def model_damaged(scene: Scene) -> str:
    folder = scene.work.runs / "model"
    scene.work.command(folder, "1", program=(sys.executable, "-c", SAVING)).completed()
    path = folder / ("config.json", "model.safetensors")[scene.number // 9 % 2]
    kind(scene)(path, scene.rng)
    loading = (
        f"from holdfast.errors import HoldfastError\ntry:\n{indented(LOADING)}\nexcept HoldfastError as e:\n print(e)"
    )
    done = scene.work.command(folder, program=(sys.executable, "-c", loading))
    check(f"a traceback: {done.err[-300:]}", done.code == 0)
    check(f"no word of it: {done.out}", str(folder) in done.out and done.out.count("\n") == 1)
    return "one line names the file; no number is given out"


TRAINING = """
import sys, time, torch
from torch import nn
from holdfast.training.checkpoint import Checkpoints
from holdfast.data.batches import Batches
from holdfast.errors import HoldfastError
from holdfast.training import Learner, fit
torch.set_num_threads(1)
class Line(Learner):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.ones(3, 1))
    def loss(self, batch, rng):
        time.sleep(0.01)
        return (batch["x"] @ self.w - 1).square().mean() + 0.01 * torch.randn((), generator=rng) * self.w.sum(), {}
x = torch.randn(40, 3, generator=torch.Generator().manual_seed(0))
line = Line()
try:
    fit(line, Batches({"x": x}, 8), steps=60, checkpoints=Checkpoints(sys.argv[1], every=5))
    print(line.w.detach().double().ravel().tolist())
except HoldfastError as error:
    sys.exit(f"holdfast: {error}")
"""


def indented(text: str) -> str:
    return "\n".join(f" {line}" for line in text.strip().splitlines())


def trained(scene: Scene, folder: str) -> Done:
    return scene.work.command(scene.work.runs / folder, program=(sys.executable, "-c", TRAINING))


@fault(
    "training is killed and resumed",
    "SIGKILL at 3 random moments, or just before a write of a checkpoint",
    tries=2,
    each=3,
)
def training_killed(scene: Scene) -> str:
    for _ in range(3):
        if scene.rng.random() < 0.5:
            process = scene.work.start(scene.work.runs / "t", program=(sys.executable, "-c", TRAINING))
            kill_after(process, scene.rng.uniform(2.0, 5.0))
        else:
            env: dict[str, str | None] = {"FAULTY_KILL": f"{scene.rng.randint(1, 12)} /runs/t/"}
            scene.work.command(scene.work.runs / "t", program=(sys.executable, "-c", TRAINING), env=env)
    resumed, straight = trained(scene, "t"), trained(scene, "straight")
    resumed.completed()
    check("other weights than without the kills", resumed.out == straight.out)
    left = sorted(p.name for p in (scene.work.runs / "t").iterdir())
    check(f"left over: {left}", all(name.startswith("step-") for name in left))
    return "the weights are bit-equal to those of a training that was left alone"


@fault("a checkpoint is damaged", HOW, tries=9)
def checkpoint_damaged(scene: Scene) -> str:
    straight = trained(scene, "t")
    newest = max((scene.work.runs / "t").glob("step-*"))
    kind(scene)(newest, scene.rng)
    done = trained(scene, "t")
    if done.code:
        check(f"not one line: {done.err[-300:]}", done.err.count("\n") == 1 and str(newest) in done.err)
        away(newest)
        done = trained(scene, "t")
    done.completed()
    check("other weights than without the damage", done.out == straight.out)
    return "one line names the file; without it, training ends with the same weights"
