"""SIGKILL of a migration of stored vectors, at random moments and just before each file operation; of going back."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import time
from pathlib import Path

from tests.faults.campaign import Scene, fault
from tests.faults.kills import kill_after
from tests.faults.workspace import Done, check, until

SUFFIXES = (".npy", ".parquet")
CHUNK, SMALL = 2000, 20  # rows per chunk of the large and of the small store
PREPARE = """
import sys
import numpy as np, pyarrow as pa, pyarrow.parquet as pq
from holdfast.systems.fct import EmbeddingMigrator
rng = np.random.default_rng(0)
x = rng.standard_normal((100_000, 32), dtype=np.float32)
x[[7, 41_003]] = np.nan
np.save(sys.argv[1] + "/store.npy", x)
lists = pa.FixedSizeListArray.from_arrays(pa.array(x.reshape(-1)), 32)
ids = [f"d{i}" for i in range(len(x))]
pq.write_table(pa.table({"id": ids, "embedding": lists}), sys.argv[1] + "/store.parquet")
pairs = x[50_000:51_000]
EmbeddingMigrator("ridge", device="cpu").fit(pairs, np.tanh(pairs[:, :24])).save(sys.argv[1] + "/model")
"""
REWRITE = """
import sys
import numpy as np
from pathlib import Path
from holdfast.data.vectors import open_source, rewrite
folder, suffix, out = sys.argv[1:4]
source = Path(folder) / f"small{suffix}"
if not source.exists():
    x = np.random.default_rng(0).standard_normal((150, 4), dtype=np.float32)
    x[[3, 77]] = np.inf
    if suffix == ".npy":
        np.save(source, x)
    else:
        import pyarrow as pa, pyarrow.parquet as pq
        lists = pa.FixedSizeListArray.from_arrays(pa.array(x.reshape(-1)), 4)
        pq.write_table(pa.table({"id": np.arange(150), "embedding": lists}), source)
move = lambda x, side: 2 * x[:, :3]
rewrite(open_source(source), out, move, 3, model="halves", chunk=20, resume=True, drop_bad=True)
"""
GO_BACK = "import sys; from holdfast.data.vectors import rollback; rollback(sys.argv[1])"
AGAIN = "resumed, every byte is that of a migration that was left alone"


def content(folder: Path, name: str) -> dict[str, str]:
    """Relative path -> digest of all files of an output and its job; of the note when it was finished only the name."""
    found = {}
    for path in sorted(folder.rglob("*")):
        part = path.relative_to(folder).as_posix()
        if path.is_file() and part.lstrip(".").startswith(name):
            timeless = path.name != "done.json"
            digest = hashlib.sha256(path.read_bytes()).hexdigest() if timeless else ""
            found[part.replace(name, "out", 1)] = digest
    return found


def same(scene: Scene, wanted: dict[str, str], name: str) -> None:
    """The output of this name is what it should be, and nothing is left over."""
    found = content(scene.work.runs, name)
    check(f"files missing: {sorted(wanted.keys() - found.keys())[:3]}", not wanted.keys() - found.keys())
    check(f"files too many: {sorted(found.keys() - wanted.keys())[:3]}", not found.keys() - wanted.keys())
    check(f"files that differ: {[p for p in wanted if wanted[p] != found[p]][:3]}", wanted == found)


@fault(
    "a migration of stored vectors is killed",
    "SIGKILL of `fct apply` on 100,000 rows in 50 chunks at a random moment, 3 times in a row; npy and parquet",
    tries=8,
    each=3,
)
def migration_killed(scene: Scene) -> str:
    work, runs, suffix = scene.work, scene.work.runs, SUFFIXES[scene.number % 2]
    work.command(runs, program=(sys.executable, "-c", PREPARE)).completed()
    before = content(runs, "store")

    def words(out: str) -> list[str]:
        options = ("--chunk", str(CHUNK), "--resume", "--drop-bad", "--device", "cpu")
        return ["fct", "apply", f"{runs}/model", f"{runs}/store{suffix}", "--out", f"{runs}/{out}{suffix}", *options]

    def begun(out: str) -> subprocess.Popen[bytes]:
        """The command, from when its job has been noted."""
        job = runs / f"{out}{suffix}/_holdfast" if suffix == ".parquet" else runs / f"{out}{suffix}.holdfast"
        process = work.start(*words(out))
        until("no job was begun", lambda: (job / "job.json").exists() or process.poll() is not None)
        return process

    process, started = begun("whole"), time.monotonic()
    work.end(process).completed()
    seconds, killed = time.monotonic() - started, 0
    for _ in range(3):  # a resumed one first looks at the store, so that it may be killed before it does a chunk
        killed += kill_after(begun("new"), scene.rng.uniform(0, seconds))
    check("it was never killed", killed)
    work.command(*words("new")).completed()
    same(scene, content(runs, "whole"), "new")
    check("the store was changed", content(runs, "store") == before)
    work.command("fct", "verify", f"{runs}/new{suffix}", "--source", f"{runs}/store{suffix}").completed()
    return AGAIN


def rewritten(scene: Scene, out: str, kill: int = 0) -> Done:
    """Rewrite the small store, killed just before a file operation on it or its job."""
    suffix = SUFFIXES[scene.number % 2]
    env: dict[str, str | None] = {"FAULTY_KILL": f"{kill} /{out}{suffix}"} if kill else {}
    words = (scene.work.runs, suffix, scene.work.runs / f"{out}{suffix}")
    return scene.work.command(*words, program=(sys.executable, "-c", REWRITE), env=env)


@fault(
    "a migration is killed while it writes",
    "SIGKILL just before a file operation on output, manifests or job, one after the other; npy and parquet, with rows "
    "left out",
    tries=60,
)
def migration_writing_killed(scene: Scene) -> str:
    rewritten(scene, "whole").completed()
    wanted = content(scene.work.runs, "whole")
    rewritten(scene, "new", kill=3 * (scene.number // 2) + 1)
    rewritten(scene, "new").completed()
    same(scene, wanted, "new")
    return AGAIN


@fault(
    "going back from a migration is killed",
    "SIGKILL just before a file operation of `rollback`, one after the other; npy and parquet",
    tries=24,
)
def going_back_killed(scene: Scene) -> str:
    rewritten(scene, "new").completed()
    suffix, runs = SUFFIXES[scene.number % 2], scene.work.runs
    before, program = content(runs, "small"), (sys.executable, "-c", GO_BACK)
    env: dict[str, str | None] = {"FAULTY_KILL": f"{scene.number // 2 + 1} /new{suffix}"}
    scene.work.command(runs / f"new{suffix}", program=program, env=env)
    if content(runs, "new"):
        scene.work.command(runs / f"new{suffix}", program=program).completed()
    left = sorted(path.name for path in runs.iterdir())
    check(f"left over: {left}", left == [f"small{suffix}"])
    check("the store was changed", content(runs, "small") == before)
    shutil.rmtree(runs)
    return "the same command again removes what is left; the store it was made from is as it was"
