"""Other clocks, time zones, languages, homes and paths: the same numbers everywhere."""

from __future__ import annotations

import os
import shutil

from tests.faults.campaign import Scene, fault
from tests.faults.workspace import Workspace, check

SAME = "the same numbers"


def same_with(scene: Scene, **env: str | None) -> str:
    scene.work.run(env=env).completed()
    scene.work.same(scene.undisturbed)
    return SAME


@fault(
    "the clock jumps", "time.time() jumps an hour, a day or 30 years, back and forth, within and between runs", tries=6
)
def clock_jumps(scene: Scene) -> str:
    seconds = (-3600, 3600, -86400, -9.4e8, 9.4e8, -3600)[scene.number]
    env: dict[str, str | None] = {"FAULTY_CLOCK": f"{seconds} {scene.rng.choice([1, 7, 1000])}"}
    if scene.number % 2:
        words = scene.work.run_words("out", "--replicates", "3")
        scene.work.command(*words, env=env).completed()
    return same_with(scene, **env)


ZONES = ("Pacific/Kiritimati", "America/St_Johns", "Nowhere/Nowhere", "")


@fault("another time zone", ", ".join(z or "empty" for z in ZONES), tries=len(ZONES))
def time_zone(scene: Scene) -> str:
    return same_with(scene, TZ=ZONES[scene.number])


LANGUAGES: tuple[dict[str, str | None], ...] = (
    {"LC_ALL": "C"},
    {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    {"LC_ALL": "tr_TR.ISO-8859-9", "LANG": "de_DE"},
    {"LC_ALL": None, "LANG": None, "PYTHONIOENCODING": "ascii"},
)


@fault(
    "another language",
    "LC_ALL C, POSIX without UTF-8, one that is not installed; output in ASCII",
    tries=len(LANGUAGES),
)
def language(scene: Scene) -> str:
    env = LANGUAGES[scene.number]
    for words in (("list",), ("show", "adamatch"), ("show", "faulty"), ("digest", "--out", "runs/site")):
        scene.work.command(*words, env=env).completed()
    return same_with(scene, **env)


@fault("no home, or one that cannot be written", "HOME unset, missing, a file, read-only", tries=4)
def home(scene: Scene) -> str:
    if scene.number == 0:
        return same_with(scene, HOME=None)
    path = scene.work.repo / ("nowhere", "file", "home")[scene.number - 1]
    if scene.number == 2:
        path.write_text("")
        scene.work.commit("file")
    if scene.number == 3:
        path.chmod(0o555)
    return same_with(scene, HOME=str(path), MPLCONFIGDIR=None)


@fault("no folder for temporary files", "TMPDIR missing; a file", tries=2)
def temporary_folder(scene: Scene) -> str:
    return same_with(scene, TMPDIR=str(scene.work.repo / ("nowhere" if scene.number else ".gitignore")))


NAMES = (
    "with space",
    "Übungen 实验 ñ",
    "line\nbreak",
    "quote'\"$HOME;`ls`%s*?[x]",
    "-rf",
    "x" * 200,
    "/".join(["deep" * 10] * 60),
    "a#b?c%20&d",
)


@fault(
    "strange paths",
    "spaces, Unicode, a line break, quotes and wildcards, a leading dash, 200 letters, 2,500 letters, URL characters",
    tries=len(NAMES),
)
def strange_path(scene: Scene) -> str:
    name = NAMES[scene.number]
    if len(name) > 1000:  # longer than SQLite opens, on some systems than the system does
        folder = scene.work.runs / name
        done = scene.work.run(folder)
        check(f"a traceback: {done.err[-300:]}", "Traceback" not in done.err)
        if done.code:
            done.refused("deep")
            return "one line names the path where it is too long"
        scene.work.same(scene.undisturbed, folder)
        return SAME
    inner = Workspace(scene.work.root / name)
    inner.run(name).completed()
    inner.same(scene.undisturbed, name)
    inner.command("report", str(inner.runs / name)).completed()
    inner.command("freeze", "faulty").completed()
    inner.commit("plan")
    inner.command("run", "faulty", "--scale", "small", "--ledger", "--jobs", "2").completed()
    return SAME


@fault("a path that is no text", "bytes that are not UTF-8", tries=1)
def path_of_bytes(scene: Scene) -> str:
    folder = os.fsdecode(bytes(scene.work.runs) + b"/\xff\xfe")
    done = scene.work.run(folder)
    check(f"a traceback: {done.err[-300:]}", "Traceback" not in done.err)
    if done.code:
        done.refused("UTF-8")
    return "one line says so"


@fault("the current folder is gone", "removed while the command starts", tries=1)
def folder_gone(scene: Scene) -> str:
    gone = scene.work.root / "gone"
    gone.mkdir()
    done = scene.work.run(cwd=gone, before=lambda: shutil.rmtree(gone))
    check(f"a traceback: {done.err[-300:]}", "Traceback" not in done.err)
    check(f"ended with {done.code}", done.code in (0, 2))
    scene.work.run().completed()
    scene.work.same(scene.undisturbed)
    return f"it completes or says so in one line; {SAME}"


@fault("other settings of Python and its threads", "PYTHONHASHSEED, PYTHONOPTIMIZE, OMP_NUM_THREADS unset", tries=3)
def python_settings(scene: Scene) -> str:
    choices: tuple[dict[str, str | None], ...] = (
        {"PYTHONHASHSEED": "12345"},
        {"PYTHONOPTIMIZE": "2", "PYTHONWARNINGS": "ignore"},
        {"OMP_NUM_THREADS": None, "PYTHONUNBUFFERED": "1"},
    )
    return same_with(scene, **choices[scene.number % len(choices)])


CLOSED = ((0,), (0, 1), (0, 1, 2))


@fault("standard streams are closed", "stdin; stdin and stdout; all three, as a daemon's may be", tries=len(CLOSED))
def streams_closed(scene: Scene) -> str:
    def close() -> None:
        for number in CLOSED[scene.number]:
            os.close(number)

    scene.work.run(before=close).completed()
    scene.work.same(scene.undisturbed)
    return SAME
