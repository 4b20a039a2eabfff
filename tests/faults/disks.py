"""Disks that are full, files that are too many, folders that nothing can be written into."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.faults.campaign import Scene, fault
from tests.faults.kills import AGAIN, LOADING, SAVING
from tests.faults.workspace import Done, check

KIB = 1024


def mounted(folder: Path, kib: int) -> bool:
    """Make the folder a file system of that size; whether that is allowed here."""
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={kib}k", "tmpfs", str(folder)]
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


@contextmanager
def small_disk(folder: Path, kib: int) -> Iterator[Callable[[], None] | None]:
    """The folder has room for so much: a file system of its own where that is allowed, else what a process may write.

    Gives what to call in a process before it starts (None where the disk itself is small).
    """
    if mounted(folder, kib):
        try:
            yield None
            subprocess.run(["mount", "-o", "remount,size=200m", str(folder)], check=True)
        except BaseException:
            subprocess.run(["umount", "-l", str(folder)], check=True)
            raise
        return
    yield lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (kib * 100, kib * 100))


def told(done: Done, *names: str) -> str:
    """Completed, or one line that names a file, or failed trials that are named."""
    check(f"a traceback: {done.err[-300:]}", "Traceback" not in done.err)
    if done.code == 0:
        return "enough"
    if done.code == 1:
        check(f"no failed trial is named: {done.out[-300:]}", "failed: " in done.out)
        return "trials"
    done.refused(*names)
    return "refused"


def finishes_with_room(scene: Scene) -> None:
    try:
        scene.work.run().completed()
        scene.work.same(scene.undisturbed, second_look=True)
    finally:
        subprocess.run(["umount", "-l", str(scene.work.runs / "out")], capture_output=True, check=False)


@fault(
    "the disk is full",
    "a tmpfs of 24 to 900 KiB (RLIMIT_FSIZE where mounting is not allowed), filled by store, stages, artifacts or page",
    tries=12,
)
def disk_full(scene: Scene) -> str:
    folder = scene.work.runs / "out"
    jobs = ("--jobs", "0") if scene.number % 3 == 0 else ()
    with small_disk(folder, scene.rng.choice([24, 48, 96, 160, 256, 400, 600, 900])) as before:
        told(scene.work.run("out", *jobs, before=before), str(scene.work.runs))
    finishes_with_room(scene)
    return f"one line names the file, or failed trials are named; with room, {AGAIN}"


@fault("the disk is full when the page is written", "a tmpfs filled to the last 20 KiB after the trials", tries=2)
def disk_full_at_page(scene: Scene) -> str:
    folder = scene.work.runs / "out"
    with small_disk(folder, 3000) as before:
        scene.work.run("out", before=before)
        (folder / "page.html").unlink(missing_ok=True)
        if before is None:
            room = os.statvfs(folder)
            (folder / "ballast").write_bytes(b"x" * (room.f_bavail * room.f_bsize - 20 * KIB))
        done = scene.work.run("out", before=before)
        check("there was room", done.code == 2)
        done.refused(str(folder))
        (folder / "ballast").unlink(missing_ok=True)
    finishes_with_room(scene)
    return f"one line names the file; with room, {AGAIN}"


@fault("the disk is full when a model is saved over another", "a tmpfs of 40 KiB", tries=3)
def disk_full_at_model(scene: Scene) -> str:
    folder = scene.work.runs / "out"
    saving = SAVING.replace("(4, 3)", "(4, int(sys.argv[3]))").replace("import sys", GUARDED)
    program = (sys.executable, "-c", saving)
    with small_disk(folder, 64) as before:
        scene.work.command(folder / "m", "1", "3", program=program).completed()
        many = str(scene.rng.choice([3000, 20000, 200000]))
        done = scene.work.command(folder / "m", "2", many, program=program, before=before)
        done.refused(str(folder / "m"))
        loaded = scene.work.command(folder / "m", program=(sys.executable, "-c", LOADING))
        check("the earlier model is gone", loaded.out.strip() == "[-1.0, -1.0, -1.0]")
        check(f"left over: {list(folder.iterdir())}", [p.name for p in folder.iterdir()] == ["m"])
    subprocess.run(["umount", "-l", str(folder)], capture_output=True, check=False)
    return "one line names the model; the earlier model stays"


GUARDED = """
import sys
from holdfast.errors import HoldfastError
def hook(kind, error, trace):
    if isinstance(error, (HoldfastError, OSError)):
        print(f"holdfast: {error}", file=sys.stderr)
        sys.stderr.flush()
        import os
        os._exit(2)
    sys.__excepthook__(kind, error, trace)
sys.excepthook = hook
"""


@fault("too many open files", "RLIMIT_NOFILE of 8 to 60", tries=6)
def too_many_files(scene: Scene) -> str:
    limit = scene.rng.choice([8, 10, 12, 14, 17, 20, 25, 30, 60])

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))

    told(scene.work.run(before=limited))
    scene.work.run().completed()
    scene.work.same(scene.undisturbed, second_look=True)
    return f"it completes, or says in one line what failed; {AGAIN}"


@fault("too many processes", "starting one fails with EAGAIN: no worker, no git", tries=1)
def too_many_processes(scene: Scene) -> str:
    done = scene.work.run(program=(sys.executable, "-c", NO_FORK))
    check(f"a traceback: {done.err[-300:]}", "Traceback" not in done.err)
    check(f"ended with {done.code}", done.code in (0, 2))
    scene.work.run().completed()
    scene.work.same(scene.undisturbed)
    return f"one line says what failed; {AGAIN}"


NO_FORK = """
import subprocess, _posixsubprocess
def refused(*a, **k): raise BlockingIOError(11, "Resource temporarily unavailable")
_posixsubprocess.fork_exec = subprocess._fork_exec = refused
from holdfast.cli import main
main()
"""


def plain_user() -> tuple[str, ...] | None:
    """What to start a command with so that permissions hold; root ignores them unless it gives a capability away."""
    if os.geteuid() != 0:
        return ()
    without = "-dac_override,-dac_read_search"
    command = ("setpriv", "--bounding-set", without, "--inh-caps", without)
    try:
        done = subprocess.run([*command, "true"], capture_output=True, check=False)
    except OSError:
        return None
    return command if done.returncode == 0 else None


READ_ONLY = ("", "stages", "artifacts", "trials.sqlite", "page.html", "above")


@fault(
    "a folder or file is read-only",
    "the run's folder, the one above, stages/, artifacts/, the store: permissions taken away, without root's privilege",
    tries=len(READ_ONLY),
)
def read_only(scene: Scene) -> str:
    program = plain_user()
    check("needs setpriv, or not to be root", program is not None)
    which = READ_ONLY[scene.number]
    folder = scene.work.runs / "out"
    if which == "above":
        place = scene.work.runs
    else:
        scene.work.run("out", "--replicates", "2").completed()
        place = folder / which
    mode = place.stat().st_mode
    place.chmod(0o444 if place.is_file() else 0o555)
    try:
        told(scene.work.run(program=(*(program or ()), sys.executable, "-m", "holdfast")), str(scene.work.runs))
    finally:
        place.chmod(mode)
    scene.work.run().completed()
    scene.work.same(scene.undisturbed, second_look=True)
    return f"one line names the file, or failed trials are named; {AGAIN}"
